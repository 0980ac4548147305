#include "agent/verbs/physical_memory.h"

#include <algorithm>

#include <elf.h>

#include "agent/tables/text.h"
#include "common/base/little_endian.h"

namespace holdfast::agent {
std::vector<MemoryRange> ParseSystemRam(std::string_view iomem) {
  std::vector<MemoryRange> ram;
  std::string_view line;
  while (NextLine(iomem, line) && ram.size() < kMaxMemoryPieces) {
    if (line.starts_with(' ') || !line.ends_with(" : System RAM")) continue;
    std::string_view to = NextWord(line);
    const auto from = ParseUint(NextField(to, '-'), 16);
    const auto last = ParseUint(to, 16);
    if (from && last && *from < *last && *last < UINT64_MAX) ram.push_back({*from, *last + 1});
  }
  return ram;
}

std::vector<KcorePart> ParseKcoreHead(std::string_view head) {
  std::vector<KcorePart> parts;
  const auto number = [head](std::uint64_t at, std::size_t bytes) {
    return LittleEndian(head.substr(std::min<std::uint64_t>(at, head.size()), bytes));
  };
  if (head.size() < sizeof(Elf64_Ehdr) || !head.starts_with(ELFMAG) ||
      head[EI_CLASS] != ELFCLASS64 || head[EI_DATA] != ELFDATA2LSB) {
    return parts;
  }
  const std::uint64_t table = number(offsetof(Elf64_Ehdr, e_phoff), 8);
  const std::uint64_t count = number(offsetof(Elf64_Ehdr, e_phnum), 2);
  for (std::uint64_t i = 0; i < count && parts.size() < kMaxMemoryPieces; ++i) {
    const std::uint64_t at = table + i * sizeof(Elf64_Phdr);
    if (table > head.size() || at + sizeof(Elf64_Phdr) > head.size()) break;
    const std::uint64_t physical = number(at + offsetof(Elf64_Phdr, p_paddr), 8);
    const std::uint64_t bytes = number(at + offsetof(Elf64_Phdr, p_memsz), 8);
    const std::uint64_t offset = number(at + offsetof(Elf64_Phdr, p_offset), 8);
    if (number(at, 4) != PT_LOAD || physical == UINT64_MAX || bytes == 0 ||
        physical > UINT64_MAX - bytes || offset > static_cast<std::uint64_t>(INT64_MAX) - bytes) {
      continue;
    }
    parts.push_back({{physical, physical + bytes}, offset});
  }
  // Before 4.19 all of them are at 0, which says nothing.
  if (parts.size() > 1 &&
      std::ranges::all_of(parts, [](const KcorePart& part) { return part.physical.from == 0; })) {
    parts.clear();
  }
  std::ranges::sort(parts, {}, [](const KcorePart& part) { return part.physical.from; });
  return parts;
}

MemoryPlan PlanMemory(const std::vector<MemoryRange>& ram, const std::vector<KcorePart>& parts) {
  MemoryPlan plan;
  for (const MemoryRange& range : ram) {
    std::uint64_t at = range.from;
    for (const KcorePart& part : parts) {
      if (part.physical.to <= at) continue;
      if (part.physical.from >= range.to) break;
      if (plan.pieces.size() == kMaxMemoryPieces) break;
      const std::uint64_t from = std::max(at, part.physical.from);
      const std::uint64_t to = std::min(range.to, part.physical.to);
      plan.missing_bytes += from - at;
      plan.pieces.push_back({{from, to}, part.offset + (from - part.physical.from)});
      plan.bytes += to - from;
      at = to;
    }
    plan.missing_bytes += range.to - std::min(at, range.to);
  }
  return plan;
}

std::string LimeHeader(const MemoryRange& range) {
  constexpr std::uint32_t kMagic = 0x4C694D45;
  std::string header;
  AppendLittle(header, kMagic, 4);
  AppendLittle(header, 1, 4);
  AppendLittle(header, range.from, 8);
  AppendLittle(header, range.to - 1, 8);
  AppendLittle(header, 0, 8);
  return header;
}

}  // namespace holdfast::agent
