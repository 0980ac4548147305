#include "backend/core/roll.h"

#include <utility>

namespace holdfast::backend {

std::optional<RollStep> Roll::Enter(Phase phase, RollStep step, TimePoint now) {
  phase_ = phase;
  since_ = now;
  begun_ = true;
  return step;
}

std::string Roll::name() const {
  switch (phase_) {
    case Phase::kControl: return "control";
    case Phase::kRedis: return "redis";
    default: return "g" + std::to_string(gateway_);
  }
}

std::optional<RollStep> Roll::Fail(std::string why) {
  failure_ = std::move(why);
  return RollStep::kFailed;
}

std::optional<RollStep> Roll::NextProcess(TimePoint now) {
  if (gateway_ < options_.gateways) return Enter(Phase::kStarting, RollStep::kStartGateway, now);
  if (done_ == Phase::kSettle) return Enter(Phase::kControl, RollStep::kRestartControl, now);
  if (done_ == Phase::kControl && options_.redis) {
    return Enter(Phase::kRedis, RollStep::kRestartRedis, now);
  }
  return RollStep::kDone;
}

std::optional<RollStep> Roll::NextStep(const RollView& view, TimePoint now) {
  const bool late = now - since_ >= options_.patience;
  switch (phase_) {
    case Phase::kSettle:
      if (view.all_serve && (!begun_ || now - since_ >= options_.settle)) return NextProcess(now);
      if (late) return Fail("some process does not serve; /healthz names it");
      return std::nullopt;
    case Phase::kStarting:
      if (view.next_ended) return Fail(name() + ": its new process ended; the old one goes on");
      if (view.next_ready) return Enter(Phase::kDraining, RollStep::kTakeOver, now);
      if (late) return Fail(name() + ": its new process did not become ready; the old one goes on");
      return std::nullopt;
    case Phase::kDraining:
      if (!view.old_gone) return std::nullopt;
      ++gateway_;
      break;
    case Phase::kControl:
    case Phase::kRedis:
      if (!view.restart_ended) {
        if (late) return Fail(name() + ": not ready after its restart");
        return std::nullopt;
      }
      done_ = phase_;
      break;
  }
  phase_ = Phase::kSettle;
  since_ = now;
  return NextStep(view, now);
}

}  // namespace holdfast::backend
