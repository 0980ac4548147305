#include "backend/core/rebalance.h"

#include <algorithm>
#include <numeric>

namespace holdfast::backend {
namespace {

constexpr std::uint64_t kPermille = 1000;

std::uint64_t Sum(std::span<const std::uint64_t> links) {
  return std::accumulate(links.begin(), links.end(), std::uint64_t{0});
}

std::uint64_t DivideUp(std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; }

// What those have above the mean who have more than the tolerance.
std::vector<RebalanceRound::Shed> Excesses(const RebalanceOptions& options,
                                           std::span<const std::uint64_t> links,
                                           std::uint64_t total) {
  std::vector<RebalanceRound::Shed> sheds;
  const std::uint64_t mean = DivideUp(total, links.size());
  for (std::size_t i = 0; i < links.size(); ++i) {
    const bool is_above =
        links[i] * links.size() * kPermille > total * (kPermille + options.tolerance_permille);
    if (is_above && links[i] >= mean + options.least_excess) sheds.push_back({i, links[i] - mean});
  }
  return sheds;
}

std::uint64_t Sum(const std::vector<RebalanceRound::Shed>& sheds) {
  std::uint64_t sum = 0;
  for (const auto& shed : sheds) sum += shed.links;
  return sum;
}

}  // namespace

std::uint64_t BalancePermille(std::span<const std::uint64_t> links) {
  const std::uint64_t total = Sum(links);
  if (total == 0) return kPermille;
  return *std::max_element(links.begin(), links.end()) * links.size() * kPermille / total;
}

std::uint32_t RebalanceRate(std::uint32_t links_per_second) {
  return std::max(links_per_second / 2, std::uint32_t{1});
}

bool Rebalance::IsCalm(std::uint64_t total, TimePoint now) {
  const std::uint64_t moved = total > steady_total_ ? total - steady_total_ : steady_total_ - total;
  const std::uint64_t allowed =
      std::max(total * options_.tolerance_permille / kPermille, options_.least_excess);
  if (!steady_since_ || moved > allowed) {
    steady_total_ = total;
    steady_since_ = now;
  }
  return now - *steady_since_ >= calm_;
}

// Agents that do not follow a Goaway, or come back to where they were: asking on would only disturb.
void Rebalance::Judge(std::uint64_t excess) {
  if (!hoped_excess_) return;
  calm_ = excess > *hoped_excess_ ? std::min(calm_ * 2, options_.most_calm) : options_.calm;
  hoped_excess_.reset();
}

std::optional<RebalanceRound> Rebalance::NextRound(const RebalanceView& view, TimePoint now) {
  if (!view.settled || view.links.empty()) {
    steady_since_.reset();
    hoped_excess_.reset();
    calm_ = options_.calm;
    return std::nullopt;
  }
  if (round_ends_ && now < *round_ends_) {
    steady_since_.reset();
    return std::nullopt;
  }
  const std::uint64_t total = Sum(view.links);
  if (!IsCalm(total, now)) return std::nullopt;
  RebalanceRound round{Excesses(options_, view.links, total), {}};
  const std::uint64_t excess = Sum(round.sheds);
  Judge(excess);
  if (excess == 0 || !IsCalm(total, now)) return std::nullopt;

  const std::uint64_t rate = RebalanceRate(view.links_per_second);
  const auto most_seconds = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(options_.max_window).count());
  const std::uint64_t most = most_seconds * rate;
  if (excess > most) {
    for (auto& shed : round.sheds) shed.links = shed.links * most / excess;
    std::erase_if(round.sheds, [](const auto& shed) { return shed.links == 0; });
  }
  const std::uint64_t planned = Sum(round.sheds);
  round.window = std::chrono::seconds(DivideUp(planned, rate));
  round_ends_ = now + round.window;
  steady_since_.reset();
  hoped_excess_ = excess - planned / 2;
  return round;
}

}  // namespace holdfast::backend
