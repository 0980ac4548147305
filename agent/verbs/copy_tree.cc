#include <array>
#include <cerrno>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/verbs/beside_file.h"
#include "agent/verbs/tree_change.h"
#include "agent/verbs/tree_walk.h"
#include "agent/verbs/verb_result.h"

namespace holdfast::agent {

namespace pb = command::v1;

namespace {

constexpr std::size_t kMaxLinkBytes = 4096;  // PATH_MAX

std::array<timespec, 2> TimesOf(const FileStat& stat) {
  const auto time = [](std::int64_t ns) {
    constexpr std::int64_t kSecond = 1'000'000'000;
    const std::int64_t seconds = Seconds(ns);
    return timespec{.tv_sec = seconds, .tv_nsec = ns - seconds * kSecond};
  };
  return {time(stat.atime_ns), time(stat.mtime_ns)};
}

int GiveFacts(int fd, const FileStat& stat) {
  std::uint32_t mode = stat.mode & 07777;
  // Who may not give it away must not lend its own rights to it either.
  if (fchown(fd, stat.uid, stat.gid) != 0) mode &= 01777;
  if (fchmod(fd, mode) != 0) return errno;
  return futimens(fd, TimesOf(stat).data()) == 0 ? 0 : errno;
}

class Copier {
 public:
  Copier(Existing existing, const OwnState& own, Changes& changes)
      : existing_(existing), own_(own), changes_(changes) {}

  // What is no directory. 0 or an errno.
  int Copy(int from_dir, const std::string& name, const FileStat& stat, int to_dir,
           const std::string& to_name) {
    blames_source_ = true;
    int error = EOPNOTSUPP;
    if (S_ISREG(stat.mode)) error = CopyFile(from_dir, name, to_dir, to_name);
    if (S_ISLNK(stat.mode)) error = CopyLink(from_dir, name, stat, to_dir, to_name);
    if (error == 0) ++changes_.files;
    return error;
  }

  // Whether the last Copy() failed because of what was to be copied.
  bool blames_source() const { return blames_source_; }

  // The copy of a directory, open; made unless it may be one that is there.
  // What was there before keeps its owner and mode: `is_new` says so.
  int MakeDirectory(int dir_fd, const std::string& name, UniqueFd& made, bool& is_new) {
    is_new = mkdirat(dir_fd, name.c_str(), 0700) == 0;
    if (!is_new && (errno != EEXIST || existing_ == Existing::kStays)) return errno;
    made.reset(openat(dir_fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    FileStat stat;
    if (!made.valid() || StatFd(made.get(), stat) != 0) return errno;
    if (own_.Is(stat)) return EPERM;
    if (is_new) ++changes_.directories;
    return 0;
  }

  void CopyBelow(UniqueFd from, UniqueFd to, const std::string& from_path) {
    std::vector<UniqueFd> targets;  // of each level
    std::vector<bool> are_new;
    targets.push_back(std::move(to));
    TreeWalk walk(std::move(from), from_path, TreeWalk::Mounts::kNone);
    TreeEntry entry;
    for (auto step = walk.Next(entry); step != TreeWalk::Step::kEnd; step = walk.Next(entry)) {
      int error = entry.error;
      if (step == TreeWalk::Step::kLeave) {
        if (are_new.back()) error = GiveFacts(targets.back().get(), entry.stat);
        targets.pop_back();
        are_new.pop_back();
      } else if (step == TreeWalk::Step::kEntry && S_ISDIR(entry.stat.mode)) {
        UniqueFd made;
        bool is_new = false;
        error = MakeDirectory(targets.back().get(), entry.name, made, is_new);
        if (error == 0) {
          targets.push_back(std::move(made));
          are_new.push_back(is_new);
        }
        if (error != 0) walk.Skip();
      } else if (step == TreeWalk::Step::kEntry) {
        error = Copy(entry.dir_fd, entry.name, entry.stat, targets.back().get(), entry.name);
      }
      if (error != 0) changes_.Fail(entry.path, error);
    }
  }

 private:
  int CopyFile(int from_dir, const std::string& name, int to_dir, const std::string& to_name) {
    const OpenedFile file = OpenRegularAt(from_dir, name);
    if (file.error != 0) return file.error;
    blames_source_ = false;
    BesideFile copy(to_dir, to_name);
    if (const int error = copy.Open(); error != 0) return error;
    if (const int error = CopyAll(file.fd.get(), copy.fd()); error != 0) return error;
    if (const int error = GiveFacts(copy.fd(), file.stat); error != 0) return error;
    if (fsync(copy.fd()) != 0) return errno;
    const int error = existing_ == Existing::kReplaced ? copy.Replace() : copy.Create();
    if (error == 0) changes_.bytes += file.stat.size;
    return error;
  }

  int CopyLink(int from_dir, const std::string& name, const FileStat& stat, int to_dir,
               const std::string& to_name) {
    std::string target(kMaxLinkBytes, '\0');
    const ssize_t size = readlinkat(from_dir, name.c_str(), target.data(), target.size() - 1);
    if (size < 0) return errno;
    blames_source_ = false;
    const bool replaces = existing_ == Existing::kReplaced;
    const std::string made = replaces ? UnguessableName() : to_name;
    if (symlinkat(target.c_str(), to_dir, made.c_str()) != 0) return errno;
    (void)fchownat(to_dir, made.c_str(), stat.uid, stat.gid, AT_SYMLINK_NOFOLLOW);
    (void)utimensat(to_dir, made.c_str(), TimesOf(stat).data(), AT_SYMLINK_NOFOLLOW);
    if (!replaces || renameat(to_dir, made.c_str(), to_dir, to_name.c_str()) == 0) return 0;
    const int error = errno;
    (void)unlinkat(to_dir, made.c_str(), 0);
    return error;
  }

  Existing existing_;
  bool blames_source_ = false;
  const OwnState& own_;
  Changes& changes_;
};

// Into itself there would be no end of it.
bool IsInside(const PinnedPlace& to, const FileStat& from) {
  FileStat target;
  return LiesWithin(to.dir_fd(), IdentityOf(from)) ||
         (to.Stat(target) == 0 && IdentityOf(target) == IdentityOf(from));
}

}  // namespace

void CopyTree(TreeEnd from_end, TreeEnd to_end, Below below, Existing existing, const OwnState& own,
              Changes& changes) {
  const auto& [from, from_path] = from_end;
  const auto& [to, to_path] = to_end;
  FileStat stat;
  if (const int error = from.Stat(stat); error != 0) return changes.Fail(from_path, error);
  if (own.HoldsDirectory(to.dir_fd())) return changes.Fail(OwnStateRefusal(to_path));
  Copier copier(existing, own, changes);
  int error = 0;
  if (!S_ISDIR(stat.mode)) {
    error = copier.Copy(from.dir_fd(), from.name(), stat, to.dir_fd(), to.name());
    if (error != 0 && copier.blames_source()) return changes.Fail(from_path, error);
  } else {
    if (below == Below::kNo) return changes.Fail(NotRecursive(from_path));
    if (IsInside(to, stat)) {
      return changes.Fail(Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT,
                                 Shown(to_path) + ": lies within " + Shown(from_path)));
    }
    UniqueFd source(openat(from.dir_fd(), from.name().c_str(),
                           O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!source.valid()) return changes.Fail(from_path, errno);
    UniqueFd made;
    bool is_new = false;
    error = copier.MakeDirectory(to.dir_fd(), to.name(), made, is_new);
    if (error == 0) {
      const UniqueFd again(fcntl(made.get(), F_DUPFD_CLOEXEC, 0));
      copier.CopyBelow(std::move(source), std::move(made), from_path);
      if (is_new) error = GiveFacts(again.get(), stat);
      if (error == 0 && syncfs(again.get()) != 0) error = errno;
    }
  }
  if (error == 0) error = SyncDirectory(to.dir_fd());
  if (error == EEXIST && existing == Existing::kStays) return changes.Fail(AlreadyThere(to_path));
  if (error != 0) changes.Fail(to_path, error);
}

}  // namespace holdfast::agent
