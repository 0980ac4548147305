#include "agent/verbs/glob_walk.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "agent/verbs/glob.h"
#include "agent/verbs/tree_walk.h"
#include "common/base/path_pattern.h"

namespace holdfast::agent {
namespace {

constexpr int kSkip = -1;  // of Open(): nothing to tell

// Made by the kernel, or on another machine that may not answer. Older headers lack the last four: statfs(2).
constexpr unsigned long kFarAway[] = {
    PROC_SUPER_MAGIC,      SYSFS_MAGIC,     TRACEFS_MAGIC,         DEBUGFS_MAGIC,
    NFS_SUPER_MAGIC,       SMB_SUPER_MAGIC, AFS_SUPER_MAGIC,       AUTOFS_SUPER_MAGIC,
    CODA_SUPER_MAGIC,      V9FS_MAGIC,      0xFF534D42 /* CIFS */, 0xFE534D42 /* SMB 2 */,
    0x65735546 /* FUSE */, 0x00C36400 /* Ceph */};

bool IsFarAway(int fd) {
  struct statfs at = {};
  if (fstatfs(fd, &at) != 0) return false;
  return std::ranges::find(kFarAway, static_cast<unsigned long>(at.f_type) & 0xFFFFFFFF) !=
         std::end(kFarAway);
}

// Itself, not what a link leads to.
bool IsDirectory(int dir_fd, const std::string& name) {
  struct stat at = {};
  return fstatat(dir_fd, name.c_str(), &at, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(at.st_mode);
}

}  // namespace

GlobWalk::GlobWalk(std::string_view pattern) {
  ForEachComponent(pattern, [this](std::string_view text) {
    const auto depth = DepthOfComponent(text);
    parts_.push_back(
        {.text = std::string(text), .depth = depth.value_or(0), .is_glob = IsGlobComponent(text)});
  });
}

// True: `found` is a match. Otherwise a level was pushed, or there is nothing.
bool GlobWalk::Resolve(int dir_fd, std::string relative, std::string path, std::size_t part,
                       GlobFound& found) {
  for (; part < parts_.size() && !parts_[part].is_glob; ++part) {
    relative = JoinPath(relative, parts_[part].text);
    path = JoinPath(path, parts_[part].text);
  }
  if (part < parts_.size()) {
    if (!path.ends_with('/')) path += '/';
    levels_.push_back({.parent_fd = dir_fd,
                       .relative = std::move(relative),
                       .path = std::move(path),
                       .part = part,
                       .depth = parts_[part].depth});
    return false;
  }
  struct stat at = {};
  const bool is_gone = fstatat(dir_fd, relative.c_str(), &at, AT_SYMLINK_NOFOLLOW) != 0 &&
                       (errno == ENOENT || errno == ENOTDIR);
  found = {.dir_fd = dir_fd, .name = std::move(relative), .path = std::move(path), .error = 0};
  return !is_gone;
}

int GlobWalk::Open(Level& level) {
  level.is_open = true;
  const int links = level.is_nested ? O_NOFOLLOW : 0;
  level.fd.reset(openat(level.parent_fd, level.relative.c_str(),
                        O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK | links));
  if (!level.fd.valid()) {
    const bool is_none = errno == ENOENT || errno == ENOTDIR || (level.is_nested && errno == ELOOP);
    return is_none ? kSkip : errno;
  }
  if (level.is_nested && IsFarAway(level.fd.get())) return kSkip;
  DirectoryNames found = NamesIn(level.fd.get());
  level.names = std::move(found.names);
  level.error = found.error;
  return 0;
}

GlobWalk::Step GlobWalk::Next(GlobFound& found) {
  if (!has_begun_) {
    has_begun_ = true;
    if (Resolve(AT_FDCWD, "/", "/", 0, found)) return Step::kFound;
  }
  while (!levels_.empty()) {
    Level& level = levels_.back();
    int error = level.is_open ? 0 : Open(level);
    if (error == 0 && level.next == level.names.size())
      error = level.error != 0 ? level.error : kSkip;
    if (error != 0) {
      found = {.dir_fd = -1, .name = {}, .path = std::move(level.path), .error = error};
      levels_.pop_back();
      if (error == kSkip) continue;
      return Step::kDenied;
    }
    if (++looked_ > kStepNames) {
      looked_ = 0;
      return Step::kGoesOn;
    }
    const std::string name = level.names[level.next++];
    const std::size_t part = level.part;
    if (parts_[part].depth == 0 && !GlobMatches(parts_[part].text, name, Letters::kAsTheyAre)) {
      continue;
    }
    const bool is_deep = parts_[part].depth > 0;
    const int fd = level.fd.get();
    const std::string path = level.path + name;
    // What is below comes after what the rest of the pattern finds here. `level` is gone from here on.
    if (level.depth > 1) {
      levels_.push_back({.parent_fd = fd,
                         .relative = name,
                         .path = path + "/",
                         .part = part,
                         .depth = level.depth - 1,
                         .is_nested = true});
    }
    if (is_deep && part + 1 < parts_.size() && !IsDirectory(fd, name)) continue;
    if (Resolve(fd, name, path, part + 1, found)) return Step::kFound;
  }
  return Step::kEnd;
}

}  // namespace holdfast::agent
