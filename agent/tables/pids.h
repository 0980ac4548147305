// Which processes a table visits: all of /proc, or the one that a constraint names.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/tables/table.h"

namespace holdfast::agent {

inline constexpr std::size_t kMaxProcFileBytes = 1 << 20;  // cmdline may be long; nothing else is

// Ascending. With `pid_column` constrained: that pid, whether it runs or not.
std::vector<std::int64_t> WantedPids(const Request& request, std::size_t pid_column,
                                     Machine& machine);

std::string ProcPath(std::int64_t pid, std::string_view file);  // "/proc/1/stat"

}  // namespace holdfast::agent
