// Rollouts: holds the next ring of an update back until the one before has gone well, and ends it if that has not.
//
// The rings are commands that an operator signed all at once; each names those of the ring before it (UpdateArgs.after). What is
// signed says by itself when it may go: control can withhold it, and can neither widen nor hasten it. Nothing is kept but
// the ledger: after a restart the same judgement is made again.
//
//   of a ring before:  bad     ended other than DONE, or handed over and without an answer for `silent_ms`
//                      open    handed over, and has time left;  waiting: not handed over (its agent is away)
//   bad * 100 > targets            halted: the ring, all after it, and what waits of the one before ends HALTED
//   else one DONE, and none open   released
//
// Ordering:  judged anew each sweep until it has ended: a ring that turns bad holds back what was released and not yet sent.
// Ownership: borrows ledger and store for its life.
// Threading: thread-compatible; loop thread only.
// Errors:    none: what cannot be read is held back.
// Design:    docs/decisions/0116-rings.md
#pragma once

#include <vector>

#include "backend/core/control_ledger.h"
#include "backend/core/control_moment.h"
#include "backend/core/store.h"

namespace holdfast::backend {

class Rollouts {
 public:
  // A ring goes on with one bad agent in a hundred, and not with two.
  static constexpr std::uint64_t kMaxBadPercent = 1;

  Rollouts(Ledger& ledger, Store& store) : ledger_(ledger), store_(store) {}
  // The commands that were ended.
  std::vector<Digest> Judge(Moment now);

 private:
  enum class Verdict : std::uint8_t { kWait, kGo, kHalt };
  Verdict JudgeOne(const RingTerms& terms, Moment now) const;
  void HaltWaiting(const Digest& digest, Moment now);

  Ledger& ledger_;
  Store& store_;
};

}  // namespace holdfast::backend
