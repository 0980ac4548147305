// Roll: replaces every process of the backend, one at a time, while the others serve.
//
// Gateways first: a new process comes up beside the old one and takes its place; the old one sends its
// agents away over some seconds and ends. Then control, then the embedded Redis, which cannot overlap with
// themselves and are restarted at once. Only plans: who asks for the next step carries it out.
//
//   View --> NextStep() --> kStart kTakeOver | kRestart ... kDone
//
// Ordering:  a process is touched only after the one before it is done, and everything has had the time to
//            serve again and does.
// Limits:    Options::patience for each wait but a drain's, which bounds itself. When it is over the roll
//            fails; what was replaced stays replaced, what was not goes on as it was.
// Threading: thread-compatible.
// Errors:    kFailed, with failure() for people. A gateway whose replacement does not come up stays.
// Design:    docs/decisions/0039-rolling-restart.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "common/base/time.h"

namespace holdfast::backend {

struct RollOptions {
  std::size_t gateways = 1;
  bool redis = true;  // it is ours to restart
  // A large ledger takes its time to load; a process that is not ready by then will not be.
  Duration patience = std::chrono::seconds(120);
  // Between two processes: who was sent away by one is back before the next goes.
  Duration settle = std::chrono::seconds(1);
};

// What the step in hand looks like now.
struct RollView {
  bool all_serve = false;      // control and Redis answer, and every gateway is ready
  bool next_ready = false;     // the new gateway can take over
  bool next_ended = false;     // it ended instead
  bool old_gone = false;       // the gateway that was replaced has ended
  bool restart_ended = false;  // the process that was restarted runs anew, and is ready
};

enum class RollStep : std::uint8_t {
  kStartGateway,    // start a new process beside gateway()
  kTakeOver,        // it takes the place of gateway(), and the old one drains
  kRestartControl,  // end it, start it again at once
  kRestartRedis,    // the same
  kDone,
  kFailed,  // failure() says why; the new gateway, if there is one, is not wanted
};

class Roll {
 public:
  Roll(RollOptions options, TimePoint now) : options_(options), since_(now) {}

  // What is to be done now; nullopt: wait. After kDone or kFailed it is not asked again.
  std::optional<RollStep> NextStep(const RollView& view, TimePoint now);
  std::size_t gateway() const { return gateway_; }
  std::string name() const;  // of the process in hand: "g0", "control", "redis"
  const std::string& failure() const { return failure_; }

 private:
  enum class Phase : std::uint8_t { kSettle, kStarting, kDraining, kControl, kRedis };
  std::optional<RollStep> Enter(Phase phase, RollStep step, TimePoint now);
  std::optional<RollStep> NextProcess(TimePoint now);
  std::optional<RollStep> Fail(std::string why);

  const RollOptions options_;
  Phase phase_ = Phase::kSettle;
  Phase done_ = Phase::kSettle;  // the last kind of process that is done
  TimePoint since_;              // of phase_
  bool begun_ = false;           // some process was touched
  std::size_t gateway_ = 0;      // gateways below it are done
  std::string failure_;
};

}  // namespace holdfast::backend
