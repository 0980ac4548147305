#include "agent/verbs/place.h"

#include <cerrno>

#include <fcntl.h>

namespace holdfast::agent {
namespace {

constexpr int kMaxParents = 4096;  // a path of PATH_MAX bytes has no more

std::string_view WithoutSlashes(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

}  // namespace

std::string_view PinnedPlace::NameIn(std::string_view path) {
  path = WithoutSlashes(path);
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return name == "." || name == ".." ? std::string_view() : name;
}

int PinnedPlace::Open(const std::string& path) {
  name_ = NameIn(path);
  const std::string_view whole = WithoutSlashes(path);
  const std::size_t slash = whole.rfind('/');
  directory_ = slash == 0 || slash == std::string_view::npos ? "/" : whole.substr(0, slash);
  if (name_.empty()) return EINVAL;
  dir_.reset(open(directory_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  return dir_.valid() ? 0 : errno;
}

int PinnedPlace::Stat(FileStat& stat) const {
  return StatAt(dir_.get(), name_.c_str(), AT_SYMLINK_NOFOLLOW, stat);
}

bool LiesWithin(int dir_fd, const FileIdentity& which) {
  UniqueFd fd(openat(dir_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  FileStat stat;
  if (!fd.valid() || StatFd(fd.get(), stat) != 0) return false;
  for (int i = 0; i < kMaxParents; ++i) {
    const FileIdentity here = IdentityOf(stat);
    if (here == which) return true;
    fd.reset(openat(fd.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid() || StatFd(fd.get(), stat) != 0) return false;
    if (IdentityOf(stat) == here) return false;  // the root
  }
  return false;
}

OwnState::OwnState(std::string_view state_dir)
    : fd_(open(std::string(state_dir).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {
  if (fd_.valid() && StatFd(fd_.get(), stat_) != 0) fd_.reset();
}

bool OwnState::Is(const FileStat& stat) const {
  return fd_.valid() && IdentityOf(stat) == IdentityOf(stat_);
}

bool OwnState::HoldsDirectory(int dir_fd) const {
  return fd_.valid() && LiesWithin(dir_fd, IdentityOf(stat_));
}

bool OwnState::Holds(int dir_fd, const FileStat& stat) const {
  return fd_.valid() && (LiesWithin(fd_.get(), IdentityOf(stat)) || HoldsDirectory(dir_fd));
}

OwnKey::OwnKey(std::string_view state_dir) {
  FileStat stat;
  const std::string path = std::string(state_dir) + "/identity.key";
  is_known_ = StatAt(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, stat) == 0;
  if (is_known_) identity_ = IdentityOf(stat);
}

OpenedFile OwnKey::Guard(OpenedFile file) const {
  if (!is_known_ || file.error != 0 || IdentityOf(file.stat) != identity_) return file;
  return OpenedFile{UniqueFd(), file.stat, EACCES};
}

}  // namespace holdfast::agent
