// Pace: a long look at a machine is not felt by it. Beyond a first burst the process gets no more than its share of
// one core, reads from disks no faster than it may, and comes after everybody who wants the core or the disk.
//
// The kernel counts: a timer of the process's own CPU time interrupts it, and it sleeps off what it owes. So no verb
// has to think of it, and one that waits for something costs no wake-up.
//
// Limits:    a share of 100 percent or more, and a rate of 0, bound nothing.
// Threading: one thread; one per process, for its whole life.
// Errors:    false: the kernel gives no timer. Nothing may run unpaced that asked for a pace.
// Design:    docs/decisions/0105-pace.md
#pragma once

#include <cstdint>

#include "agent/core/limits.h"

namespace holdfast::agent {

struct PacePlan {
  std::uint32_t cpu_percent = 100;              // of one core
  std::uint64_t disk_bytes_per_s = 0;           // read from disks; what the page cache has is free
  std::uint64_t burst_ms = kPaceBurst.count();  // of CPU, before the share counts
};

bool BeginPace(const PacePlan& plan);

// What is owed, as a bucket that fills at the share and never holds more than the burst.
class PaceBucket {
 public:
  // `per_second`: what one second of wall time gives, in the unit that is spent.
  constexpr PaceBucket(double per_second, double burst)
      : per_second_(per_second), burst_(burst), level_(burst) {}
  // Seconds to sleep until nothing is owed, after `spent` within the last `elapsed_s`.
  constexpr double Spend(double spent, double elapsed_s) {
    level_ += per_second_ * elapsed_s - spent;
    if (level_ > burst_) level_ = burst_;
    return level_ < 0 ? -level_ / per_second_ : 0;
  }

 private:
  double per_second_;
  double burst_;
  double level_;
};

}  // namespace holdfast::agent
