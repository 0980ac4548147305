// What a journal stores of a row and of itself, as bytes: sealed by a MAC, and summed over all
// rows.
//
// Each row carries a MAC over all its columns. The MACs of all rows, added up lane by lane, and
// their number stand in the meta row, which is sealed itself: a row that was changed, removed,
// doubled or put back from an older copy is noticed, not only flipped bits.
//
// Threading: values and pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "agent/core/journal.h"
#include "agent/core/mac.h"

namespace holdfast::agent {

// Sum of the MACs of a set of rows; the order does not matter.
class RowSum {
 public:
  RowSum() = default;
  RowSum(std::uint64_t count, std::uint64_t low, std::uint64_t high)
      : count_(count), low_(low), high_(high) {}
  void Add(const Mac16& mac);
  void Subtract(const Mac16& mac);
  std::uint64_t count() const { return count_; }
  std::uint64_t low() const { return low_; }
  std::uint64_t high() const { return high_; }
  friend bool operator==(const RowSum&, const RowSum&) = default;

 private:
  std::uint64_t count_ = 0;
  std::uint64_t low_ = 0;
  std::uint64_t high_ = 0;
};

// The exact bytes that a MAC covers.
std::string SealedBytes(const JournalCommand& row);
std::string SealedBytes(const JournalMeta& meta, const RowSum& rows);

}  // namespace holdfast::agent
