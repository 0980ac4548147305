// WorkerProcess: what every child of the supervisor does alike: its end of the channel, its counters,
// the beat once a second, the turns of its loop.
//
//   loop: OnTurnStart ... OnTurnEnd, OnSecond;  channel: OnWorkerMessage --> [delegate]
//
// Limits:    the loop's longest turn of each second is published as kLoopLagUs; memory that is free goes
//            back to the system once a minute.
// Ownership: owns channel and watchers; borrows loop and delegate.
// Threading: loop thread only.
// Errors:    Start(): kInternal: not started by a supervisor. When the supervisor goes away, the loop
//            ends at once: a child without one serves nobody.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include <ev.h>

#include "backend/adapters/linux/counters_page.h"
#include "backend/adapters/linux/worker_channel.h"
#include "common/base/result.h"
#include "common/base/time.h"

namespace holdfast::backend {

class WorkerProcessDelegate {
 public:
  virtual ~WorkerProcessDelegate() = default;
  virtual void OnWorkerMessage(WorkerMessageType type, std::string_view payload, UniqueFd fd) = 0;
  virtual void OnTurnStart() = 0;  // before anything that the loop waited for
  virtual void OnTurnEnd() = 0;    // before the loop waits again
  virtual void OnSecond() = 0;
};

class WorkerProcess final : private WorkerChannelDelegate {
 public:
  static Result<std::unique_ptr<WorkerProcess>> Start(struct ev_loop* loop,
                                                      WorkerProcessDelegate& delegate);
  ~WorkerProcess() override;
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  void SendReady();
  // Before SendReady(), as often as one likes: what takes long to start is not taken for hanging.
  void StillStarts();
  // Errors: as WorkerChannel::Send().
  Status Send(WorkerMessageType type, std::string_view payload) {
    return channel_->Send(type, payload);
  }
  CounterBlock& counters() { return page_.block(); }

 private:
  WorkerProcess(struct ev_loop* loop, CountersPage page, WorkerProcessDelegate& delegate);
  void OnWorkerMessage(WorkerMessageType type, std::string_view payload, UniqueFd fd) override;
  void OnWorkerChannelEnd() override;
  void Second();

  struct ev_loop* const loop_;
  CountersPage page_;
  WorkerProcessDelegate& delegate_;
  std::optional<WorkerChannel> channel_;
  ev_timer second_{};
  ev_check check_{};
  ev_prepare prepare_{};
  unsigned seconds_ = 0;  // since the start
  bool is_ready_ = false;
  std::int64_t said_alive_us_ = 0;
  std::int64_t turn_started_us_ = 0;
  std::int64_t longest_us_ = 0;
};

}  // namespace holdfast::backend
