#include "agent/verbs/memory_source.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/tables/text.h"
#include "agent/verbs/verb_result.h"

namespace holdfast::agent {

namespace pb = command::v1;

namespace {

constexpr std::size_t kMaxProcBytes = std::size_t{32}
                                      << 20;  // maps of kMaxMemoryRegions, with long paths
constexpr std::size_t kReadBytes = std::size_t{64} * 1024;
constexpr std::size_t kMaxLinkText = 4096;  // PATH_MAX
constexpr std::uint64_t kFirstGapPages =
    16;  // less than a part's own header and its place in a reader's table cost
constexpr std::uint64_t kCoarser = 16;
constexpr std::uint64_t kThereBits = std::uint64_t{3} << 62;  // pagemap: present, or swapped out

}  // namespace

MemorySource::MemorySource() : page_bytes_(static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE))) {}

std::string MemorySource::Who() const { return "pid " + std::to_string(pid_); }

std::string MemorySource::Read(const char* file) const {
  std::string text;
  const UniqueFd fd(openat(directory_.get(), file, O_RDONLY | O_CLOEXEC));
  while (fd.valid() && text.size() < kMaxProcBytes) {
    const std::size_t had = text.size();
    text.resize(had + kReadBytes);
    const ssize_t got = read(fd.get(), text.data() + had, kReadBytes);
    text.resize(had + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0 || (got < 0 && errno != EINTR)) break;
  }
  return text;
}

pb::Result MemorySource::NoMemory() const {
  if (IsStillThere()) {
    return Failed(pb::COMMAND_FAILURE_UNSUPPORTED,
                  Who() + ": has no memory of its own; it is the kernel's");
  }
  return Failed(pb::COMMAND_FAILURE_NO_SUCH_PROCESS, Who() + ": " + ErrnoText(ESRCH));
}

pb::Result MemorySource::Open(std::int64_t pid, std::uint64_t start_ticks) {
  pid_ = pid;
  const std::string path = "/proc/" + std::to_string(pid);
  directory_.reset(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto stat = ParseProcStat(Read("stat"));
  if (!stat || stat->pid != pid || stat->state == 'Z') {
    return Failed(pb::COMMAND_FAILURE_NO_SUCH_PROCESS, Who() + ": " + ErrnoText(ESRCH));
  }
  if (start_ticks != 0 && stat->start_ticks != start_ticks) {
    return Failed(pb::COMMAND_FAILURE_NO_SUCH_PROCESS,
                  Who() + ": another process has this pid now (start_ticks " +
                      std::to_string(stat->start_ticks) + ")");
  }
  stat_ = *stat;
  struct stat theirs = {};
  struct stat ours = {};
  if (fstatat(directory_.get(), "exe", &theirs, 0) == 0 && ::stat("/proc/self/exe", &ours) == 0 &&
      theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino) {
    return Failed(pb::COMMAND_FAILURE_PERMISSION,
                  Who() + ": belongs to the agent, which keeps its key in there");
  }
  memory_.reset(openat(directory_.get(), "mem", O_RDONLY | O_CLOEXEC));
  if (!memory_.valid()) {
    const int error = errno;
    if (error == ESRCH) return NoMemory();
    return Failed(FailureOfErrno(error), Who() + ": " + ErrnoText(error));
  }
  page_map_.reset(openat(directory_.get(), "pagemap", O_RDONLY | O_CLOEXEC));
  return Done();
}

bool MemorySource::IsStillThere() const {
  const auto stat = ParseProcStat(Read("stat"));
  return stat && stat->start_ticks == stat_.start_ticks && stat->state != 'Z';
}

pb::Result MemorySource::ReadRegions() {
  const std::string maps = Read("maps");
  std::string_view rest = maps;
  std::string_view line;
  while (NextLine(rest, line)) {
    if (auto region = ParseMapsLine(line)) regions_.push_back(std::move(*region));
    if (regions_.size() > kMaxMemoryRegions) {
      return Failed(pb::COMMAND_FAILURE_UNSUPPORTED,
                    Who() + ": more than " + std::to_string(kMaxMemoryRegions) + " regions");
    }
  }
  return regions_.empty() ? NoMemory() : Done();
}

std::string MemorySource::Program() const {
  std::string path(kMaxLinkText, '\0');
  const ssize_t size = readlinkat(directory_.get(), "exe", path.data(), path.size());
  path.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return path;
}

ElfKind MemorySource::Kind() const {
  std::array<char, 64> head = {};
  for (const char* const path : {"exe", "/proc/self/exe"}) {
    const UniqueFd fd(openat(directory_.get(), path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    const ssize_t got = fd.valid() ? pread(fd.get(), head.data(), head.size(), 0) : -1;
    if (got <= 0) continue;
    if (const auto kind = ParseElfKind({head.data(), static_cast<std::size_t>(got)})) return *kind;
  }
  return {};
}

void MemorySource::PlanRegion(const MemoryRegion& region, std::uint64_t gap_pages,
                              std::vector<MemoryRun>& runs) const {
  RunBuilder builder(region, page_bytes_, gap_pages, runs);
  std::array<std::uint64_t, 8192> entries;
  for (std::uint64_t at = region.from; at < region.to;) {
    const std::uint64_t pages =
        std::min<std::uint64_t>((region.to - at) / page_bytes_, entries.size());
    // A file's pages are read whether this process has touched them or not.
    ssize_t got = 0;
    if (region.inode == 0 && page_map_.valid()) {
      got = pread(page_map_.get(), entries.data(), pages * sizeof entries[0],
                  static_cast<off_t>(at / page_bytes_ * sizeof entries[0]));
    }
    const std::uint64_t told = got > 0 ? static_cast<std::uint64_t>(got) / sizeof entries[0] : 0;
    for (std::uint64_t i = 0; i < pages; ++i) {
      builder.Page(i >= told || (entries[i] & kThereBits) != 0);
    }
    at += pages * page_bytes_;
    if (pages == 0) break;
  }
  builder.Finish();
}

void MemorySource::PlanRuns(const std::vector<MemoryRegion>& wanted,
                            std::vector<MemoryRun>& runs) const {
  for (std::uint64_t gap_pages = kFirstGapPages;; gap_pages *= kCoarser) {
    runs.clear();
    for (const MemoryRegion& region : wanted) {
      PlanRegion(region, gap_pages, runs);
      if (runs.size() > kMaxMemoryRegions) break;
    }
    if (runs.size() <= kMaxMemoryRegions) return;
  }
}

}  // namespace holdfast::agent
