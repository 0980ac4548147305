// TreeLimits: what all processes of one command may take together, and whether they do.
//
// The kernel bounds one process by itself (rlimits), many only in a control group, which not every machine has
// (command_groups.h). So the keeper looks, four times a second while programs run, and ends what is above: a look at a
// hundred processes takes 2 ms.
//
// Threading: functions over /proc, without state.
// Design:    docs/decisions/0137-limits-of-programs.md
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <sys/types.h>

namespace holdfast::agent {

struct TreeLimits {
  std::uint64_t mem_bytes = 0;  // private memory, of all together
  std::uint32_t processes = 0;  // at once, of programs
};

// As the keeper's argument.
std::string TreeLimitsText(const TreeLimits& limits);
std::optional<TreeLimits> ParseTreeLimits(const char* text);

enum class TreeExcess : std::uint8_t { kNone, kMemory, kProcesses };
// Of everything below `root`, without it. `worker`, who started the programs, is none of them; its memory counts.
TreeExcess ExcessBelow(pid_t root, pid_t worker, const TreeLimits& limits);

// How the keeper exits then; workers exit with neither.
inline constexpr int kOverMemoryStatus = 201;
inline constexpr int kOverProcessesStatus = 202;

}  // namespace holdfast::agent
