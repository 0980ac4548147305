// ClockWatch: a descriptor that turns readable when the machine wakes from a suspend or its clock is set.
//
// A loop's poll() counts monotonic time, which stands still in a suspend: a deadline of ReadClocks() that
// passed meanwhile would wait for the rest of it, and the next beat be up to a minute away on a link that the
// server has long given up. Both events look alike here, and for both the right thing is to look at the
// deadlines again and to ask whether the link still stands. Costs no wake-up.
//
// Ownership: owns the descriptor.
// Threading: loop thread only.
// Errors:    fd() is -1 where the kernel has no such timer: a suspend is then noticed by the next beat.
#pragma once

namespace holdfast::agent {

class ClockWatch {
 public:
  ClockWatch();
  ~ClockWatch();
  ClockWatch(const ClockWatch&) = delete;
  ClockWatch& operator=(const ClockWatch&) = delete;

  int fd() const { return fd_; }
  // After it turned readable: whether the clock jumped; calling it spends it.
  bool TakeJump();

 private:
  int fd_ = -1;
};

}  // namespace holdfast::agent
