#include "agent/verbs/footprint.h"

#include <algorithm>

#include <sys/resource.h>

#include "agent/verbs/own_io.h"

namespace holdfast::agent {
namespace {

std::uint64_t Millis(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1000 +
         static_cast<std::uint64_t>(time.tv_usec) / 1000;
}

}  // namespace

void AddUsage(command::v1::Footprint& footprint) {
  constexpr std::uint64_t kKib = 1024;
  std::uint64_t cpu_ms = 0;
  std::uint64_t peak_kib = 0;
  for (const auto who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage used{};
    if (::getrusage(who, &used) != 0) continue;
    cpu_ms += Millis(used.ru_utime) + Millis(used.ru_stime);
    peak_kib = std::max(peak_kib, static_cast<std::uint64_t>(used.ru_maxrss));
  }
  const OwnIo io = ReadOwnIo(OpenOwnIo());
  footprint.set_cpu_ms(cpu_ms);
  footprint.set_peak_memory_bytes(peak_kib * kKib);
  footprint.set_disk_read_bytes(io.disk_read_bytes);
  footprint.set_disk_written_bytes(io.disk_written_bytes);
}

}  // namespace holdfast::agent
