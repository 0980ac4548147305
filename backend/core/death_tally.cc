#include "backend/core/death_tally.h"

#include <algorithm>
#include <utility>

namespace holdfast::backend {

std::size_t DeathTally::OnDeath(const std::string& at_hand) {
  Suspect suspect{at_hand, 0};
  const auto known = std::ranges::find(suspects_, at_hand, &Suspect::at_hand);
  if (known != suspects_.end()) {
    suspect = std::move(*known);
    suspects_.erase(known);
  }
  ++suspect.deaths;
  suspects_.push_back(suspect);
  if (suspects_.size() > kMaxSuspects) suspects_.pop_front();
  return suspect.deaths;
}

}  // namespace holdfast::backend
