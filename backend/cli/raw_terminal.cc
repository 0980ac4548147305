#include "backend/cli/raw_terminal.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "backend/cli/interrupt.h"

namespace holdfast::cli {
namespace {

// What signal handlers may reach.
struct termios g_before;
int g_flags_before = 0;
volatile std::sig_atomic_t g_resize_fd = -1;

extern "C" void OnWindowChange(int /*signal*/) {
  const int before = errno;
  const std::uint64_t one = 1;
  (void)!::write(g_resize_fd, &one, sizeof one);
  errno = before;
}

// Whoever waits for keys in a loop makes the terminal non-blocking for all that have it open, the shell too.
extern "C" void GiveTerminalBack() {
  ::tcsetattr(STDIN_FILENO, TCSANOW, &g_before);
  ::fcntl(STDIN_FILENO, F_SETFL, g_flags_before);
}

}  // namespace

Result<std::unique_ptr<RawTerminal>> RawTerminal::Open() {
  if (::isatty(STDOUT_FILENO) != 1 || ::tcgetattr(STDIN_FILENO, &g_before) != 0) {
    return Error{Code::kInvalid, "standard input and output must be a terminal"};
  }
  g_flags_before = ::fcntl(STDIN_FILENO, F_GETFL);
  const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) return Error{Code::kInternal, "eventfd failed"};
  g_resize_fd = fd;
  struct sigaction action {};
  action.sa_handler = OnWindowChange;
  ::sigaction(SIGWINCH, &action, nullptr);
  Interrupt::BeforeTheEnd(GiveTerminalBack);
  struct termios raw = g_before;
  ::cfmakeraw(&raw);
  ::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
  return std::unique_ptr<RawTerminal>(new RawTerminal(fd));
}

RawTerminal::~RawTerminal() {
  GiveTerminalBack();
  Interrupt::BeforeTheEnd(nullptr);
  std::signal(SIGWINCH, SIG_DFL);
  g_resize_fd = -1;
  ::close(resize_fd_);
}

void RawTerminal::TakeResize() const {
  std::uint64_t count = 0;
  (void)!::read(resize_fd_, &count, sizeof count);
}

pty::Size TerminalSize() {
  struct winsize size {};
  constexpr std::uint16_t kColumns = 80;
  constexpr std::uint16_t kRows = 24;
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) {
    return {kColumns, kRows};
  }
  constexpr auto kMostColumns = static_cast<std::uint16_t>(pty::kMaxColumns);
  constexpr auto kMostRows = static_cast<std::uint16_t>(pty::kMaxRows);
  return {std::min(size.ws_col, kMostColumns), std::min(size.ws_row, kMostRows)};
}

}  // namespace holdfast::cli
