// DeathTally: counts how many processes died over the same thing (CounterBlock::at_hand).
//
// Limits:    kMaxSuspects things are remembered; the one that was heard of least recently is forgotten.
// Threading: thread-compatible.
// Design:    docs/decisions/0046-who-died-over-what.md
#pragma once

#include <cstddef>
#include <deque>
#include <string>

namespace holdfast::backend {

class DeathTally {
 public:
  // At this many it is set aside, and again at each one above: what was said of it may have got lost.
  static constexpr std::size_t kDeaths = 3;
  static constexpr std::size_t kMaxSuspects = 64;

  // How many deaths that makes.
  std::size_t OnDeath(const std::string& at_hand);

 private:
  struct Suspect {
    std::string at_hand;
    std::size_t deaths = 0;
  };
  std::deque<Suspect> suspects_;  // the last one heard of is the last
};

}  // namespace holdfast::backend
