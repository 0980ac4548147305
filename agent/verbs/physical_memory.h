// PhysicalMemory: where the machine's memory lies in /proc/kcore, and how it is written down (LiME, version 1).
//
//   ParseSystemRam(/proc/iomem), ParseKcoreHead(first bytes of /proc/kcore) -> PlanMemory -> pieces, each behind a LimeHeader
//
// Limits:    kMaxMemoryPieces; the head of /proc/kcore kMaxKcoreHeadBytes.
// Threading: pure functions.
// Errors:    what is no such file has no parts.
// Design:    docs/decisions/0126-memory-of-a-machine.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::agent {

inline constexpr std::size_t kMaxKcoreHeadBytes = std::size_t{256} * 1024;
inline constexpr std::size_t kMaxMemoryPieces = 4096;

struct MemoryRange {
  std::uint64_t from = 0;
  std::uint64_t to = 0;  // behind the last byte
  bool operator==(const MemoryRange&) const = default;
};
// The lines "System RAM" that stand at the margin. Without CAP_SYS_ADMIN the kernel writes zeros: none.
std::vector<MemoryRange> ParseSystemRam(std::string_view iomem);

struct KcorePart {
  MemoryRange physical;
  std::uint64_t offset = 0;  // in /proc/kcore
};
// Parts of which it says what physical memory they are; a kernel before 4.19 does not.
std::vector<KcorePart> ParseKcoreHead(std::string_view head);

struct MemoryPlan {
  std::vector<KcorePart> pieces;  // ascending
  std::uint64_t bytes = 0;
  std::uint64_t missing_bytes = 0;  // RAM that no part shows
};
MemoryPlan PlanMemory(const std::vector<MemoryRange>& ram, const std::vector<KcorePart>& parts);

std::string LimeHeader(const MemoryRange& range);

}  // namespace holdfast::agent
