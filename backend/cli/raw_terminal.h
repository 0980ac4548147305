// RawTerminal: this process's terminal as a pipe for keys, and as it was before when this goes away.
//
// Every way of ending gives it back: the destructor, and Interrupt's last word for a second signal. What cannot be
// caught (SIGKILL) leaves it raw; `reset` mends that.
//
// Threading: one per process.
// Errors:    Open(): kInvalid: standard input or output is no terminal.
#pragma once

#include <memory>

#include "common/base/result.h"
#include "common/pty/records.h"

namespace holdfast::cli {

class RawTerminal {
 public:
  static Result<std::unique_ptr<RawTerminal>> Open();
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  // Readable after the window has changed; TakeResize() makes it quiet again.
  int resize_fd() const { return resize_fd_; }
  void TakeResize() const;

 private:
  explicit RawTerminal(int resize_fd) : resize_fd_(resize_fd) {}
  int resize_fd_;
};

// Of standard output, within what a terminal can have; 80x24 where it does not say.
pty::Size TerminalSize();

}  // namespace holdfast::cli
