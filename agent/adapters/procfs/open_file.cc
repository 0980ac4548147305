#include "agent/adapters/procfs/open_file.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace holdfast::agent {

namespace {

std::int64_t Nanoseconds(const struct statx_timestamp& at) {
  return at.tv_sec * 1'000'000'000 + at.tv_nsec;
}

}  // namespace

void UniqueFd::reset(int fd) {
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
}

int StatAt(int dir_fd, const char* path, int flags, FileStat& out) {
  struct statx at = {};
  if (statx(dir_fd, path, flags, STATX_BASIC_STATS | STATX_BTIME, &at) != 0) return errno;
  out = {.size = at.stx_size,
         .mode = at.stx_mode,
         .uid = at.stx_uid,
         .gid = at.stx_gid,
         .inode = at.stx_ino,
         .device = makedev(at.stx_dev_major, at.stx_dev_minor),
         .rdevice = makedev(at.stx_rdev_major, at.stx_rdev_minor),
         .hard_links = at.stx_nlink,
         .blocks = at.stx_blocks,
         .block_size = at.stx_blksize,
         .atime_ns = Nanoseconds(at.stx_atime),
         .mtime_ns = Nanoseconds(at.stx_mtime),
         .ctime_ns = Nanoseconds(at.stx_ctime),
         .btime_ns = (at.stx_mask & STATX_BTIME) != 0 ? Nanoseconds(at.stx_btime) : 0,
         .is_mount_root = (at.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0,
         .says_mount_roots = (at.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0};
  return 0;
}

int StatFd(int fd, FileStat& out) { return StatAt(fd, "", AT_EMPTY_PATH, out); }

namespace {

OpenedFile OpenPinned(int dir_fd, const std::string& path, int links) {
  OpenedFile file;
  const UniqueFd pinned(openat(dir_fd, path.c_str(), O_PATH | O_CLOEXEC | links));
  if (!pinned.valid()) {
    file.error = errno;
    return file;
  }
  file.error = StatFd(pinned.get(), file.stat);
  if (file.error != 0) return file;
  if (!S_ISREG(file.stat.mode)) {
    file.error = ENXIO;
    return file;
  }
  const std::string again = "/proc/self/fd/" + std::to_string(pinned.get());
  constexpr int kFlags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
  // Reading evidence should not change its access time; only the owner or root may ask for that.
  file.fd.reset(open(again.c_str(), kFlags | O_NOATIME));
  if (!file.fd.valid() && errno == EPERM) file.fd.reset(open(again.c_str(), kFlags));
  if (!file.fd.valid()) {
    file.error = errno;
    return file;
  }
  file.error = StatFd(file.fd.get(), file.stat);
  return file;
}

}  // namespace

OpenedFile OpenRegular(const std::string& path) { return OpenPinned(AT_FDCWD, path, 0); }
OpenedFile OpenRegularAt(int dir_fd, const std::string& path, Links links) {
  return OpenPinned(dir_fd, path, links == Links::kKeep ? O_NOFOLLOW : 0);
}

}  // namespace holdfast::agent
