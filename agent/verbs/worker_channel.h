// WorkerChannel: a worker's way to warden, messages `u8 type | u32le length | payload` on one fd.
//
//   Output(bytes)*  -> Exit(result)
//
// Also holds the exits that are written when the worker can no longer think: out of memory, out of
// CPU time. They are prepared beforehand and never fall into the middle of another message.
//
// Ordering:  what Output() took is with the kernel when it returns; Exit() is the last message,
// once. Limits:    out_bytes over all Output() calls; at it the rest is dropped and truncated()
// stays true.
//            A message is at most kMaxWorkerMessageBytes; longer output is cut into several.
// Threading: one thread; AbortNow() also from a signal handler of that thread.
// Errors:    a reader that went away ends the process (SIGPIPE): nobody is left to tell.
#pragma once

#include <csignal>
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/verbs/output_port.h"

namespace holdfast::agent {

class WorkerChannel : public OutputPort {
 public:
  WorkerChannel(int fd, std::uint64_t out_bytes);
  WorkerChannel(const WorkerChannel&) = delete;
  WorkerChannel& operator=(const WorkerChannel&) = delete;

  // False once the output is full: the part that fitted was sent, the verb should end.
  bool Output(std::string_view bytes) override;
  bool truncated() const { return truncated_; }
  std::uint64_t written_bytes() const override { return written_bytes_; }
  std::uint64_t room_bytes() const override { return out_bytes_ - written_bytes_; }
  void Exit(std::string_view serialized_result);
  void SessionKey(std::string_view public_key);  // pty: before any output

  // Writes `serialized_result` as Exit and ends the process; async-signal-safe. In the middle of a
  // message it only remembers, and the message's end does it.
  void AbortNow(std::string_view serialized_result);

 private:
  void Send(char type, std::string_view payload);

  int fd_;
  std::uint64_t out_bytes_;
  std::uint64_t written_bytes_ = 0;
  bool truncated_ = false;
  volatile std::sig_atomic_t sending_ = 0;
  volatile std::sig_atomic_t abort_pending_ = 0;
  std::string_view abort_result_;
};

}  // namespace holdfast::agent
