#include "backend/sdk/files.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace holdfast::sdk {
namespace {

Code CodeOf(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR: return Code::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS: return Code::kDenied;
    case EEXIST:
    case ENOTEMPTY: return Code::kExists;
    case ENOSPC:
    case EDQUOT: return Code::kExhausted;
    default: return Code::kInternal;
  }
}

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Status WriteAll(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FileError("writing", path, errno);
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return Ok();
}

std::string ParentOf(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

}  // namespace

Error FileError(const std::string& doing, const std::string& path, int error_number) {
  return {
      CodeOf(error_number),
      doing + " " + path + ": " + std::error_code(error_number, std::generic_category()).message()};
}

Result<std::string> ReadFile(const std::string& path, std::size_t max_bytes) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return FileError("opening", path, errno);
  std::string content;
  std::string piece(std::size_t{64} * 1024, '\0');
  for (;;) {
    const ssize_t n = ::read(fd.get(), piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FileError("reading", path, errno);
    if (n == 0) return content;
    content.append(piece, 0, static_cast<std::size_t>(n));
    if (content.size() > max_bytes) {
      return Error{Code::kExhausted,
                   "reading " + path + ": larger than " + std::to_string(max_bytes) + " bytes"};
    }
  }
}

Status WriteFile(const std::string& path, std::string_view content, mode_t mode,
                 Durability durability) {
  const bool sync = durability == Durability::kSynced;
  std::string temporary = path + ".new-XXXXXX";
  const Fd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (fd.get() < 0) return FileError("creating", temporary, errno);
  const auto finish = [&]() -> Status {
    if (::fchmod(fd.get(), mode) != 0) return FileError("changing the mode of", temporary, errno);
    HF_TRY(WriteAll(fd.get(), content, temporary));
    if (sync && ::fsync(fd.get()) != 0) return FileError("syncing", temporary, errno);
    if (::rename(temporary.c_str(), path.c_str()) != 0) return FileError("writing", path, errno);
    return sync ? SyncDir(ParentOf(path)) : Ok();
  };
  Status done = finish();
  if (!done.ok()) ::unlink(temporary.c_str());
  return done;
}

Status MakeDirs(const std::string& path, mode_t mode) {
  if (path.empty() || path == "/" || path == ".") return Ok();
  if (::mkdir(path.c_str(), mode) == 0) return Ok();
  if (errno == EEXIST) return Ok();
  if (errno != ENOENT) return FileError("making directory", path, errno);
  HF_TRY(MakeDirs(ParentOf(path), mode));
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) {
    return FileError("making directory", path, errno);
  }
  return Ok();
}

Status SyncDir(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) return FileError("opening", path, errno);
  if (::fsync(fd.get()) != 0 && errno != EINVAL) return FileError("syncing", path, errno);
  return Ok();
}

Status RemoveFile(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return FileError("removing", path, errno);
  return Ok();
}

Result<std::vector<std::string>> ListFiles(const std::string& dir, std::size_t max_files) {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator at(dir, error);
  if (error) {
    if (error.value() == ENOENT) return names;
    return FileError("listing", dir, error.value());
  }
  for (; at != std::filesystem::directory_iterator(); at.increment(error)) {
    if (error) return FileError("listing", dir, error.value());
    if (!at->is_regular_file(error)) continue;
    if (names.size() == max_files) {
      return Error{Code::kExhausted, dir + ": more than " + std::to_string(max_files) + " files"};
    }
    names.push_back(at->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool Exists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

}  // namespace holdfast::sdk
