// WorkerChannel: one end of the pair between the supervisor and a child
// (backend/core/worker_messages.h).
//
//   Send --> [socketpair] --> delegate: OnWorkerMessage OnWorkerChannelEnd
//
// Ordering:  messages arrive in the order sent; OnWorkerChannelEnd is the last call.
// Limits:    kMaxWorkerMessageBytes a message, one descriptor beside it.
// Ownership: owns the descriptor; borrows loop and delegate until destroyed. A received socket
//            belongs to the delegate from the call on.
// Threading: loop thread only.
// Errors:    Send(): kExhausted when the other end does not read (the message is not sent),
//            kUnavailable when it is gone.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

#include "backend/adapters/linux/unique_fd.h"
#include "backend/core/worker_messages.h"
#include "common/base/result.h"

struct ev_loop;

namespace holdfast::backend {

inline constexpr std::size_t kMaxWorkerMessageBytes = 4096;

class WorkerChannelDelegate {
 public:
  virtual ~WorkerChannelDelegate() = default;
  virtual void OnWorkerMessage(WorkerMessageType type, std::string_view payload, UniqueFd fd) = 0;
  // The other end is gone; the channel may be destroyed from here.
  virtual void OnWorkerChannelEnd() = 0;
};

class WorkerChannel {
 public:
  // Both ends of a new pair, close-on-exec.
  static Result<std::pair<UniqueFd, UniqueFd>> MakePair();

  WorkerChannel(struct ev_loop* loop, UniqueFd fd, WorkerChannelDelegate& delegate);
  ~WorkerChannel();
  WorkerChannel(const WorkerChannel&) = delete;
  WorkerChannel& operator=(const WorkerChannel&) = delete;

  // `fd` < 0: none travels. A descriptor that was sent is still the caller's to close.
  Status Send(WorkerMessageType type, std::string_view payload, int fd = -1);

 private:
  struct Watcher;
  void OnReadable();
  // False when nothing more is there, or the channel has ended.
  bool ReceiveOne();

  UniqueFd fd_;
  WorkerChannelDelegate& delegate_;
  std::unique_ptr<Watcher> watcher_;
};

}  // namespace holdfast::backend
