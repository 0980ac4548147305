// MetricsText: counters of several processes as Prometheus' text format 0.0.4.
//
//   Add(labels, block)* --> Text()
//
// Threading: a value.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "backend/core/counters.h"

namespace holdfast::backend {

class MetricsText {
 public:
  // `proc`: "g0", "c0"; our own words, so they need no escaping.
  void Add(std::string proc, const CounterBlock& block);
  // A value of the supervisor's own. Names that end in _total are counters, all others gauges.
  void AddOne(std::string name, std::string help, std::string labels, std::uint64_t value);
  // The same, as a fraction with three digits.
  void AddPermille(std::string name, std::string help, std::string labels, std::uint64_t permille);
  std::string Text() const;

 private:
  struct One {
    std::string name;
    std::string help;
    std::string labels;  // "{proc=\"g0\"}" or empty
    std::string value;
  };
  std::vector<std::pair<std::string, const CounterBlock*>> blocks_;
  std::vector<One> ones_;
};

}  // namespace holdfast::backend
