#include "common/link/liveness.h"

#include <algorithm>

namespace holdfast::link {
namespace {

constexpr std::int64_t kIdleJitterPercent = 10;  // docs/protocol.md section 3
constexpr std::int64_t kBusyJitterPercent = 20;

}  // namespace

Liveness::Liveness(Options options, std::uint32_t seed, TimePoint now)
    : options_(options), random_(seed), heard_or_spoke_at_(now) {
  PlanBeat(now);
}

void Liveness::OnHeard(TimePoint now) {
  heard_or_spoke_at_ = now;
  answer_by_.reset();
}

void Liveness::OnSpoke(TimePoint now) {
  heard_or_spoke_at_ = now;
  if (beat_leaves_ && !answer_by_) answer_by_ = now + answer_;
  beat_leaves_ = false;
  PlanBeat(now);
}

void Liveness::OnDraining(TimePoint now) {
  if (answer_by_) answer_by_ = now + answer_;
}

void Liveness::OnWake(TimePoint now) {
  if (dead_) return;
  owe_beat_ = true;
  answer_ = options_.wake_answer;
  answer_by_.reset();
  PlanBeat(now);
}

void Liveness::SetBusy(bool busy, TimePoint now) {
  if (busy == busy_) return;
  busy_ = busy;
  if (!busy) return;  // the beat that is planned says so
  owes_idle_ = true;
  PlanBeat(now);
}

void Liveness::OnTick(TimePoint now) {
  if (dead_) return;
  if (answer_by_ && now >= *answer_by_) {
    dead_ = true;
    return;
  }
  if (now < beat_at_) return;
  owe_beat_ = true;
  answer_ = options_.answer;
  PlanBeat(now);
}

bool Liveness::TakeBeat() {
  const bool due = owe_beat_ && !dead_;
  owe_beat_ = false;
  if (due) {
    beat_leaves_ = true;
    owes_idle_ = busy_;
  }
  return due;
}

std::optional<TimePoint> Liveness::NextDeadline() const {
  if (dead_) return std::nullopt;
  return answer_by_ ? std::min(*answer_by_, beat_at_) : beat_at_;
}

void Liveness::PlanBeat(TimePoint now) {
  const bool is_short = busy_ || owes_idle_;
  const Duration interval = is_short ? options_.busy : options_.idle;
  const std::int64_t percent = is_short ? kBusyJitterPercent : kIdleJitterPercent;
  const std::int64_t spread = interval.count() * percent / 100;
  // The bias of % is of no interest here.
  const auto roll = static_cast<std::int64_t>(random_()) % (2 * spread + 1);
  beat_at_ = now + interval + Duration(roll - spread);
}

}  // namespace holdfast::link
