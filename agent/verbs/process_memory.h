// ProcessMemory: what of a process's memory is wanted, and where in it there is anything.
//
//   ParseMapsLine() of each line of /proc/PID/maps -> IsWanted() -> RunsOf(what pagemap says) -> MemoryRun*
//
// A run is what is sent: `bytes` from the process, then `zeros` that nobody ever touched and that are not sent.
//
// Limits:    kMaxMemoryRegions of a process (vm.max_map_count is 65,530 unless somebody raised it).
// Threading: pure functions.
// Errors:    a line that is none is left out.
// Design:    docs/decisions/0125-memory-of-a-process.md
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "holdfast/command/v1/command.pb.h"

namespace holdfast::agent {

inline constexpr std::uint64_t kMemoryPageBytes =
    4096;  // what is counted in; a multiple of it is a page, too
inline constexpr std::size_t kMaxMemoryRegions = 65'500;  // a core file counts its parts in 16 bits

struct MemoryRegion {
  std::uint64_t from = 0;
  std::uint64_t to = 0;  // behind the last byte
  std::uint64_t offset = 0;
  std::uint64_t inode = 0;  // 0: no file
  std::string permissions;  // "rw-p"
  std::string path;         // of a file, or "[heap]"
};
std::optional<MemoryRegion> ParseMapsLine(std::string_view line);

// Why the arguments choose nothing that there could be; empty: they are good.
std::string MemoryChoiceComplaint(const command::v1::MemdumpArgs& args);
bool IsWanted(const MemoryRegion& region, const command::v1::MemdumpArgs& args);

struct MemoryRun {
  std::uint64_t from = 0;
  std::uint64_t bytes = 0;
  std::uint64_t zeros = 0;
  std::string_view permissions;  // of its region
};

// Adds the runs of what one region has, told page after page; up to `gap_pages` untouched ones are sent as zeros
// rather than begin another run.
class RunBuilder {
 public:
  RunBuilder(const MemoryRegion& region, std::uint64_t page_bytes, std::uint64_t gap_pages,
             std::vector<MemoryRun>& runs);
  void Page(bool is_there);
  void Finish();  // the rest was never touched

 private:
  const MemoryRegion& region_;
  std::uint64_t page_bytes_;
  std::uint64_t gap_bytes_;
  std::vector<MemoryRun>& runs_;
  std::uint64_t at_;
};

// A program's own header (ELF), as far as a core file repeats it.
struct ElfKind {
  bool is_64 = true;
  bool is_big_endian = false;
  std::uint16_t machine = 0;
  bool operator==(const ElfKind&) const = default;
};
std::optional<ElfKind> ParseElfKind(std::string_view head);

struct CoreNote {
  std::uint32_t type = 0;  // NT_*
  std::string bytes;
};
// The note that says which files are mapped where (NT_FILE).
CoreNote FilesNote(std::span<const MemoryRegion> regions, const ElfKind& kind,
                   std::uint64_t page_bytes);
// Everything of a core file that comes before the memory itself; ends at a page.
std::string CoreHead(const ElfKind& kind, std::span<const CoreNote> notes,
                     std::span<const MemoryRun> runs);

}  // namespace holdfast::agent
