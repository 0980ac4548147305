// CountersPage: a child's CounterBlock in memory that it shares with the supervisor.
//
// The supervisor makes it (a memfd), the child maps it from kCountersFd. The page outlives neither
// side's mapping, so the supervisor can still read what a dead child counted.
//
// Ownership: owns its mapping; the supervisor's also the descriptor.
// Errors:    kInternal: the system refused the memory.
#pragma once

#include "backend/adapters/linux/unique_fd.h"
#include "backend/core/counters.h"
#include "common/base/result.h"

namespace holdfast::backend {

class CountersPage {
 public:
  static Result<CountersPage> Make();
  static Result<CountersPage> Map(UniqueFd fd);
  CountersPage(CountersPage&& other) noexcept;
  CountersPage& operator=(CountersPage&& other) noexcept;
  ~CountersPage();

  CounterBlock& block() { return *block_; }
  const CounterBlock& block() const { return *block_; }
  int fd() const { return fd_.get(); }

 private:
  CountersPage(UniqueFd fd, CounterBlock* block) : fd_(std::move(fd)), block_(block) {}

  UniqueFd fd_;
  CounterBlock* block_;
};

}  // namespace holdfast::backend
