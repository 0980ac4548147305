// ls, stat, hash: what files are, without their content.
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "agent/adapters/procfs/hash_file.h"
#include "agent/adapters/procfs/open_file.h"
#include "agent/verbs/account_names.h"
#include "agent/verbs/file_rows.h"
#include "agent/verbs/row_writer.h"
#include "agent/verbs/tree_walk.h"
#include "agent/verbs/verb_result.h"
#include "agent/verbs/verbs.h"

namespace holdfast::agent {

namespace pb = command::v1;

namespace {

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

// Entries of a directory, and with `recursive` what lies below; what may not be entered is listed only.
void List(const pb::LsArgs& args, UniqueFd fd, RowWriter& rows) {
  const AccountNames names;
  TreeWalk walk(std::move(fd), args.path(), TreeWalk::Mounts::kNone);
  TreeEntry entry;
  for (auto step = walk.Next(entry); step != TreeWalk::Step::kEnd; step = walk.Next(entry)) {
    if (step != TreeWalk::Step::kEntry) continue;
    const bool hidden = entry.name.front() == '.' && !args.all();
    if (hidden || !args.recursive()) walk.Skip();
    if (hidden) continue;
    AddFileValues(rows, names, entry.dir_fd, entry.name, entry.path, entry.stat);
    if (!rows.EndRow()) return;
  }
}

std::string DeviceText(std::uint64_t device) {
  return std::to_string(major(device)) + ":" + std::to_string(minor(device));
}

void StatRow(RowWriter& rows, AccountNames& names, const std::string& path, const FileStat& stat) {
  AddKindAndOwner(rows, names, path, stat);
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

pb::Result HashFile(const std::string& path, FileHashes& hashes) {
  const OpenedFile file = OpenRegular(path);
  if (file.error != 0) return OpenFailure(file, path);
  if (const int error = HashFd(file.fd.get(), hashes, nullptr); error != 0)
    return FailedErrno(error, path);
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
  // A link to a directory is asked for as the directory: what an analyst means by `ls /lib`.
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid() && errno != ENOTDIR && errno != ENOENT) return FailedErrno(errno, path);
  rows.Columns(kFileColumns);
  if (fd.valid()) {
    List(args, std::move(fd), rows);
  } else {
    AddFileValues(rows, AccountNames(), AT_FDCWD, path, path, stat);
    (void)rows.EndRow();
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
