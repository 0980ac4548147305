#include "agent/adapters/linux/state_dir.h"

#include <cerrno>
#include <cstdlib>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/adapters/linux/directory.h"
#include "agent/adapters/linux/os_error.h"

namespace holdfast::agent {
namespace {

Status WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return OsError("writing", written < 0 ? errno : ENOSPC);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return Ok();
}

}  // namespace

Result<std::string> ReadWholeFile(const std::string& path, std::size_t max_bytes) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return OsError(path, errno);
  std::string out;
  for (;;) {
    char buffer[4096];
    const auto got = ::read(file.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return OsError(path, errno);
    if (got == 0) return out;
    out.append(buffer, static_cast<std::size_t>(got));
    if (out.size() > max_bytes) {
      return Error{Code::kExhausted,
                   path + ": larger than " + std::to_string(max_bytes) + " bytes"};
    }
  }
}

Result<StateDir> StateDir::Open(std::string path, Mode mode) {
  if (mode == Mode::kCreateAndOwn) {
    MakeParents(path);
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return OsError(path, errno);
  }
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return OsError(path, errno);
  if (!S_ISDIR(facts.st_mode)) return Error{Code::kInvalid, path + ": not a directory"};
  if (facts.st_uid != ::geteuid()) {
    return Error{Code::kDenied, path + ": belongs to another user"};
  }
  const std::string lock_path = path + "/agent.lock";
  // A directory without one was never an agent's: nothing is put there, and its mode stays.
  const int create = mode == Mode::kCreateAndOwn ? O_CREAT : 0;
  UniqueFd lock;
  if (mode != Mode::kLook) {
    lock.Reset(::open(lock_path.c_str(), O_RDWR | create | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock.is_open()) {
      return errno == ENOENT ? Error{Code::kNotFound, path + ": no agent was enrolled here"}
                             : OsError(lock_path, errno);
    }
    if ((facts.st_mode & 077) != 0 && ::chmod(path.c_str(), 0700) != 0) return OsError(path, errno);
  }
  char* absolute = ::realpath(path.c_str(), nullptr);  // workers run in another directory
  if (absolute == nullptr) return OsError(path, errno);
  path = absolute;
  ::free(absolute);
  if (mode == Mode::kLook) return StateDir(std::move(path), UniqueFd());
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return Error{Code::kExists, path + ": another holdfast-agent is using this state directory"};
  }
  return StateDir(std::move(path), std::move(lock));
}

Result<std::string> StateDir::ReadFile(std::string_view name, std::size_t max_bytes) const {
  return ReadWholeFile(PathOf(name), max_bytes);
}

Status StateDir::WriteFile(std::string_view name, std::string_view bytes) const {
  const std::string path = PathOf(name);
  const std::string temporary = path + ".new";
  const UniqueFd file(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.is_open()) return OsError(temporary, errno);
  HF_TRY(WriteAll(file.get(), bytes));
  if (::fsync(file.get()) != 0) return OsError(temporary, errno);
  if (::rename(temporary.c_str(), path.c_str()) != 0) return OsError(path, errno);
  return SyncNames();
}

Status StateDir::RemoveFile(std::string_view name) const {
  const std::string path = PathOf(name);
  if (::unlink(path.c_str()) != 0) return errno == ENOENT ? Ok() : Status(OsError(path, errno));
  return SyncNames();
}

Status StateDir::SyncNames() const {
  const UniqueFd dir(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir.is_open() || ::fsync(dir.get()) != 0) return OsError(path_, errno);
  return Ok();
}

}  // namespace holdfast::agent
