// Rebalance: when some gateways hold more than their share of the links, who asks how many to leave.
//
// Placement evens out what arrives; what has arrived stays where it is. A gateway that died, a roll, a change of
// their number leave some with more than others, for as long as the links stand. Who is above the mean by more
// than the tolerance asks its excess to go (Goaway); they dial again, and placement gives them to the emptiest.
// Only decides: who asks carries it out.
//
//   View --NextRound()--> Round (nearly always none)
//
// Ordering:  nothing while others move links, or while their number changes: those who arrive are placed where
//            they lack anyway. One round at a time; after it the same stillness before the next.
// Limits:    a round's links leave at half of what admission takes, so that others find room, and within
//            max_window: what was asked cannot be taken back, however the fleet looks by then.
//            Excesses below least_excess stay. A round that did not help doubles the wait for the next, up to
//            most_calm, until something else happens to the gateways.
// Threading: thread-compatible.
// Design:    docs/decisions/0070-rebalancing.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/base/time.h"

namespace holdfast::backend {

struct RebalanceOptions {
  std::uint64_t tolerance_permille = 10;  // above the mean; scale.md rule 13
  // A handful of links is no load worth a reconnect, and in a small fleet it is more than the tolerance.
  std::uint64_t least_excess = 16;
  // The number of links must have been steady for so long: agents of a gateway that died redial within a
  // second or two, and fill the new one by themselves.
  Duration calm = std::chrono::seconds(5);
  Duration most_calm = std::chrono::minutes(10);
  Duration max_window = std::chrono::seconds(30);
};

struct RebalanceView {
  bool settled = false;                  // every process serves, and no order is under way
  std::uint32_t links_per_second = 1;    // that admission takes
  std::span<const std::uint64_t> links;  // of each gateway
};

struct RebalanceRound {
  struct Shed {
    std::size_t gateway;
    std::uint64_t links;
  };
  std::vector<Shed> sheds;
  Duration window{};  // whole seconds
};

class Rebalance {
 public:
  explicit Rebalance(RebalanceOptions options = {}) : options_(options), calm_(options.calm) {}

  // To be asked every second or so. What it gives is to be done now.
  std::optional<RebalanceRound> NextRound(const RebalanceView& view, TimePoint now);

 private:
  bool IsCalm(std::uint64_t total, TimePoint now);
  void Judge(std::uint64_t excess);

  const RebalanceOptions options_;
  Duration calm_;
  std::uint64_t steady_total_ = 0;
  std::optional<TimePoint> steady_since_;
  std::optional<TimePoint> round_ends_;
  std::optional<std::uint64_t> hoped_excess_;  // after the last round, if half of it helped
};

// The fullest gateway's links over the mean, in thousandths: 1000 is even. 1000 as well without any links.
std::uint64_t BalancePermille(std::span<const std::uint64_t> links);
// Links a second that a rebalancing may set in motion.
std::uint32_t RebalanceRate(std::uint32_t links_per_second);

}  // namespace holdfast::backend
