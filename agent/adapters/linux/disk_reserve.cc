#include "agent/adapters/linux/disk_reserve.h"

#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/adapters/linux/unique_fd.h"
#include "agent/core/limits.h"

namespace holdfast::agent {
namespace {

constexpr auto kBytes = static_cast<off_t>(kReserveBytes);

bool IsWhole(const std::string& path) {
  struct stat facts {};
  return ::lstat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode) &&
         facts.st_blocks * 512 >= kBytes;
}

}  // namespace

DiskReserve::DiskReserve(std::string path) : path_(std::move(path)), is_kept_(IsWhole(path_)) {}

bool DiskReserve::Release() {
  const bool was_kept = std::exchange(is_kept_, false);
  return ::unlink(path_.c_str()) == 0 && was_kept;
}

void DiskReserve::Keep() {
  if (is_kept_) return;
  const UniqueFd file(
      ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  is_kept_ = file.is_open() && ::posix_fallocate(file.get(), 0, kBytes) == 0;
  if (file.is_open() && !is_kept_) ::unlink(path_.c_str());
}

}  // namespace holdfast::agent
