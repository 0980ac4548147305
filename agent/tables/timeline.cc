// timeline: files in the order of their last change, as a forensic body file has them. Ours: osquery has no such
// table.
//
// Everything is looked at before the first row comes: what is kept of a file is small for that.
#include <algorithm>

#include "agent/tables/path_walk.h"
#include "agent/tables/registry.h"

namespace holdfast::agent {
namespace {

// 260 MB with paths of 80 bytes, 390 while it grows; the worker has 512 MiB unless told otherwise.
constexpr std::size_t kMaxFiles = 1'500'000;
constexpr std::size_t kChunkBytes = std::size_t{1} << 20;

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Column kColumns[] = {
    {"path", kT, "Absolute path", kRequired | kIndex},
    {"directory", kT, "Directory of the file", kRequired},
    {"mtime", kB, "Last change of the content, Unix s; rows come in its order",
     kAdditional | kRange},
    {"atime", kB, "Last access, Unix s"},
    {"ctime", kB, "Last change of the inode, Unix s"},
    {"btime", kB, "Creation, Unix s; 0 where unknown"},
    {"size", kB, "Bytes"},
    {"type", kT, "regular, directory, symlink, block, character, fifo, socket"},
    {"mode", kT, "Permission bits in octal, e.g. 0644"},
    {"uid", kB, "Owner"},
    {"gid", kB, "Group"},
    {"inode", kB, "Inode number"},
    {"hard_links", kI, "Number of hard links"},
    {"bodyfile", kT, "Its line of a body file, for mactime; control characters in the path are ^"},
};
enum ColumnAt : std::size_t {
  kPath,
  kDirectory,
  kMtime,
  kAtime,
  kCtime,
  kBtime,
  kSize,
  kType,
  kMode,
  kUid,
  kGid,
  kInode,
  kLinks,
  kBodyfile,
};

struct Seen {
  std::int64_t mtime_ns;
  std::int64_t atime;  // s, and the following
  std::int64_t ctime;
  std::int64_t btime;
  std::uint64_t size;
  std::uint64_t inode;
  std::uint64_t path;  // where it begins in the chunks
  std::uint32_t path_bytes;
  std::uint32_t directory_bytes;
  std::uint32_t mode;
  std::uint32_t uid;
  std::uint32_t gid;
  std::uint32_t links;
};

// "r/rrwxr-xr-x", as the Sleuth Kit writes it.
std::string ModeLetters(std::uint32_t mode) {
  char type = '-';
  switch (mode & kTypeMask) {
    case kTypeRegular: type = 'r'; break;
    case kTypeDirectory: type = 'd'; break;
    case kTypeSymlink: type = 'l'; break;
    case 0060000: type = 'b'; break;
    case 0020000: type = 'c'; break;
    case 0010000: type = 'p'; break;
    case 0140000: type = 'h'; break;
    default: break;
  }
  std::string text = {type, '/', type};
  for (int bit = 8; bit >= 0; --bit) {
    text.push_back((mode >> bit & 1) != 0 ? "xwr"[bit % 3] : '-');
  }
  const auto special = [&](std::uint32_t bit, std::size_t at, char letter) {
    if ((mode & bit) != 0) {
      text[at] = text[at] == 'x' ? letter : static_cast<char>(letter - 'a' + 'A');
    }
  };
  special(04000, 5, 's');
  special(02000, 8, 's');
  special(01000, 11, 't');
  return text;
}

class TimelineRows : public RowSource {
 public:
  TimelineRows(const Request& request, PathWalk walk, Machine& machine)
      : request_(request), walk_(std::move(walk)), machine_(machine) {}

  bool Next(Row& row) override {
    if (!collected_) Collect();
    if (order_.empty()) return false;
    std::pop_heap(order_.begin(), order_.end(), Later{*this});
    Fill(seen_[order_.back()], row);
    order_.pop_back();
    return true;
  }

 private:
  void Collect() {
    collected_ = true;
    const Request::Span mtime = request_.SpanOf(kMtime);
    FoundPath found;
    while (walk_.Next(found)) {
      const auto stat = machine_.Stat(found.path, Links::kKeep);
      if (!stat.ok()) continue;
      const std::int64_t seconds = Seconds(stat.value().mtime_ns);
      if (seconds < mtime.from || seconds > mtime.to) continue;
      if (seen_.size() == kMaxFiles) {
        machine_.Note("timeline: only the first " + std::to_string(kMaxFiles) +
                      " files that were found; ask for a smaller path or a range of mtime");
        break;
      }
      Keep(found, stat.value());
    }
    order_.resize(seen_.size());
    for (std::size_t i = 0; i < order_.size(); ++i) order_[i] = static_cast<std::uint32_t>(i);
    std::make_heap(order_.begin(), order_.end(), Later{*this});
  }

  // The earliest is on top of a heap.
  struct Later {
    const TimelineRows& rows;
    bool operator()(std::uint32_t left, std::uint32_t right) const {
      const Seen& a = rows.seen_[left];
      const Seen& b = rows.seen_[right];
      if (a.mtime_ns != b.mtime_ns) return a.mtime_ns > b.mtime_ns;
      return rows.PathOf(a) > rows.PathOf(b);
    }
  };

  void Keep(const FoundPath& found, const FileStat& stat) {
    if (chunks_.empty() || chunks_.back().size() + found.path.size() > kChunkBytes) {
      chunks_.emplace_back().reserve(kChunkBytes);  // a path is at most 4096 bytes
    }
    const std::size_t at = chunks_.back().size();
    chunks_.back() += found.path;
    seen_.push_back({.mtime_ns = stat.mtime_ns,
                     .atime = Seconds(stat.atime_ns),
                     .ctime = Seconds(stat.ctime_ns),
                     .btime = Seconds(stat.btime_ns),
                     .size = stat.size,
                     .inode = stat.inode,
                     .path = (chunks_.size() - 1) * kChunkBytes + at,
                     .path_bytes = static_cast<std::uint32_t>(found.path.size()),
                     .directory_bytes = static_cast<std::uint32_t>(found.directory.size()),
                     .mode = stat.mode,
                     .uid = stat.uid,
                     .gid = stat.gid,
                     .links = static_cast<std::uint32_t>(stat.hard_links)});
  }

  std::string_view PathOf(const Seen& seen) const {
    return std::string_view(chunks_[seen.path / kChunkBytes])
        .substr(seen.path % kChunkBytes, seen.path_bytes);
  }

  std::string BodyLine(const Seen& seen) const {
    std::string line = "0|";
    for (const char c : PathOf(seen)) {
      line.push_back(static_cast<unsigned char>(c) < ' ' || c == '\x7f' ? '^' : c);
    }
    line.append("|").append(std::to_string(seen.inode)).append("|").append(ModeLetters(seen.mode));
    for (const std::int64_t number :
         {static_cast<std::int64_t>(seen.uid), static_cast<std::int64_t>(seen.gid),
          static_cast<std::int64_t>(seen.size), seen.atime, Seconds(seen.mtime_ns), seen.ctime,
          seen.btime}) {
      line.append("|").append(std::to_string(number));
    }
    return line;
  }

  void Fill(const Seen& seen, Row& row) const {
    const std::string_view path = PathOf(seen);
    row[kPath] = Text(path);
    row[kDirectory] = Text(path.substr(0, seen.directory_bytes));
    row[kMtime] = Integer(Seconds(seen.mtime_ns));
    row[kAtime] = Integer(seen.atime);
    row[kCtime] = Integer(seen.ctime);
    row[kBtime] = Integer(seen.btime);
    row[kSize] = Integer(seen.size);
    row[kType] = Text(TypeName(seen.mode));
    row[kMode] = OctalMode(seen.mode);
    row[kUid] = Integer(seen.uid);
    row[kGid] = Integer(seen.gid);
    row[kInode] = Integer(seen.inode);
    row[kLinks] = Integer(seen.links);
    if (request_.Uses(kBodyfile)) row[kBodyfile] = BodyLine(seen);
  }

  Request request_;
  PathWalk walk_;
  Machine& machine_;
  bool collected_ = false;
  std::vector<Seen> seen_;
  std::vector<std::string> chunks_;   // paths, one behind the other
  std::vector<std::uint32_t> order_;  // of seen_
};

Result<std::unique_ptr<RowSource>> Open(const Request& request, Machine& machine) {
  HF_ASSIGN_OR_RETURN(PathWalk walk, PathWalk::Open(request, "timeline", machine));
  walk.LeaveOutKernel();
  return std::unique_ptr<RowSource>(
      std::make_unique<TimelineRows>(request, std::move(walk), machine));
}

}  // namespace

const Table kTimelineTable = {
    .name = "timeline",
    .description =
        "Files in the order of their last change, links as themselves; '/%%' leaves /proc and /sys "
        "out. Not in osquery.",
    .example = "SELECT bodyfile FROM timeline WHERE path LIKE '/etc/%%' AND mtime > 1700000000;",
    .cost = Cost::kFiles,
    .columns = kColumns,
    .open = Open,
};

}  // namespace holdfast::agent
