#include "backend/cli/console.h"

#include <array>
#include <cstdio>

#include <sys/ioctl.h>
#include <unistd.h>

namespace holdfast::cli {
namespace {

constexpr std::size_t kDefaultColumns = 80;  // a terminal that does not say

std::size_t TerminalColumns() {
  struct winsize size {};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kDefaultColumns;
  return size.ws_col;
}

}  // namespace

Console::Console()
    : out_is_terminal_(::isatty(STDOUT_FILENO) == 1),
      err_is_terminal_(::isatty(STDERR_FILENO) == 1),
      in_is_terminal_(::isatty(STDIN_FILENO) == 1) {
  if (out_is_terminal_) width_ = TerminalColumns();
}

void Console::Out(std::string_view text) {
  if (!out_works_ || text.empty()) return;
  if (out_is_terminal_) Progress("");  // both are the same screen
  out_works_ =
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
}

void Console::SayPlain(std::string_view text) {
  Progress("");
  std::fwrite(text.data(), 1, text.size(), stderr);
}

void Console::Say(const std::string& line) { SayPlain("holdfast: " + line + "\n"); }

int Console::Fail(const Error& error) {
  Say(error.message);
  return ExitStatusFor(error.code);
}

void Console::Progress(const std::string& line) {
  if (!err_is_terminal_ || (line.empty() && !progress_shown_)) return;
  std::fprintf(stderr, "\r\x1b[K%s", line.c_str());
  std::fflush(stderr);
  progress_shown_ = !line.empty();
}

bool Console::Confirm(const std::string& question) {
  SayPlain(question + " [y/N] ");
  std::array<char, 16> line{};
  if (std::fgets(line.data(), static_cast<int>(line.size()), stdin) == nullptr) return false;
  const std::string_view answer(line.data());
  return answer == "y\n" || answer == "yes\n" || answer == "Y\n";
}

int ExitStatusFor(Code code) {
  switch (code) {
    case Code::kInvalid:
    case Code::kNotFound: return kExitUsage;
    case Code::kUnavailable: return kExitUnreachable;
    case Code::kDenied:
    case Code::kExpired: return kExitRefused;
    case Code::kCancelled: return kExitInterrupted;
    case Code::kCorrupt:
    case Code::kExists:
    case Code::kUnsupported:
    case Code::kExhausted:
    case Code::kInternal: return kExitFailed;
  }
  return kExitFailed;
}

}  // namespace holdfast::cli
