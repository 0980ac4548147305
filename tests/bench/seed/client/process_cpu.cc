#include "tests/bench/seed/client/process_cpu.h"

#include <ctime>

namespace holdfast::bench {

std::int64_t CpuNanoseconds(const std::vector<pid_t>& pids) {
  std::int64_t sum = 0;
  for (const pid_t pid : pids) {
    clockid_t clock = CLOCK_PROCESS_CPUTIME_ID;
    timespec used{};
    if (pid != 0 && ::clock_getcpuclockid(pid, &clock) != 0) continue;
    if (::clock_gettime(clock, &used) != 0) continue;
    sum += std::int64_t{used.tv_sec} * 1'000'000'000 + used.tv_nsec;
  }
  return sum;
}

}  // namespace holdfast::bench
