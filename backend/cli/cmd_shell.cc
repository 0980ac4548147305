// holdfast shell: a console for one endpoint.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "backend/adapters/libedit/line_editor.h"
#include "backend/cli/shell_session.h"
#include "backend/sdk/files.h"

namespace holdfast::cli {
namespace {

constexpr std::size_t kMaxHistoryBytes = std::size_t{256} * 1024;
constexpr std::size_t kMaxTypedBytes = std::size_t{32} * 1024;
constexpr std::string_view kShellClass = "shell";

// What was typed before: ~/.local/state/holdfast/history, one line each, the newest last.
class HistoryFile {
 public:
  HistoryFile() {
    const char* const state = std::getenv("XDG_STATE_HOME");
    const char* const home = std::getenv("HOME");
    if (state != nullptr && *state == '/') {
      directory_ = std::string(state) + "/holdfast";
    } else if (home != nullptr && *home == '/') {
      directory_ = std::string(home) + "/.local/state/holdfast";
    }
    if (directory_.empty()) return;
    const auto text = sdk::ReadFile(directory_ + "/history", kMaxHistoryBytes);
    std::string_view rest = text.ok() ? std::string_view(text.value()) : std::string_view();
    while (!rest.empty()) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(rest.size(), line.size() + 1));
      if (!line.empty()) lines_.emplace_back(line);
    }
  }
  const std::vector<std::string>& lines() const { return lines_; }
  // A line that begins with a blank is not kept: for what should not be.
  bool Add(const std::string& line) {
    if (line.empty() || line.front() == ' ') return false;
    if (!lines_.empty() && lines_.back() == line) return true;
    lines_.push_back(line);
    return true;
  }
  // Whole or not at all; without a place for it nothing is lost but convenience.
  void Save() {
    if (directory_.empty() || !sdk::MakeDirs(directory_, sdk::kDirMode).ok()) return;
    std::string text;
    constexpr auto kMost = static_cast<std::size_t>(backend::LineEditor::kMaxHistory);
    std::size_t at = lines_.size() > kMost ? lines_.size() - kMost : 0;
    for (; at < lines_.size(); ++at) text += lines_[at] + "\n";
    if (text.size() > kMaxHistoryBytes) {
      const std::size_t cut = text.find('\n', text.size() - kMaxHistoryBytes);
      text.erase(0, cut == std::string::npos ? text.size() : cut + 1);
    }
    static_cast<void>(
        sdk::WriteFile(directory_ + "/history", text, sdk::kSecretMode, sdk::Durability::kProgram)
            .ok());
  }

 private:
  std::string directory_;
  std::vector<std::string> lines_;
};

int RunTyped(const Call& call, ShellSession& shell, Interrupt& interrupt) {
  using Got = backend::LineEditor::Got;
  HistoryFile history;
  backend::LineEditor editor(shell);
  for (const auto& line : history.lines()) editor.Remember(line);
  Interrupt::CatchStop();
  int status = kExitOk;
  for (;;) {
    shell.SayEnded();
    std::string line;
    const Got got = editor.Read(shell.prompt(), line);
    if (got == Got::kEnd) {
      call.console.SayPlain("\n");
      break;
    }
    if (got == Got::kNothing) {  // Ctrl-C at the prompt: another line
      interrupt.Rearm();
      call.console.SayPlain("\n");
      continue;
    }
    if (line.size() > kMaxTypedBytes) {
      call.console.Say("a line longer than 32 KiB");
      continue;
    }
    if (history.Add(line)) editor.Remember(line);
    const auto ran = shell.Run(line);
    status = ran.status;
    if (!ran.goes_on) break;
  }
  history.Save();
  return status;
}

// Without its end; false at the end of the input.
bool ReadPipedLine(std::string& line) {
  line.clear();
  for (int c = std::getc(stdin); c != EOF; c = std::getc(stdin)) {
    if (c == '\n') return true;
    if (line.size() <= kMaxTypedBytes) line += static_cast<char>(c);
  }
  return !line.empty();
}

int RunPiped(const Call& call, ShellSession& shell) {
  int status = kExitOk;
  std::string line;
  while (ReadPipedLine(line)) {
    if (line.size() > kMaxTypedBytes) {
      call.console.Say("a line longer than 32 KiB");
      return kExitUsage;
    }
    const auto ran = shell.Run(line);
    if (status == kExitOk) status = ran.status;
    if (ran.status == kExitInterrupted) return ran.status;
    if (!ran.goes_on || (ran.status != kExitOk && !call.options.keep_going)) break;
  }
  return status;
}

}  // namespace

int RunShell(const Call& call) {
  auto session = OpenSession(call);
  if (!session.ok()) return call.console.Fail(session.error());
  const auto& classes = session.value()->who.cert.classes();
  if (std::find(classes.begin(), classes.end(), kShellClass) == classes.end()) {
    call.console.Say("operator '" + session.value()->who.name +
                     "' has no certificate with the class shell; where the issuer's key is: "
                     "holdfast operator renew " +
                     session.value()->who.name + " --class read --class shell");
    return kExitRefused;
  }
  auto terms = sdk::ParseTargets(call.options.target);
  if (!terms.ok()) return call.console.Fail(terms.error());
  auto targets = session.value()->client->ResolveTargets(terms.value());
  if (!targets.ok()) return call.console.Fail(targets.error());
  if (targets.value().size() != 1) {
    call.console.Say("a console is for one endpoint; " + call.options.target + " are " +
                     std::to_string(targets.value().size()));
    return kExitUsage;
  }
  Interrupt& interrupt = *call.interrupt;
  ShellSession shell(call, *session.value(), targets.value().front(), interrupt);
  const bool is_typed = call.console.in_is_terminal() && call.console.out_is_terminal();
  return is_typed ? RunTyped(call, shell, interrupt) : RunPiped(call, shell);
}

}  // namespace holdfast::cli
