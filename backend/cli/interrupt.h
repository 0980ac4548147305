// Interrupt: Ctrl-C as a descriptor that a loop can wait on.
//
// The first Ctrl-C (or SIGTERM) makes fd() readable, so that the program ends in order and says what
// goes on without it; a second one ends it at once.
//
// Threading: one per process.
#pragma once

namespace holdfast::cli {

class Interrupt {
 public:
  Interrupt();  // installs the handlers
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  int fd() const { return fd_; }
  // Also for SIGHUP, and before the process ends at a second signal this is called: async-signal-safe things only.
  static void BeforeTheEnd(void (*last)());
  // The next signal is a first one again, and fd() is quiet.
  void Rearm();
  // From now on Ctrl-Z is like Ctrl-C, but that it leaves what runs running.
  static void CatchStop();
  static bool wants_leave();
  static bool TakeLeave();

 private:
  int fd_;
};

}  // namespace holdfast::cli
