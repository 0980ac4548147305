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
//            ends at once, unless the delegate has a reason to go on: then the next supervisor is looked for, for
//            kOrphanPatience.
// Design:    docs/decisions/0155-links-outlive-a-supervisor.md
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <ev.h>

#include "backend/adapters/linux/counters_page.h"
#include "backend/adapters/linux/worker_channel.h"
#include "backend/core/introduction.h"
#include "common/base/result.h"
#include "common/base/time.h"

namespace holdfast::backend {

// A supervisor that is started again by systemd is there within two seconds; whoever starts it by hand has this long.
inline constexpr Duration kOrphanPatience = std::chrono::seconds(30);

enum class WithoutSupervisor : std::uint8_t {
  kEnds,
  kSeeks,     // the next one, with what Relatives say
  kFinishes,  // what it is about, and ends by itself
};

// By what the next supervisor knows a process that it has not started.
struct Relatives {
  std::string adoption_socket;
  Introduction introduction;
  std::string config;  // the text that it runs on
};

class WorkerProcessDelegate {
 public:
  virtual ~WorkerProcessDelegate() = default;
  virtual void OnWorkerMessage(WorkerMessageType type, std::string_view payload, UniqueFd fd) = 0;
  virtual void OnTurnStart() = 0;  // before anything that the loop waited for
  virtual void OnTurnEnd() = 0;    // before the loop waits again
  virtual void OnSecond() = 0;
  virtual WithoutSupervisor OnSupervisorGone() { return WithoutSupervisor::kEnds; }
};

class WorkerProcess final : private WorkerChannelDelegate {
 public:
  // With `relatives`: one that may outlive its supervisor. Should it hang then, with nobody there who would kill
  // it, SIGALRM does.
  static Result<std::unique_ptr<WorkerProcess>> Start(
      struct ev_loop* loop, WorkerProcessDelegate& delegate,
      std::optional<Relatives> relatives = std::nullopt);
  ~WorkerProcess() override;
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  void SendReady();
  // Before SendReady(), as often as one likes: what takes long to start is not taken for hanging.
  void StillStarts();
  // Errors: as WorkerChannel::Send(); kUnavailable also without a supervisor.
  Status Send(WorkerMessageType type, std::string_view payload);
  // Its supervisor is gone, and no other has come yet.
  bool is_orphan() const { return !channel_; }
  CounterBlock& counters() { return page_.block(); }

 private:
  WorkerProcess(struct ev_loop* loop, CountersPage page, WorkerProcessDelegate& delegate,
                std::optional<Relatives> relatives);
  void OnWorkerMessage(WorkerMessageType type, std::string_view payload, UniqueFd fd) override;
  void OnWorkerChannelEnd() override;
  void Second();
  void Seek();

  struct ev_loop* const loop_;
  CountersPage page_;
  WorkerProcessDelegate& delegate_;
  std::optional<WorkerChannel> channel_;
  const std::optional<Relatives> relatives_;
  bool finishes_ = false;
  TimePoint sought_until_{};
  ev_timer seek_{};
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
