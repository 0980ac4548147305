// Histogram: counts of whole numbers (milliseconds, seconds) in buckets of 3 % width, from 0 to 2^32.
//
// Fixed size and without pointers, so that a process can keep it in memory that others read.
//
// Limits:    above 2^32 counts as that. What comes out is the lower end of a bucket: at most 3 % too low.
// Threading: one writer, any number of readers; a reader may miss what is being added.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace holdfast::fleet {

class Histogram {
 public:
  void Add(std::uint64_t value) { Of(IndexOf(value)).fetch_add(1, std::memory_order_relaxed); }

  void AddAll(const Histogram& other) {
    for (std::size_t i = 0; i < kBuckets; ++i) {
      const std::uint64_t more = other.counts_[i].load(std::memory_order_relaxed);
      if (more != 0) counts_[i].fetch_add(more, std::memory_order_relaxed);
    }
  }

  std::uint64_t count() const {
    std::uint64_t sum = 0;
    for (const auto& bucket : counts_) sum += bucket.load(std::memory_order_relaxed);
    return sum;
  }

  // The value below which this share of all lies; 0 if there is none.
  std::uint64_t AtPermille(unsigned permille) const {
    const std::uint64_t all = count();
    if (all == 0) return 0;
    std::uint64_t left = std::min(all - 1, all * permille / 1000);
    for (std::size_t i = 0; i < kBuckets; ++i) {
      const std::uint64_t here = counts_[i].load(std::memory_order_relaxed);
      if (left < here) return LeastOf(i);
      left -= here;
    }
    return 0;
  }
  std::uint64_t most() const { return AtPermille(1000); }

 private:
  static constexpr unsigned kSubBits = 5;  // 32 buckets for each doubling
  static constexpr std::uint64_t kSub = std::uint64_t{1} << kSubBits;
  static constexpr std::uint64_t kMost = 0xffffffff;
  static constexpr std::size_t kBuckets = (32 - kSubBits + 1) * kSub;

  static std::size_t IndexOf(std::uint64_t value) {
    value = std::min(value, kMost);
    if (value < kSub) return static_cast<std::size_t>(value);
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - kSubBits - 1;
    return static_cast<std::size_t>((shift + 1) * kSub + (value >> shift) - kSub);
  }
  static std::uint64_t LeastOf(std::size_t index) {
    const std::uint64_t octave = index / kSub;
    if (octave == 0) return index;
    return (index % kSub + kSub) << (octave - 1);
  }
  std::atomic<std::uint64_t>& Of(std::size_t index) { return counts_[index]; }

  std::array<std::atomic<std::uint64_t>, kBuckets> counts_{};
};

}  // namespace holdfast::fleet
