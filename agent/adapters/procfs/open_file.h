// OpenRegular: a regular file, opened for reading without side effects; and what statx knows of
// files.
//
// The path is resolved once, to an O_PATH descriptor; only when that is a regular file is it opened
// for reading, through that descriptor. A FIFO never blocks, a device is never touched, and no race
// exchanges what was checked for something else. Symbolic links are followed: the analyst signed
// the path, also /proc/PID/exe of a deleted program.
//
// Ownership: OpenedFile owns its descriptor.
// Errors:    `error` is an errno; ENXIO stands for "exists, but is no regular file".
#pragma once

#include <string>

#include "agent/tables/machine.h"

namespace holdfast::agent {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  ~UniqueFd() { reset(); }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

// 0 or an errno. StatAt: `flags` as for statx(2), `path` relative to `dir_fd`.
int StatFd(int fd, FileStat& out);
int StatAt(int dir_fd, const char* path, int flags, FileStat& out);

struct OpenedFile {
  UniqueFd fd;
  FileStat stat;
  int error = 0;
};
OpenedFile OpenRegular(const std::string& path);
// The same for a path in an open directory. Links::kKeep: its last part is not followed if it is a link,
// which is no regular file.
OpenedFile OpenRegularAt(int dir_fd, const std::string& path, Links links = Links::kKeep);

}  // namespace holdfast::agent
