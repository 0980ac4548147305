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

 private:
  int fd_;
};

}  // namespace holdfast::cli
