// WorkerLimits: what one command may use, as signed or, where its signer named nothing, by default.
//
// Wall time and the spool are warden's to enforce, processes and the memory of all of them the keeper's and the kernel's; the
// worker sets the others on itself and on what it runs. The defaults are agent/core/limits.h.
#pragma once

#include <cstdint>

#include "holdfast/command/v1/command.pb.h"

namespace holdfast::agent {

struct WorkerLimits {
  std::uint64_t wall_ms = 0;
  std::uint64_t cpu_ms = 0;
  std::uint64_t out_bytes = 0;
  std::uint64_t mem_bytes = 0;
  std::uint64_t rows = 0;
  std::uint32_t processes = 0;         // at once, of what starts programs
  std::uint32_t cpu_percent = 100;     // of one core
  std::uint64_t disk_bytes_per_s = 0;  // 0: as fast as it goes
};

WorkerLimits EffectiveLimits(const command::v1::Command& command);

}  // namespace holdfast::agent
