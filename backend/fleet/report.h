// Report: what all processes of holdfast-fleet counted, summed, as text or as one JSON object.
//
// Threading: thread-compatible.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "backend/fleet/figures.h"

namespace holdfast::fleet {

class Report {
 public:
  Report() : sum_(std::make_unique<FigurePage>()) {}

  // Once for each process.
  void AddPage(const FigurePage& page);
  void set_run(std::uint64_t agents, std::uint64_t online_max, std::uint64_t all_online_ms,
               std::uint64_t run_ms) {
    agents_ = agents;
    online_max_ = online_max;
    all_online_ms_ = all_online_ms;
    run_ms_ = run_ms;
  }

  std::uint64_t Get(Figure figure) const { return sum_->Get(figure); }
  std::string AsJson() const;
  std::string AsText() const;

 private:
  std::unique_ptr<FigurePage> sum_;
  std::uint64_t processes_ = 0;
  std::uint64_t agents_ = 0;
  std::uint64_t online_max_ = 0;
  std::uint64_t all_online_ms_ =
      0;  // from the start until every agent was online at once; 0 = never
  std::uint64_t run_ms_ = 0;
};

}  // namespace holdfast::fleet
