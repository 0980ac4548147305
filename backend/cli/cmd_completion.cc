// holdfast completion bash|zsh|fish: scripts made from the grammar, so that they cannot fall behind it.
#include <string>
#include <vector>

#include "backend/cli/arguments.h"
#include "backend/cli/commands.h"

namespace holdfast::cli {
namespace {

// "--output" and "-o" of "-o,--output".
std::vector<std::string> Flags(const OptionHelp& option) {
  std::vector<std::string> flags;
  std::string rest = option.names;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    flags.push_back(rest.substr(0, comma));
    rest = comma == std::string::npos ? "" : rest.substr(comma + 1);
  }
  return flags;
}

// The words that may follow a command: its options, and the commands below it.
std::string WordsAfter(const std::string& name, const std::vector<CommandHelp>& commands) {
  std::string words;
  for (const auto& command : commands) {
    const std::string parent = command.name.find(' ') == std::string::npos
                                   ? ""
                                   : command.name.substr(0, command.name.find(' '));
    if (!command.name.empty() && parent == name) {
      words += command.name.substr(parent.empty() ? 0 : parent.size() + 1) + " ";
    }
    if (command.name != name && !command.name.empty()) continue;  // globals fit everywhere
    for (const auto& option : command.options) {
      if (option.positional) continue;
      for (const auto& flag : Flags(option)) words += flag + " ";
    }
  }
  if (!words.empty()) words.pop_back();
  return words;
}

std::string Bash(const std::vector<CommandHelp>& commands) {
  std::string cases;
  for (const auto& command : commands) {
    cases += "    '" + command.name + "') words='" + WordsAfter(command.name, commands) + "' ;;\n";
  }
  return "# bash completion for holdfast; load it with: source <(holdfast completion bash)\n"
         "_holdfast() {\n"
         "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} name= word "
         "words=\n"
         "  case $prev in\n"
         "    -o|--output) COMPREPLY=($(compgen -W 'table json jsonl csv' -- \"$cur\")); return "
         ";;\n"
         "    --dir|-d|--into|-D|--definitions) COMPREPLY=($(compgen -d -- \"$cur\")); return ;;\n"
         "    --as|--stdin-file|verify) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n"
         "    completion) COMPREPLY=($(compgen -W 'bash zsh fish' -- \"$cur\")); return ;;\n"
         "  esac\n"
         "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
         "    case \"$name $word\" in\n"
         "      ' enrol'|' agents'|' operator') name=$word ;;\n"
         "      'enrol token'|'agents rm'|'operator add'|'operator renew'|'operator list')"
         " name=\"$name $word\" ;;\n"
         "      ' -'*) ;;\n"
         "      ' '*) [ -n \"$name\" ] || case \" " +
         WordsAfter("", commands) +
         " \" in *\" $word \"*) name=$word ;; esac ;;\n"
         "    esac\n"
         "  done\n"
         "  case $name in\n" +
         cases +
         "  esac\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
         "}\n"
         "complete -o default -F _holdfast holdfast\n";
}

std::string Zsh(const std::vector<CommandHelp>& commands) {
  return "#compdef holdfast\n"
         "# zsh completion for holdfast; load it with: source <(holdfast completion zsh)\n"
         "autoload -Uz bashcompinit && bashcompinit\n" +
         Bash(commands);
}

std::string Quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text)
    out += c == '\'' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  return out + "'";
}

std::string Fish(const std::vector<CommandHelp>& commands) {
  std::string out =
      "# fish completion for holdfast; load it with: holdfast completion fish | source\n"
      "complete -c holdfast -f\n";
  for (const auto& command : commands) {
    const std::size_t space = command.name.find(' ');
    const std::string last = command.name.substr(space == std::string::npos ? 0 : space + 1);
    if (!command.name.empty()) {
      const std::string where = space == std::string::npos ? "__fish_use_subcommand"
                                                           : "__fish_seen_subcommand_from " +
                                                                 command.name.substr(0, space);
      out += "complete -c holdfast -n " + Quoted(where) + " -a " + last + " -d " +
             Quoted(command.text) + "\n";
    }
    for (const auto& option : command.options) {
      if (option.positional) continue;
      out += "complete -c holdfast";
      if (!command.name.empty()) out += " -n " + Quoted("__fish_seen_subcommand_from " + last);
      for (const auto& flag : Flags(option)) {
        out += flag.starts_with("--") ? " -l " + flag.substr(2) : " -s " + flag.substr(1);
      }
      out += (option.value.empty() ? "" : " -r") + std::string(" -d ") + Quoted(option.text) + "\n";
    }
  }
  return out + "complete -c holdfast -l output -s o -xa 'table json jsonl csv'\n";
}

}  // namespace

int RunCompletion(const Call& call) {
  const auto commands = DescribeCommands();
  const std::string& shell = call.options.name;
  if (shell == "bash") {
    call.console.Out(Bash(commands));
  } else if (shell == "zsh") {
    call.console.Out(Zsh(commands));
  } else if (shell == "fish") {
    call.console.Out(Fish(commands));
  } else {
    call.console.Say("there are completions for bash, zsh and fish, not for '" + shell + "'");
    return kExitUsage;
  }
  return kExitOk;
}

}  // namespace holdfast::cli
