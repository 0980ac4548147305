// What /proc says of memory: maps, the head of a program, iomem and the head of kcore. A plan made of it covers what
// it says, in order, and its head has the size that its parts say.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/tables/text.h"
#include "agent/verbs/physical_memory.h"
#include "agent/verbs/process_memory.h"

using namespace holdfast::agent;  // NOLINT(google-build-using-namespace)

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string_view rest = text;
  std::string_view line;
  std::vector<MemoryRegion> regions;
  while (NextLine(rest, line) && regions.size() < 64) {
    if (auto region = ParseMapsLine(line)) regions.push_back(std::move(*region));
  }
  std::vector<MemoryRun> runs;
  for (const MemoryRegion& region : regions) {
    const std::size_t first = runs.size();
    RunBuilder builder(region, 4096, size % 5, runs);
    for (const char c : text.substr(0, 256)) builder.Page((c & 1) != 0);
    builder.Finish();
    std::uint64_t at = region.from;
    for (std::size_t i = first; i < runs.size(); ++i) {
      if (runs[i].from != at) std::abort();
      at += runs[i].bytes + runs[i].zeros;
    }
    if (at != region.to) std::abort();
  }
  const ElfKind kind = ParseElfKind(text).value_or(ElfKind{});
  const CoreNote note = FilesNote(regions, kind, 4096);
  if (CoreHead(kind, {&note, 1}, runs).size() % kMemoryPageBytes != 0) std::abort();
  const auto ram = ParseSystemRam(text);
  const MemoryPlan plan = PlanMemory(ram, ParseKcoreHead(text));
  for (const KcorePart& piece : plan.pieces) {
    if (piece.physical.from >= piece.physical.to) std::abort();
  }
  return 0;
}
