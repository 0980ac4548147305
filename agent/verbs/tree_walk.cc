#include "agent/verbs/tree_walk.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <string_view>

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace holdfast::agent {
namespace {

struct CloseDir {
  void operator()(DIR* dir) const { closedir(dir); }
};

bool IsPseudo(int fd) {
  struct statfs at = {};
  if (fstatfs(fd, &at) != 0) return false;
  return at.f_type == PROC_SUPER_MAGIC || at.f_type == SYSFS_MAGIC;
}

// "mnt_id:\t28" of an open descriptor; every kernel says it. Empty: /proc is not there.
std::string MountOf(int fd) {
  const int info = open(("/proc/self/fdinfo/" + std::to_string(fd)).c_str(), O_RDONLY | O_CLOEXEC);
  if (info < 0) return {};
  std::array<char, 512> text{};
  const ssize_t got = read(info, text.data(), text.size());
  close(info);
  const std::string_view all(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  const std::size_t at = all.find("mnt_id:");
  return at == std::string_view::npos ? "" : std::string(all.substr(at, all.find('\n', at) - at));
}

}  // namespace

DirectoryNames NamesIn(int fd) {
  DirectoryNames found;
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  int own = openat(fd, ".", kFlags | O_NOATIME);  // only the owner and root may ask for that
  if (own < 0 && errno == EPERM) own = openat(fd, ".", kFlags);
  const std::unique_ptr<DIR, CloseDir> dir(own < 0 ? nullptr : fdopendir(own));
  if (dir == nullptr) {
    found.error = errno;
    return found;
  }
  while (true) {
    errno = 0;
    const dirent* entry = readdir(dir.get());
    if (entry == nullptr) {
      found.error = errno;
      break;
    }
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (found.names.size() == kMaxListEntries) {
      found.error = E2BIG;
      break;
    }
    found.names.emplace_back(name);
  }
  std::sort(found.names.begin(), found.names.end());
  return found;
}

std::string JoinPath(const std::string& directory, const std::string& name) {
  return directory + (directory.ends_with('/') ? "" : "/") + name;
}

TreeWalk::TreeWalk(UniqueFd root, std::string path, Mounts mounts) : mounts_(mounts) {
  TreeEntry entry;
  entry.path = std::move(path);
  (void)StatFd(root.get(), entry.stat);
  device_ = entry.stat.device;
  if (mounts_ == Mounts::kNone && !entry.stat.says_mount_roots) mount_ = MountOf(root.get());
  Push(std::move(root), std::move(entry));
}

void TreeWalk::Push(UniqueFd fd, TreeEntry entry) {
  DirectoryNames found = NamesIn(fd.get());
  entry.error = found.error;
  levels_.push_back(
      {.fd = std::move(fd), .entry = std::move(entry), .names = std::move(found.names), .next = 0});
}

bool TreeWalk::PassesOver(const FileStat& stat) const {
  return mounts_ == Mounts::kNone && (stat.is_mount_root || stat.device != device_);
}

// last_ becomes a level, or is left again at the next call. What is passed over is no failure, nor is what
// vanished.
int TreeWalk::Enter() {
  leave_ = true;
  if (PassesOver(last_.stat)) return 0;  // before open(), which would have it mounted
  if (levels_.size() >= kMaxDepth) return ELOOP;
  UniqueFd fd(openat(last_.dir_fd, last_.name.c_str(),
                     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return errno == ENOENT ? 0 : errno;
  TreeEntry opened = last_;
  if (const int error = StatFd(fd.get(), opened.stat); error != 0) return error;
  // Before Linux 5.8 a bind mount has the same device and no mark of its own.
  if (!mount_.empty() && MountOf(fd.get()) != mount_) return 0;
  if (PassesOver(opened.stat) || (mounts_ == Mounts::kNoPseudo && IsPseudo(fd.get()))) return 0;
  leave_ = false;
  Push(std::move(fd), std::move(opened));
  return 0;
}

TreeWalk::Step TreeWalk::Next(TreeEntry& entry) {
  if (enter_) {
    enter_ = false;
    if (const int error = Enter(); error != 0) {
      entry = last_;
      entry.error = error;
      return Step::kDenied;
    }
  }
  if (leave_) {
    leave_ = false;
    entry = last_;
    return Step::kLeave;
  }
  while (!levels_.empty()) {
    Level& level = levels_.back();
    if (level.next == level.names.size()) {
      entry = level.entry;
      if (level.entry.error != 0) {  // not all of its names could be had
        level.entry.error = 0;
        return Step::kDenied;
      }
      levels_.pop_back();
      if (levels_.empty()) break;
      return Step::kLeave;
    }
    last_.dir_fd = level.fd.get();
    last_.name = level.names[level.next++];
    last_.path = JoinPath(level.entry.path, last_.name);
    last_.depth = levels_.size();
    last_.error = StatAt(last_.dir_fd, last_.name.c_str(), AT_SYMLINK_NOFOLLOW, last_.stat);
    if (last_.error == ENOENT) continue;
    entry = last_;
    if (last_.error != 0) return Step::kDenied;
    enter_ = S_ISDIR(last_.stat.mode);
    return Step::kEntry;
  }
  return Step::kEnd;
}

}  // namespace holdfast::agent
