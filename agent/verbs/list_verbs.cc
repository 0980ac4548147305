// ls, stat, hash: what files are, without their content.
#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "agent/adapters/procfs/hash_file.h"
#include "agent/adapters/procfs/open_file.h"
#include "agent/verbs/account_names.h"
#include "agent/verbs/row_writer.h"
#include "agent/verbs/verb_result.h"
#include "agent/verbs/verbs.h"

namespace holdfast::agent {

namespace pb = command::v1;

namespace {

constexpr std::size_t kMaxPaths = 64;        // StatArgs, HashArgs
constexpr std::size_t kMaxDepth = 256;       // levels of ls -r, each holds a descriptor
constexpr std::size_t kMaxLinkBytes = 4096;  // PATH_MAX

constexpr RowColumn kLsColumns[] = {
    {"name", "TEXT"},         {"path", "TEXT"},          {"type", "TEXT"},    {"size", "BIGINT"},
    {"mode", "TEXT"},         {"uid", "BIGINT"},         {"gid", "BIGINT"},   {"user", "TEXT"},
    {"group", "TEXT"},        {"mtime", "BIGINT"},       {"ctime", "BIGINT"}, {"inode", "BIGINT"},
    {"hard_links", "BIGINT"}, {"symlink_target", "TEXT"}};
constexpr RowColumn kStatColumns[] = {
    {"path", "TEXT"},           {"type", "TEXT"},         {"size", "BIGINT"},
    {"mode", "TEXT"},           {"uid", "BIGINT"},        {"gid", "BIGINT"},
    {"user", "TEXT"},           {"group", "TEXT"},        {"atime", "BIGINT"},
    {"mtime", "BIGINT"},        {"ctime", "BIGINT"},      {"btime", "BIGINT"},
    {"inode", "BIGINT"},        {"hard_links", "BIGINT"}, {"device", "TEXT"},
    {"special_device", "TEXT"}, {"blocks", "BIGINT"},     {"block_size", "BIGINT"},
    {"symlink_target", "TEXT"}};
constexpr RowColumn kHashColumns[] = {
    {"path", "TEXT"}, {"size", "BIGINT"}, {"md5", "TEXT"}, {"sha1", "TEXT"}, {"sha256", "TEXT"}};

struct CloseDir {
  void operator()(DIR* dir) const { closedir(dir); }
};

// Names of an open directory, sorted; the descriptor stays open.
std::vector<std::string> NamesIn(int fd, bool hidden_too) {
  std::vector<std::string> names;
  const int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (own < 0) return names;
  const std::unique_ptr<DIR, CloseDir> dir(fdopendir(own));
  if (dir == nullptr) return names;
  while (const dirent* entry = readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == ".." || (!hidden_too && name.front() == '.')) continue;
    if (names.size() == kMaxListEntries) break;
    names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

void AddLinkTarget(RowWriter& rows, int dir_fd, const std::string& name, std::uint32_t mode) {
  std::string target(kMaxLinkBytes, '\0');
  const ssize_t size =
      S_ISLNK(mode) ? readlinkat(dir_fd, name.c_str(), target.data(), target.size()) : -1;
  if (size < 0) return rows.AddNull();
  rows.AddText(std::string_view(target).substr(0, static_cast<std::size_t>(size)));
}

class Listing {
 public:
  explicit Listing(const pb::LsArgs& args, RowWriter& rows) : args_(args), rows_(rows) {}

  // A directory's entries, and with `recursive` what lies below. False: a limit of rows or bytes.
  bool Directory(UniqueFd fd, const std::string& path, std::uint64_t device) {
    std::vector<Level> levels;
    Enter(levels, std::move(fd), path);
    while (!levels.empty()) {
      Level& level = levels.back();
      if (level.next == level.names.size()) {
        levels.pop_back();
        continue;
      }
      const std::string& name = level.names[level.next++];
      FileStat stat;
      if (StatAt(level.fd.get(), name.c_str(), AT_SYMLINK_NOFOLLOW, stat) != 0) continue;
      const std::string below = level.path + (level.path.back() == '/' ? "" : "/") + name;
      if (!Entry(level.fd.get(), name, below, stat)) return false;
      const bool enter = args_.recursive() && S_ISDIR(stat.mode) && stat.device == device;
      if (!enter || levels.size() >= kMaxDepth) continue;
      UniqueFd inner(openat(level.fd.get(), name.c_str(),
                            O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
      if (inner.valid())
        Enter(levels, std::move(inner), below);  // what may not be read is listed only
    }
    return true;
  }

  bool Entry(int dir_fd, const std::string& name, const std::string& path, const FileStat& stat) {
    const std::size_t slash = name.rfind('/');
    rows_.AddText(std::string_view(name).substr(slash + 1));  // npos + 1 is 0
    rows_.AddText(path);
    rows_.AddText(TypeName(stat.mode));
    rows_.AddInteger(static_cast<std::int64_t>(stat.size));
    rows_.AddText(OctalMode(stat.mode));
    rows_.AddInteger(stat.uid);
    rows_.AddInteger(stat.gid);
    names_.AddUser(rows_, stat.uid);
    names_.AddGroup(rows_, stat.gid);
    rows_.AddInteger(Seconds(stat.mtime_ns));
    rows_.AddInteger(Seconds(stat.ctime_ns));
    rows_.AddInteger(static_cast<std::int64_t>(stat.inode));
    rows_.AddInteger(static_cast<std::int64_t>(stat.hard_links));
    AddLinkTarget(rows_, dir_fd, name, stat.mode);
    return rows_.EndRow();
  }

 private:
  struct Level {
    UniqueFd fd;
    std::string path;
    std::vector<std::string> names;
    std::size_t next = 0;
  };
  void Enter(std::vector<Level>& levels, UniqueFd fd, std::string path) {
    std::vector<std::string> names = NamesIn(fd.get(), args_.all());
    levels.push_back(
        {.fd = std::move(fd), .path = std::move(path), .names = std::move(names), .next = 0});
  }

  const pb::LsArgs& args_;
  RowWriter& rows_;
  AccountNames names_;
};

std::string DeviceText(std::uint64_t device) {
  return std::to_string(major(device)) + ":" + std::to_string(minor(device));
}

void StatRow(RowWriter& rows, AccountNames& names, const std::string& path, const FileStat& stat) {
  rows.AddText(path);
  rows.AddText(TypeName(stat.mode));
  rows.AddInteger(static_cast<std::int64_t>(stat.size));
  rows.AddText(OctalMode(stat.mode));
  rows.AddInteger(stat.uid);
  rows.AddInteger(stat.gid);
  names.AddUser(rows, stat.uid);
  names.AddGroup(rows, stat.gid);
  rows.AddInteger(Seconds(stat.atime_ns));
  rows.AddInteger(Seconds(stat.mtime_ns));
  rows.AddInteger(Seconds(stat.ctime_ns));
  if (stat.btime_ns != 0) {
    rows.AddInteger(Seconds(stat.btime_ns));
  } else {
    rows.AddNull();
  }
  rows.AddInteger(static_cast<std::int64_t>(stat.inode));
  rows.AddInteger(static_cast<std::int64_t>(stat.hard_links));
  rows.AddText(DeviceText(stat.device));
  if (S_ISBLK(stat.mode) || S_ISCHR(stat.mode)) {
    rows.AddText(DeviceText(stat.rdevice));
  } else {
    rows.AddNull();
  }
  rows.AddInteger(static_cast<std::int64_t>(stat.blocks));
  rows.AddInteger(stat.block_size);
  AddLinkTarget(rows, AT_FDCWD, path, stat.mode);
}

// BAD_ARGUMENT for no, too many or impossible paths.
template <typename Paths>
PathCheck CheckPaths(const Paths& paths) {
  if (paths.empty() || static_cast<std::size_t>(paths.size()) > kMaxPaths) {
    return {.good = false,
            .failure = Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT,
                              "1 to " + std::to_string(kMaxPaths) + " paths are needed, not " +
                                  std::to_string(paths.size()))};
  }
  for (const std::string& path : paths) {
    if (PathCheck check = CheckPath(path); !check.good) return check;
  }
  return {.good = true, .failure = {}};
}

pb::Result HashFile(const std::string& path, FileHashes& hashes) {
  const OpenedFile file = OpenRegular(path);
  if (file.error != 0) return OpenFailure(file, path);
  if (const int error = HashFd(file.fd.get(), hashes); error != 0) return FailedErrno(error, path);
  return Done();
}

}  // namespace

pb::Result RunLs(const pb::LsArgs& args, VerbRun& run) {
  const std::string& path = args.path();
  if (PathCheck check = CheckPath(path); !check.good) return std::move(check.failure);
  FileStat stat;
  if (const int error = StatAt(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, stat); error != 0) {
    return FailedErrno(error, path);
  }
  RowWriter rows(run.out, run.limits.rows);
  Listing listing(args, rows);
  // A link to a directory is asked for as the directory: what an analyst means by `ls /lib`.
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid() && errno != ENOTDIR && errno != ENOENT) return FailedErrno(errno, path);
  rows.Columns(kLsColumns);
  if (fd.valid()) {
    if (const int error = StatFd(fd.get(), stat); error != 0) return FailedErrno(error, path);
    (void)listing.Directory(std::move(fd), path, stat.device);
  } else {
    (void)listing.Entry(AT_FDCWD, path, path, stat);
  }
  return rows.Finish(Done());
}

pb::Result RunStat(const pb::StatArgs& args, VerbRun& run) {
  if (PathCheck check = CheckPaths(args.paths()); !check.good) return std::move(check.failure);
  RowWriter rows(run.out, run.limits.rows);
  rows.Columns(kStatColumns);
  AccountNames names;
  pb::Result result = Done();
  for (const std::string& path : args.paths()) {
    FileStat stat;
    if (const int error = StatAt(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, stat); error != 0) {
      // The others are still answered; the first failure is the command's.
      if (result.outcome() == pb::OUTCOME_DONE) result = FailedErrno(error, path);
      continue;
    }
    StatRow(rows, names, path, stat);
    if (!rows.EndRow()) break;
  }
  return rows.Finish(std::move(result));
}

pb::Result RunHash(const pb::HashArgs& args, VerbRun& run) {
  if (PathCheck check = CheckPaths(args.paths()); !check.good) return std::move(check.failure);
  RowWriter rows(run.out, run.limits.rows);
  rows.Columns(kHashColumns);
  pb::Result result = Done();
  for (const std::string& path : args.paths()) {
    FileHashes hashes;
    if (pb::Result hashed = HashFile(path, hashes); hashed.outcome() != pb::OUTCOME_DONE) {
      if (result.outcome() == pb::OUTCOME_DONE) result = std::move(hashed);
      continue;
    }
    rows.AddText(path);
    rows.AddInteger(static_cast<std::int64_t>(hashes.size));
    rows.AddText(hashes.md5);
    rows.AddText(hashes.sha1);
    rows.AddText(hashes.sha256);
    if (!rows.EndRow()) break;
  }
  return rows.Finish(std::move(result));
}

}  // namespace holdfast::agent
