#include "tests/support/man_page.h"

#include <vector>

#include "backend/cli/arguments.h"

namespace holdfast::cli {
namespace {

// Text for roff: a backslash is escaped, and a line never begins with a request.
std::string Escaped(const std::string& text) {
  std::string out;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) out += "\\&";
    out += c == '\\' ? std::string("\\e") : c == '-' ? std::string("\\-") : std::string(1, c);
    line_begins = c == '\n';
  }
  return out;
}

std::string OptionList(const CommandHelp& command) {
  std::string out = ".Bl -tag -width Ds\n";
  for (const auto& option : command.options) {
    if (option.positional || option.names == "-h,--help") continue;
    out += ".It " + Escaped(option.names) +
           (option.value.empty() ? "" : " Ar " + Escaped(option.value)) + "\n" +
           Escaped(option.text) + ".\n";
  }
  return out + ".El\n";
}

std::string Words(const CommandHelp& command) {
  std::string words = "holdfast " + command.name;
  bool has_options = false;
  for (const auto& option : command.options) {
    if (option.positional) words += " " + option.names;
    has_options = has_options || (!option.positional && option.names != "-h,--help");
  }
  if (has_options) words += " [OPTIONS]";
  if (command.name == "exec") words += " -- PROGRAM [ARGUMENT...]";
  if (command.name == "run" || command.name == "runscript") words += " -- [ARGUMENT...]";
  return words;
}

std::string Section(const CommandHelp& command) {
  std::string out = ".Ss " + Escaped(Words(command)) + "\n" + Escaped(command.text) + ".\n";
  bool has_options = false;
  for (const auto& option : command.options) {
    has_options = has_options || (!option.positional && option.names != "-h,--help");
    if (option.positional) {
      out += ".Pp\n.Ar " + Escaped(option.names) + " :\n" + Escaped(option.text) + ".\n";
    }
  }
  if (has_options) out += OptionList(command);
  if (!command.more.empty()) out += ".Bd -literal\n" + Escaped(command.more) + "\n.Ed\n";
  return out;
}

}  // namespace

std::string ManPage() {
  const auto commands = DescribeCommands();
  std::string out =
      ".\\\" Made from the grammar of the program: tests/unit/backend/cli/man_page_test.cc says "
      "how.\n"
      ".Dd 2026\n.Dt HOLDFAST 1\n.Os\n.Sh NAME\n.Nm holdfast\n.Nd ask and command the endpoints of "
      "a "
      "fleet\n.Sh SYNOPSIS\n.Nm\n.Op Ar OPTIONS\n.Ar COMMAND ...\n.Sh DESCRIPTION\n"
      "Questions and commands are signed here and checked on the endpoint; answers are signed by "
      "the "
      "endpoint and\nchecked here. The backend between carries them.\n.Pp\nThese options may stand "
      "before or after the command's name:\n";
  for (const auto& command : commands) {
    if (command.name.empty()) out += OptionList(command) + ".Sh COMMANDS\n";
    if (!command.name.empty() && command.name != "enrol" && command.name != "operator") {
      out += Section(command);
    }
  }
  return out +
         ".Sh ENVIRONMENT\n.Bl -tag -width Ds\n.It Ev HOLDFAST_DIR\nThe fleet's directory, when "
         "neither "
         "\\-\\-dir nor \\-\\-profile is given.\n.El\n.Sh FILES\n.Bl -tag -width Ds\n"
         ".It Pa ~/.config/holdfast/config.toml\nProfiles: default = \"NAME\", and "
         "[profiles.NAME] with dir = \"DIR\".\n.It Pa DIR/fleet.toml\nWhat the tools know about a "
         "fleet.\n.It Pa DIR/operator/NAME.key\nThe key that signs.\n.It Pa DIR/operator/pending/\n"
         "Signed commands until their fate is known.\n.El\n"
         ".Sh EXIT STATUS\n.Bl -tag -width Ds\n"
         ".It 0\nEvery target succeeded.\n.It 1\nSome failed, or something here did.\n"
         ".It 2\nThe command line is wrong, or its target matches nothing or several.\n"
         ".It 3\nThe backend cannot be reached.\n.It 4\nRefused.\n"
         ".It 130\nCtrl\\-C; the job goes on.\n.El\n"
         ".Sh SEE ALSO\ndocs/cli\\-output.md, docs/errors.md, docs/tables.md\n";
}

}  // namespace holdfast::cli
