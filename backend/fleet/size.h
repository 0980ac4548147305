// SizeMachine: measures what a backend on this machine needs for an agent, and says how many it will hold.
//
// Makes a throwaway fleet in a directory of its own, starts holdfastd on free ports of 127.0.0.1, lets simulated
// agents connect and be idle for a heartbeat, and reads memory and CPU time from /proc.
//
// Limits:    kMostSampled agents, about 90 s.
// Threading: one thread, before any other is made: it forks.
// Errors:    what the programs beside this one say; nothing is left behind.
#pragma once

#include <cstdint>

#include "backend/fleet/sizing.h"
#include "common/base/result.h"

namespace holdfast::fleet {

inline constexpr std::uint32_t kMostSampled = 5000;

struct SizeOptions {
  std::uint32_t agents = 0;  // that are to be planned for
  std::uint32_t sample = 0;  // that are really run; 0: as many as planned for, kMostSampled at most
  std::uint32_t seconds = 75;  // idle: a beat of each comes after 73 s at the latest
  bool plain = false;          // without TLS
};

Result<Measured> MeasureMachine(const SizeOptions& options);

}  // namespace holdfast::fleet
