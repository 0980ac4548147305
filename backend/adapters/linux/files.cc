#include "backend/adapters/linux/files.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace holdfast::backend {
namespace {

Error Failed(const std::string& path) {
  const Code code = errno == ENOENT                     ? Code::kNotFound
                    : errno == EACCES || errno == EPERM ? Code::kDenied
                                                        : Code::kInternal;
  return Error{code, path + ": " + std::generic_category().message(errno)};
}

Status Lock(int fd, const std::string& path) {
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return Ok();
  if (errno != EWOULDBLOCK) return Failed(path);
  std::array<char, 32> holder{};
  const ssize_t got = ::read(fd, holder.data(), holder.size());
  const std::string pid(holder.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  return Error{Code::kExists, path + ": held by process " + (pid.empty() ? "?" : pid)};
}

}  // namespace

Error FileUnavailable(const std::string& path) {
  return {Code::kUnavailable, path + ": " + std::generic_category().message(errno)};
}

Status WriteAll(int fd, const std::string& path, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Failed(path);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return Ok();
}

Result<std::string> ReadWholeFile(const std::string& path, std::size_t max_bytes) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return Failed(path);
  std::string content;
  std::array<char, 4096> piece{};
  for (;;) {
    const ssize_t got = ::read(fd.get(), piece.data(), piece.size());
    if (got < 0) return Failed(path);
    if (got == 0) return content;
    content.append(piece.data(), static_cast<std::size_t>(got));
    if (content.size() > max_bytes) {
      return Error{Code::kExhausted,
                   path + ": larger than " + std::to_string(max_bytes) + " bytes"};
    }
  }
}

Status ReplaceFile(const std::string& path, std::string_view content) {
  const std::string next = path + ".new";
  const UniqueFd fd(::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd.valid()) return Failed(next);
  HF_TRY(WriteAll(fd.get(), next, content));
  if (::rename(next.c_str(), path.c_str()) != 0) return Failed(path);
  return Ok();
}

Result<UniqueFd> MemoryFile(std::string_view content) {
  UniqueFd fd(::memfd_create("holdfast", MFD_CLOEXEC));
  if (!fd.valid()) return Failed("memfd_create");
  HF_TRY(WriteAll(fd.get(), "memfd", content));
  return fd;
}

Result<std::string> OwnProgram() {
  struct stat facts {};
  if (::stat("/proc/self/exe", &facts) != 0) return Failed("/proc/self/exe");
  return std::to_string(facts.st_dev) + "-" + std::to_string(facts.st_ino) + "-" +
         std::to_string(facts.st_mtim.tv_sec) + "." + std::to_string(facts.st_mtim.tv_nsec);
}

Status MakeDirectories(const std::string& path) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) return Failed(part);
    if (end == std::string::npos) return Ok();
  }
}

Result<UniqueFd> LockFile(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) return Failed(path);
  HF_TRY(Lock(fd.get(), path));
  if (::ftruncate(fd.get(), 0) != 0) return Failed(path);
  HF_TRY(WriteAll(fd.get(), path, std::to_string(::getpid())));
  return fd;
}

Result<UniqueFd> LockExistingFile(const std::string& path) {
  // Not waiting for a writer, should it be a pipe.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid()) return Failed(path);
  HF_TRY(Lock(fd.get(), path));
  return fd;
}

}  // namespace holdfast::backend
