// WardenLoop: the one loop of the warden process: link process, workers, signals, clock.
//
// Decides nothing about commands: pushes into Warden, pulls out of it. Restarts a dead link process with
// back-off. Sleeps without a timer while nothing is open. A deadline that passed while the machine was
// suspended is due on waking.
//
// Ordering:  Prepare, then Warden::Recover, then Run: a worker may end the moment it was started, and of an
//            end before signals are watched nobody is told. SIGTERM or SIGINT: tells the server, ends the
//            workers (what they ran is interrupted, and handled as such at the next start), ends the link
//            process, returns.
// Ownership: borrows everything.
// Threading: loop thread only; one per process.
#pragma once

#include <cstdint>
#include <optional>

#include "agent/adapters/linux/linux_workers.h"
#include "agent/adapters/linux/unique_fd.h"
#include "agent/app/clock_watch.h"
#include "agent/app/link_child.h"
#include "agent/core/warden.h"
#include "common/link/backoff.h"

namespace holdfast::agent {

class WardenLoop {
 public:
  enum class Until : std::uint8_t {
    kStopped,  // until a signal says so
    kOpen,     // until the link is open, or the server's no is final, or `timeout` (enrolment)
  };
  enum class Outcome : std::uint8_t {
    kStopped,
    kOpen,
    kRefused,
    kTimedOut,
    kJournalBroken,
    kFailed,
    kRestart  // another program takes the place of this one
  };

  WardenLoop(Warden& warden, LinkChild& link, LinuxWorkers& workers, std::uint32_t seed);
  // From here on no end of a child is missed.
  Status Prepare();
  Outcome Run(Until until, Duration timeout);

 private:
  void Turn(std::optional<TimePoint> wake);
  void Wait(std::optional<TimePoint> wake);
  void StartLinkIfDue(Moment at);
  void NoticeLinkLoss(Moment at);
  void OnSignals(Moment at);
  void Reap(Moment at);
  void ReadWorkers(Moment at);
  void TakeMessages(LinuxWorkers::Worker& worker, Moment at);
  void ReportGone(Moment at);
  void TrimWhenIdle(Moment at);
  void WriteLog();
  std::optional<Outcome> Judge(Until until, TimePoint deadline, Moment at) const;
  void ShutDown();

  Warden& warden_;
  LinkChild& link_;
  LinuxWorkers& workers_;
  link::Backoff backoff_;
  UniqueFd signals_;
  ClockWatch clock_;
  bool is_stopping_ = false;
  bool link_was_up_ = false;
  std::optional<TimePoint> start_link_at_;
  std::optional<TimePoint> trim_at_;
  std::optional<TimePoint> drop_spare_at_;
  bool was_busy_ = false;
};

}  // namespace holdfast::agent
