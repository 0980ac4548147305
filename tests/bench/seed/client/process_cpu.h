// ProcessCpu: processor time that processes have used, all their threads, in user and kernel mode.
//
// What utime + stime of /proc/PID/stat say, but in nanoseconds: the first rounds take less than a tick.
#pragma once

#include <cstdint>
#include <vector>

#include <sys/types.h>

namespace holdfast::bench {

// The sum; of a process that is gone nothing. pid 0: this process.
std::int64_t CpuNanoseconds(const std::vector<pid_t>& pids);

}  // namespace holdfast::bench
