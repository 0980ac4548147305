// file and hash: what the analyst points at.
#include "agent/tables/path_walk.h"
#include "agent/tables/places.h"
#include "agent/tables/registry.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Marks kNamespaceMarks = kAdditional | kHidden | kLinux;

constexpr Column kFileColumns[] = {
    {"path", kT, "Absolute path", kRequired | kIndex},
    {"directory", kT, "Directory of the file", kRequired},
    {"filename", kT, "Last part of the path"},
    {"inode", kB, "Inode number"},
    {"uid", kB, "Owner"},
    {"gid", kB, "Group"},
    {"mode", kT, "Permission bits in octal, e.g. 0644"},
    {"device", kB, "Device that a device node names, else 0"},
    {"size", kB, "Bytes"},
    {"block_size", kI, "Best size for reading, bytes"},
    {"atime", kB, "Last access, Unix s"},
    {"mtime", kB, "Last change of the content, Unix s"},
    {"ctime", kB, "Last change of the inode, Unix s"},
    {"btime", kB, "Creation, Unix s; 0 where unknown"},
    {"hard_links", kI, "Number of hard links"},
    {"symlink", kI,
     "1 when the path itself is a symbolic link; the other columns tell of its target"},
    {"type", kT, "regular, directory, symlink (of no target), block, character, fifo, socket"},
    {"symlink_target_path", kT, "Where the link points; empty for others"},
    {"pid_with_namespace", kI, "Always 0: other namespaces cannot be asked", kNamespaceMarks},
    {"mount_namespace_id", kT, "Inode of the mount namespace", kHidden | kLinux},
};
enum FileAt : std::size_t {
  kPath,
  kDirectory,
  kFilename,
  kInode,
  kUid,
  kGid,
  kMode,
  kDevice,
  kSize,
  kBlockSize,
  kAtime,
  kMtime,
  kCtime,
  kBtime,
  kHardLinks,
  kSymlink,
  kType,
  kSymlinkTarget,
  kFileNamespace,
  kFileMountNamespace,
};

constexpr Column kHashColumns[] = {
    {"path", kT, "Absolute path of a regular file", kRequired | kIndex},
    {"directory", kT, "Directory of the file", kRequired},
    {"md5", kT, "MD5, hex; NULL when the file cannot be read"},
    {"sha1", kT, "SHA-1, hex"},
    {"sha256", kT, "SHA-256, hex"},
    {"pid_with_namespace", kI, "Always 0: other namespaces cannot be asked", kNamespaceMarks},
    {"mount_namespace_id", kT, "Inode of the mount namespace", kHidden | kLinux},
};
enum HashAt : std::size_t {
  kHashPath,
  kHashDirectory,
  kMd5,
  kSha1,
  kSha256,
  kHashNamespace,
  kHashMountNamespace
};

class FileRows : public RowSource {
 public:
  FileRows(const Request& request, PathWalk walk, Machine& machine)
      : walk_(std::move(walk)), machine_(machine) {
    if (request.Uses(kFileMountNamespace)) mount_namespace_ = MountNamespace(machine);
  }

  bool Next(Row& row) override {
    FoundPath found;
    while (walk_.Next(found)) {
      const auto own = machine_.Stat(found.path, Links::kKeep);
      if (!own.ok()) continue;
      Fill(found, own.value(), row);
      return true;
    }
    return false;
  }

 private:
  void Fill(FoundPath& found, const FileStat& own, Row& row) {
    FileStat stat = own;
    const bool is_link = (own.mode & kTypeMask) == kTypeSymlink;
    row[kSymlinkTarget] = Text("");
    if (is_link) {
      if (const auto target = machine_.Stat(found.path, Links::kFollow); target.ok()) {
        stat = target.value();
      }
      if (auto link = machine_.ReadLink(found.path); link.ok()) {
        row[kSymlinkTarget] = std::move(link).value();
      }
    }
    row[kPath] = std::move(found.path);
    row[kDirectory] = std::move(found.directory);
    row[kFilename] = std::move(found.filename);
    row[kInode] = Integer(stat.inode);
    row[kUid] = Integer(stat.uid);
    row[kGid] = Integer(stat.gid);
    row[kMode] = OctalMode(stat.mode);
    row[kDevice] = Integer(stat.rdevice);
    row[kSize] = Integer(stat.size);
    row[kBlockSize] = Integer(stat.block_size);
    row[kAtime] = Integer(Seconds(stat.atime_ns));
    row[kMtime] = Integer(Seconds(stat.mtime_ns));
    row[kCtime] = Integer(Seconds(stat.ctime_ns));
    row[kBtime] = Integer(Seconds(stat.btime_ns));
    row[kHardLinks] = Integer(stat.hard_links);
    row[kSymlink] = Integer(is_link ? 1 : 0);
    row[kType] = Text(TypeName(stat.mode));
    row[kFileNamespace] = Integer(0);
    row[kFileMountNamespace] = mount_namespace_;
  }

  PathWalk walk_;
  Machine& machine_;
  SqlValue mount_namespace_;
};

class HashRows : public RowSource {
 public:
  HashRows(const Request& request, PathWalk walk, Machine& machine)
      : walk_(std::move(walk)), machine_(machine) {
    if (request.Uses(kHashMountNamespace)) mount_namespace_ = MountNamespace(machine);
    wants_hashes_ = request.Uses(kMd5) || request.Uses(kSha1) || request.Uses(kSha256);
  }

  bool Next(Row& row) override {
    FoundPath found;
    while (walk_.Next(found)) {
      const auto stat = machine_.Stat(found.path, Links::kFollow);
      if (!stat.ok() || (stat.value().mode & kTypeMask) != kTypeRegular) continue;
      if (wants_hashes_) {
        auto hashes = machine_.Hash(found.path, nullptr);
        if (!hashes.ok() && hashes.error().code == Code::kNotFound) continue;
        if (hashes.ok()) {
          row[kMd5] = std::move(hashes.value().md5);
          row[kSha1] = std::move(hashes.value().sha1);
          row[kSha256] = std::move(hashes.value().sha256);
        }
      }
      row[kHashPath] = std::move(found.path);
      row[kHashDirectory] = std::move(found.directory);
      row[kHashNamespace] = Integer(0);
      row[kHashMountNamespace] = mount_namespace_;
      return true;
    }
    return false;
  }

 private:
  PathWalk walk_;
  Machine& machine_;
  SqlValue mount_namespace_;
  bool wants_hashes_ = false;
};

Result<std::unique_ptr<RowSource>> OpenFiles(const Request& request, Machine& machine) {
  HF_ASSIGN_OR_RETURN(PathWalk walk, PathWalk::Open(request, "file", machine));
  return std::unique_ptr<RowSource>(std::make_unique<FileRows>(request, std::move(walk), machine));
}

Result<std::unique_ptr<RowSource>> OpenHashes(const Request& request, Machine& machine) {
  HF_ASSIGN_OR_RETURN(PathWalk walk, PathWalk::Open(request, "hash", machine));
  return std::unique_ptr<RowSource>(std::make_unique<HashRows>(request, std::move(walk), machine));
}

}  // namespace

const Table kFileTable = {
    .name = "file",
    .description = "Files and directories.",
    .example = "SELECT path, size, mtime FROM file WHERE path LIKE '/etc/cron%/%';",
    .cost = Cost::kFiles,
    .columns = kFileColumns,
    .open = OpenFiles,
};

const Table kHashTable = {
    .name = "hash",
    .description = "MD5, SHA-1 and SHA-256 of regular files, in one reading.",
    .example = "SELECT p.pid, p.path, h.sha256 FROM processes p JOIN hash h ON h.path = p.path;",
    .cost = Cost::kFileBytes,
    .columns = kHashColumns,
    .open = OpenHashes,
};

}  // namespace holdfast::agent
