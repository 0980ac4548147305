#include "backend/core/placement.h"

#include <algorithm>

namespace holdfast::backend {

std::uint64_t MaxSockets(std::uint64_t configured, std::uint64_t descriptors) {
  // One is left where the limit is absurdly low: a gateway that takes nothing helps nobody.
  const std::uint64_t possible =
      descriptors > kSpareDescriptors ? descriptors - kSpareDescriptors : 1;
  return configured == 0 ? possible : std::min(configured, possible);
}

std::optional<std::size_t> Placement::Pick(std::span<const GatewayLoad> gateways) {
  std::optional<std::size_t> best;
  for (std::size_t i = 1; i <= gateways.size(); ++i) {
    // Begins behind the one that was picked last, so that equals take turns.
    const std::size_t at = (last_ + i) % gateways.size();
    const GatewayLoad& gateway = gateways[at];
    if (!gateway.takes_sockets) continue;
    if (gateway.sockets >= max_sockets_) continue;
    if (!best || gateway.sockets < gateways[*best].sockets) best = at;
  }
  if (best) last_ = *best;
  return best;
}

void TokenBucket::SetRate(std::uint32_t rate, std::uint32_t burst) {
  rate_ = rate;
  burst_ = burst;
}

bool TokenBucket::Has(TimePoint now) {
  const std::uint64_t full = std::uint64_t{burst_} * 1000;
  if (!filled_at_) {
    milli_tokens_ = full;
  } else {
    // A rate per second is as many thousandths of a token per millisecond.
    const auto elapsed_ms =
        static_cast<std::uint64_t>(std::max<std::int64_t>((now - *filled_at_).count(), 0));
    // More than fills the bucket is not computed, so nothing overflows.
    const std::uint64_t fill_ms = full / rate_ + 1;
    milli_tokens_ = std::min(full, milli_tokens_ + std::min(elapsed_ms, fill_ms) * rate_);
  }
  filled_at_ = now;
  return milli_tokens_ >= 1000;
}

bool TokenBucket::Take(TimePoint now) {
  if (!Has(now)) return false;
  milli_tokens_ -= 1000;
  return true;
}

Duration RestartBackoff::OnEnded(TimePoint now) {
  constexpr Duration kFirst = std::chrono::milliseconds(100);
  constexpr Duration kMost = std::chrono::seconds(5);
  constexpr Duration kStable = std::chrono::seconds(10);
  if (now - started_at_ >= kStable) next_ = kFirst;
  const Duration wait = next_;
  next_ = std::min(next_ * 2, kMost);
  return wait;
}

}  // namespace holdfast::backend
