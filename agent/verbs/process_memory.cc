#include "agent/verbs/process_memory.h"

#include <algorithm>
#include <utility>

#include <elf.h>

#include "agent/tables/text.h"

namespace holdfast::agent {

namespace pb = command::v1;

namespace {

constexpr int kMaxRanges = 64;              // MemdumpArgs
constexpr std::size_t kMaxPathPart = 4096;  // MemdumpArgs
constexpr std::string_view kCoreName{"CORE\0\0\0\0", 8};

// Numbers as the program's own machine has them.
class Bytes {
 public:
  explicit Bytes(const ElfKind& kind) : kind_(kind) {}
  void Put(std::uint64_t value, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i) {
      const std::size_t place = kind_.is_big_endian ? bytes - 1 - i : i;
      out.push_back(static_cast<char>(value >> (8 * place) & 0xFF));
    }
  }
  void Half(std::uint64_t value) { Put(value, 2); }
  void Word(std::uint64_t value) { Put(value, 4); }
  void Address(std::uint64_t value) { Put(value, kind_.is_64 ? 8 : 4); }
  void Pad(std::size_t to) { out.append((to - out.size() % to) % to, '\0'); }
  std::string out;

 private:
  const ElfKind& kind_;
};

std::uint32_t FlagsOf(std::string_view permissions) {
  std::uint32_t flags = 0;
  if (permissions.find('r') != std::string_view::npos) flags |= PF_R;
  if (permissions.find('w') != std::string_view::npos) flags |= PF_W;
  if (permissions.find('x') != std::string_view::npos) flags |= PF_X;
  return flags;
}

struct Part {
  std::uint32_t type, flags;
  std::uint64_t offset, address, file_bytes, memory_bytes, align;
};

void PutPart(Bytes& out, const ElfKind& kind, const Part& part) {
  out.Word(part.type);
  if (kind.is_64) out.Word(part.flags);
  out.Address(part.offset);
  out.Address(part.address);
  out.Address(0);
  out.Address(part.file_bytes);
  out.Address(part.memory_bytes);
  if (!kind.is_64) out.Word(part.flags);
  out.Address(part.align);
}

}  // namespace

std::optional<MemoryRegion> ParseMapsLine(std::string_view line) {
  std::string_view to = NextWord(line);
  const auto first = ParseUint(NextField(to, '-'), 16);
  const auto last = ParseUint(to, 16);
  MemoryRegion region;
  region.permissions = NextWord(line);
  const auto offset = ParseUint(NextWord(line), 16);
  (void)NextWord(line);  // device
  const auto inode = ParseUint(NextWord(line));
  // Beyond is the kernel's half: [vsyscall], which is the same page for everybody.
  if (!first || !last || !offset || !inode || *first >= *last ||
      *last > static_cast<std::uint64_t>(INT64_MAX)) {
    return std::nullopt;
  }
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  region.from = *first;
  region.to = *last;
  region.offset = *offset;
  region.inode = *inode;
  region.path = line;
  return region;
}

std::string MemoryChoiceComplaint(const pb::MemdumpArgs& args) {
  if (args.ranges_size() % 2 != 0 || args.ranges_size() > 2 * kMaxRanges) {
    return "at most 64 ranges of addresses, each with a first and a last";
  }
  for (int i = 0; i < args.ranges_size(); i += 2) {
    if (args.ranges(i) >= args.ranges(i + 1)) return "a range of addresses ends before it begins";
  }
  if (args.path().size() > kMaxPathPart) return "a path of more than 4 KiB";
  if (args.permissions().find_first_not_of("rwxsp") != std::string::npos) {
    return "permissions are any of the letters r w x s p";
  }
  return "";
}

bool IsWanted(const MemoryRegion& region, const pb::MemdumpArgs& args) {
  if (args.no_files() && region.inode != 0) return false;
  for (const char letter : args.permissions()) {
    if (region.permissions.find(letter) == std::string::npos) return false;
  }
  if (!args.path().empty() && region.path.find(args.path()) == std::string::npos) return false;
  bool is_in = args.ranges().empty();
  for (int i = 0; i + 1 < args.ranges_size(); i += 2) {
    is_in = is_in || (region.from < args.ranges(i + 1) && args.ranges(i) < region.to);
  }
  return is_in;
}

RunBuilder::RunBuilder(const MemoryRegion& region, std::uint64_t page_bytes,
                       std::uint64_t gap_pages, std::vector<MemoryRun>& runs)
    : region_(region),
      page_bytes_(page_bytes),
      gap_bytes_(gap_pages * page_bytes),
      runs_(runs),
      at_(region.from) {
  runs_.push_back({.from = at_, .permissions = region.permissions});
}

void RunBuilder::Page(bool is_there) {
  if (at_ >= region_.to) return;
  MemoryRun* run = &runs_.back();
  const std::uint64_t bytes = std::min(page_bytes_, region_.to - at_);
  at_ += bytes;
  if (!is_there) {
    run->zeros += bytes;
    return;
  }
  if (run->zeros > gap_bytes_) {
    runs_.push_back({.from = at_ - bytes, .permissions = region_.permissions});
    run = &runs_.back();
  }
  run->bytes += run->zeros + bytes;
  run->zeros = 0;
}

void RunBuilder::Finish() {
  runs_.back().zeros += region_.to - at_;
  at_ = region_.to;
}

std::optional<ElfKind> ParseElfKind(std::string_view head) {
  constexpr std::size_t kMachineAt = 18;  // e_machine, in both classes
  if (head.size() < kMachineAt + 2 || !head.starts_with(ELFMAG)) return std::nullopt;
  ElfKind kind;
  if (head[EI_CLASS] != ELFCLASS64 && head[EI_CLASS] != ELFCLASS32) return std::nullopt;
  kind.is_64 = head[EI_CLASS] == ELFCLASS64;
  kind.is_big_endian = head[EI_DATA] == ELFDATA2MSB;
  const auto low = static_cast<unsigned char>(head[kMachineAt + (kind.is_big_endian ? 1 : 0)]);
  const auto high = static_cast<unsigned char>(head[kMachineAt + (kind.is_big_endian ? 0 : 1)]);
  kind.machine = static_cast<std::uint16_t>(low | high << 8);
  return kind;
}

CoreNote FilesNote(std::span<const MemoryRegion> regions, const ElfKind& kind,
                   std::uint64_t page_bytes) {
  Bytes out(kind);
  std::string names;
  std::uint64_t count = 0;
  for (const MemoryRegion& region : regions) count += region.inode != 0 ? 1 : 0;
  out.Address(count);
  out.Address(page_bytes);
  for (const MemoryRegion& region : regions) {
    if (region.inode == 0) continue;
    out.Address(region.from);
    out.Address(region.to);
    out.Address(region.offset / page_bytes);
    names += region.path;
    names += '\0';
  }
  return {NT_FILE, out.out + names};
}

std::string CoreHead(const ElfKind& kind, std::span<const CoreNote> notes,
                     std::span<const MemoryRun> runs) {
  const std::size_t head_bytes = kind.is_64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
  const std::size_t part_bytes = kind.is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
  const std::uint64_t notes_at = head_bytes + part_bytes * (runs.size() + 1);
  Bytes all_notes(kind);
  for (const CoreNote& note : notes) {
    all_notes.Word(5);  // with the NUL of its name
    all_notes.Word(note.bytes.size());
    all_notes.Word(note.type);
    all_notes.out += kCoreName;
    all_notes.out += note.bytes;
    all_notes.Pad(4);
  }
  Bytes out(kind);
  out.out.append(ELFMAG, SELFMAG);
  out.Put(kind.is_64 ? ELFCLASS64 : ELFCLASS32, 1);
  out.Put(kind.is_big_endian ? ELFDATA2MSB : ELFDATA2LSB, 1);
  out.Put(EV_CURRENT, 1);
  out.Pad(EI_NIDENT);
  out.Half(ET_CORE);
  out.Half(kind.machine);
  out.Word(EV_CURRENT);
  out.Address(0);
  out.Address(head_bytes);
  out.Address(0);
  out.Word(0);
  out.Half(head_bytes);
  out.Half(part_bytes);
  out.Half(runs.size() + 1);
  out.Half(0);
  out.Half(0);
  out.Half(0);
  PutPart(out, kind, {PT_NOTE, 0, notes_at, 0, all_notes.out.size(), 0, 4});
  std::uint64_t at = notes_at + all_notes.out.size();
  at += (kMemoryPageBytes - at % kMemoryPageBytes) % kMemoryPageBytes;
  for (const MemoryRun& run : runs) {
    PutPart(out, kind,
            {PT_LOAD, FlagsOf(run.permissions), at, run.from, run.bytes, run.bytes + run.zeros,
             kMemoryPageBytes});
    at += run.bytes;
  }
  out.out += all_notes.out;
  out.Pad(kMemoryPageBytes);
  return std::move(out.out);
}

}  // namespace holdfast::agent
