#include "backend/cli/interrupt.h"

#include <cerrno>
#include <csignal>
#include <cstdint>

#include <sys/eventfd.h>
#include <unistd.h>

namespace holdfast::cli {
namespace {

constexpr int kExitInterrupted = 130;  // docs/cli-output.md
// What a signal handler may reach: plain numbers.
volatile std::sig_atomic_t g_fd = -1;
volatile std::sig_atomic_t g_seen = 0;
volatile std::sig_atomic_t g_leaves = 0;
void (*volatile g_last)() = nullptr;

extern "C" void OnInterrupt(int /*signal*/) {
  const int before = errno;
  if (g_seen != 0) {
    if (g_last != nullptr) g_last();
    ::_exit(kExitInterrupted);
  }
  g_seen = 1;
  const std::uint64_t one = 1;
  if (::write(g_fd, &one, sizeof one) < 0) ::_exit(kExitInterrupted);
  errno = before;
}

extern "C" void OnStop(int /*signal*/) {
  const int before = errno;
  g_leaves = 1;
  const std::uint64_t one = 1;
  (void)!::write(g_fd, &one, sizeof one);
  errno = before;
}

}  // namespace

Interrupt::Interrupt() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  g_fd = fd_;
  struct sigaction action {};
  action.sa_handler = OnInterrupt;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

void Interrupt::BeforeTheEnd(void (*last)()) {
  g_last = last;
  struct sigaction action {};
  action.sa_handler = last == nullptr ? SIG_DFL : OnInterrupt;
  ::sigaction(SIGHUP, &action, nullptr);
}

void Interrupt::Rearm() {
  std::uint64_t count = 0;
  while (::read(fd_, &count, sizeof count) > 0) {
  }
  g_seen = 0;
  g_leaves = 0;
}

void Interrupt::CatchStop() {
  struct sigaction action {};
  action.sa_handler = OnStop;
  ::sigaction(SIGTSTP, &action, nullptr);
}

bool Interrupt::wants_leave() { return g_leaves != 0; }

bool Interrupt::TakeLeave() {
  const bool leaves = g_leaves != 0;
  g_leaves = 0;
  return leaves;
}

Interrupt::~Interrupt() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace holdfast::cli
