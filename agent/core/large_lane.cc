#include "agent/core/large_lane.h"

#include <algorithm>

#include "common/link/limits.h"

namespace holdfast::agent {
namespace {

constexpr std::uint64_t kShare = 4;  // of the path's rate: one in so many
// And so much at least: what the path carries is not learnt at less, and where it carries no more than that the window
// alone keeps the queue short.
constexpr std::uint64_t kLeastRate = 8'000'000;
// What was not sent is not made up for later: that would be the queue again.
constexpr std::int64_t kMostCredit = link::kMaxChunkBytes;

}  // namespace

void LargeLane::OnSmallAnswer(TimePoint now) { until_ = now + kGivesWay; }

void LargeLane::OnTurn(std::optional<std::uint64_t> path_rate, TimePoint now) {
  if (until_ && now >= *until_) until_.reset();
  if (!until_ || !path_rate) {
    rate_ = credit_ = 0;
    return;
  }
  const bool is_new = !gives_way();
  rate_ = static_cast<std::int64_t>(std::max(*path_rate / kShare, kLeastRate));
  const auto earned = is_new ? 0 : rate_ * (now - counted_at_).count() / 1000;
  credit_ = std::min(credit_ + earned, kMostCredit);
  counted_at_ = now;
}

void LargeLane::OnSent(std::uint64_t bytes) {
  if (gives_way()) credit_ -= static_cast<std::int64_t>(bytes);
}

std::optional<TimePoint> LargeLane::NextDeadline() const {
  if (HasRoom()) return std::nullopt;
  return counted_at_ + Duration(-credit_ * 1000 / rate_ + 1);
}

}  // namespace holdfast::agent
