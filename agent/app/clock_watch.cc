#include "agent/app/clock_watch.h"

#include <cerrno>
#include <cstdint>
#include <ctime>
#include <limits>

#include <sys/timerfd.h>
#include <unistd.h>

namespace holdfast::agent {

ClockWatch::ClockWatch() : fd_(timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC)) {
  itimerspec never{};
  never.it_value.tv_sec = std::numeric_limits<std::time_t>::max();
  // timerfd_create(2): such a timer is cancelled by a discontinuous change of the clock; a resume is one.
  constexpr int kFlags = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET;
  if (fd_ >= 0 && timerfd_settime(fd_, kFlags, &never, nullptr) != 0) {
    close(fd_);
    fd_ = -1;
  }
}

ClockWatch::~ClockWatch() {
  if (fd_ >= 0) close(fd_);
}

bool ClockWatch::TakeJump() {
  std::uint64_t expirations = 0;
  return read(fd_, &expirations, sizeof expirations) < 0 && errno == ECANCELED;
}

}  // namespace holdfast::agent
