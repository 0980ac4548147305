#include "agent/verbs/beside_file.h"

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

namespace holdfast::agent {
namespace {

constexpr std::size_t kCopyBytes = std::size_t{256} * 1024;

}  // namespace

std::string UnguessableName() {
  std::uint64_t number = 0;
  if (getrandom(&number, sizeof number, 0) != sizeof number) {
    number = static_cast<std::uint64_t>(getpid());
  }
  return ".holdfast-put-" + std::to_string(number) + ".tmp";
}

int CopyAll(int from, int to) {
  const auto buffer = std::make_unique<char[]>(kCopyBytes);
  while (true) {
    const ssize_t got = read(from, buffer.get(), kCopyBytes);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) return 0;
    for (ssize_t done = 0; done < got;) {
      const ssize_t wrote = write(to, buffer.get() + done, static_cast<std::size_t>(got - done));
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return errno;
      done += wrote;
    }
  }
}

int SyncDirectory(int dir_fd) {
  const UniqueFd readable(openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return readable.valid() && fsync(readable.get()) != 0 ? errno : 0;
}

BesideFile::BesideFile(int dir_fd, std::string name)
    : dir_fd_(dir_fd), name_(std::move(name)), temporary_(UnguessableName()) {}

BesideFile::~BesideFile() {
  if (named_) (void)unlinkat(dir_fd_, temporary_.c_str(), 0);
}

int BesideFile::Open() {
  fd_.reset(openat(dir_fd_, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
  if (fd_.valid()) return 0;
  // Not every file system can; those say one of several things.
  fd_.reset(openat(dir_fd_, temporary_.c_str(),
                   O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0600));
  named_ = fd_.valid();
  return fd_.valid() ? 0 : errno;
}

int BesideFile::Replace() {
  if (!named_) {
    if (const int error = Link(temporary_); error != 0) return error;
    named_ = true;
  }
  if (renameat(dir_fd_, temporary_.c_str(), dir_fd_, name_.c_str()) != 0) return errno;
  named_ = false;
  return 0;
}

int BesideFile::Create() {
  if (!named_) return Link(name_);
  if (linkat(dir_fd_, temporary_.c_str(), dir_fd_, name_.c_str(), 0) == 0) return 0;
  if (errno == EEXIST) return errno;
  // File systems without hard links.
  if (renameat2(dir_fd_, temporary_.c_str(), dir_fd_, name_.c_str(), RENAME_NOREPLACE) != 0)
    return errno;
  named_ = false;
  return 0;
}

int BesideFile::Link(const std::string& name) const {
  const std::string own = "/proc/self/fd/" + std::to_string(fd_.get());
  return linkat(AT_FDCWD, own.c_str(), dir_fd_, name.c_str(), AT_SYMLINK_FOLLOW) == 0 ? 0 : errno;
}

}  // namespace holdfast::agent
