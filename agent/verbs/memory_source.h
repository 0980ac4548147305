// MemorySource: one process, held by its directory in /proc, and what is in its memory.
//
//   Open(pid, start_ticks) -> ReadRegions() -> PlanRuns(...), reading memory_fd()
//
// The directory is opened once: it never becomes that of another process with the same number.
//
// Limits:    kMaxMemoryRegions.
// Ownership: owns its descriptors.
// Threading: one thread.
// Errors:    NO_SUCH_PROCESS, PERMISSION (also for the agent's own processes, which hold its key), UNSUPPORTED for one
//            without memory of its own (the kernel's).
// Design:    docs/decisions/0125-memory-of-a-process.md
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/adapters/procfs/open_file.h"
#include "agent/tables/proc_files.h"
#include "agent/verbs/process_memory.h"
#include "holdfast/command/v1/result.pb.h"

namespace holdfast::agent {

class MemorySource {
 public:
  MemorySource();
  command::v1::Result Open(std::int64_t pid, std::uint64_t start_ticks);
  bool IsStillThere() const;
  command::v1::Result ReadRegions();
  const std::vector<MemoryRegion>& regions() const { return regions_; }
  // Of the regions `wanted`; coarser where there would be more than kMaxMemoryRegions.
  void PlanRuns(const std::vector<MemoryRegion>& wanted, std::vector<MemoryRun>& runs) const;
  std::string Read(const char* file) const;  // of /proc/PID
  std::string Program() const;               // its path, as the kernel has it; empty: not known
  ElfKind Kind() const;                      // of its program, or of this one
  const ProcStat& stat() const { return stat_; }
  int memory_fd() const { return memory_.get(); }
  std::uint64_t page_bytes() const { return page_bytes_; }

 private:
  void PlanRegion(const MemoryRegion& region, std::uint64_t gap_pages,
                  std::vector<MemoryRun>& runs) const;
  command::v1::Result NoMemory() const;
  std::string Who() const;

  std::uint64_t page_bytes_;
  std::int64_t pid_ = 0;
  ProcStat stat_;
  UniqueFd directory_;
  UniqueFd memory_;
  UniqueFd page_map_;
  std::vector<MemoryRegion> regions_;
};

}  // namespace holdfast::agent
