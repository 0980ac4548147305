#include "common/link/backoff.h"

#include <algorithm>

namespace holdfast::link {
namespace {

constexpr std::uint32_t kMaxDoublings = 20;  // base x 2^20 is above any cap, and far from overflow

}  // namespace

Duration Backoff::OnClosed(TimePoint now, Duration at_least) {
  if (is_open_ && now - opened_at_ >= options_.stable) failures_ = 0;
  is_open_ = false;
  const Duration most = std::min(options_.cap, options_.base * (std::int64_t{1} << failures_));
  failures_ = std::min(failures_ + 1, kMaxDoublings);
  return std::max(at_least, Duration::zero()) + Within(most);
}

Duration Backoff::Within(Duration window) {
  if (window <= Duration::zero()) return Duration::zero();
  // minstd_rand yields 31 bits: windows are below 24 days. The bias of % is of no interest here.
  return Duration(static_cast<std::int64_t>(random_()) % (window.count() + 1));
}

}  // namespace holdfast::link
