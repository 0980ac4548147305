#include "backend/sdk/partial_file.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

#include "backend/sdk/files.h"

namespace holdfast::sdk {
namespace {

constexpr int kMaxNumber = 10'000;  // same-named files: more is a loop
// So much is on its way to the disk while so much is written: the fsync at the end then has little left
// to do, and a large file does not push everything else out of the page cache.
constexpr std::uint64_t kStepBytes = std::uint64_t{16} * 1024 * 1024;

// "os-release.2"; of what we name ourselves "etc.2.tar", which stays one to whoever goes by the name.
std::string Numbered(const std::string& path, int number) {
  std::string_view ending;
  for (const std::string_view ours : {".tar", ".zip", ".core", ".lime", ".pcapng"}) {
    if (path.ends_with(ours)) ending = ours;
  }
  return path.substr(0, path.size() - ending.size()) + "." + std::to_string(number) +
         std::string(ending);
}

}  // namespace

Result<std::unique_ptr<PartialFile>> PartialFile::Create(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  HF_TRY(MakeDirs(parent.string(), kDirMode));
  // Not made of the file's own name, which may be as long as a name can be.
  std::string temporary = (parent / ".holdfast-part-XXXXXX").string();
  const int fd = ::mkstemp(temporary.data());  // 0600
  if (fd < 0) return FileError("creating", temporary, errno);
  return std::unique_ptr<PartialFile>(new PartialFile(fd, path, temporary));
}

Result<std::unique_ptr<PartialFile>> PartialFile::CreateUnnamed() {
  std::error_code error;
  std::string temporary =
      (std::filesystem::temp_directory_path(error) / "holdfast-XXXXXX").string();
  const int fd = ::mkstemp(temporary.data());
  if (fd < 0) return FileError("creating", temporary, errno);
  ::unlink(temporary.c_str());
  return std::unique_ptr<PartialFile>(new PartialFile(fd, "", ""));
}

PartialFile::~PartialFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  ::close(fd_);
}

Status PartialFile::Append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FileError("writing", path_, errno);
    bytes.remove_prefix(static_cast<std::size_t>(n));
    length_ += static_cast<std::uint64_t>(n);
  }
  // A file without a name is never synced, and is read again soon.
  return temporary_.empty() || length_ < behind_ + 2 * kStepBytes ? Ok() : MoveOut();
}

// Only how soon, never whether: Commit() syncs it all. It starts writing and waits for nothing: who
// waits for a failed write takes its error away from the fsync to come. What is still being written
// when its turn comes stays in the page cache.
Status PartialFile::MoveOut() {
  const auto from = static_cast<off_t>(behind_);
  constexpr auto kStep = static_cast<off_t>(kStepBytes);
  const bool started = ::sync_file_range(fd_, from + kStep, kStep, SYNC_FILE_RANGE_WRITE) == 0;
  // Some file systems cannot do that; everything else is a write that failed.
  if (!started && errno != ENOSYS && errno != EINVAL && errno != ESPIPE) {
    return FileError("writing", path_, errno);
  }
  (void)::posix_fadvise(fd_, from, kStep, POSIX_FADV_DONTNEED);
  behind_ += kStepBytes;
  return Ok();
}

Status PartialFile::Restart() {
  if (::ftruncate(fd_, 0) != 0 || ::lseek(fd_, 0, SEEK_SET) != 0) {
    return FileError("emptying", path_, errno);
  }
  length_ = behind_ = 0;
  return Ok();
}

Result<std::string> PartialFile::Commit(IfThere if_there) {
  if (::fsync(fd_) != 0) return FileError("syncing", path_, errno);
  std::string name = path_;
  if (if_there == IfThere::kReplace) {
    if (::rename(temporary_.c_str(), name.c_str()) != 0) {
      return FileError("writing", name, errno);
    }
  } else {
    // link() never replaces, whoever else writes here.
    for (int number = 2; ::link(temporary_.c_str(), name.c_str()) != 0; ++number) {
      if (errno == EEXIST && if_there == IfThere::kRefuse) {
        return Error{Code::kExists, name + " is there already"};
      }
      if (errno != EEXIST || number > kMaxNumber) return FileError("writing", name, errno);
      name = Numbered(path_, number);
    }
    ::unlink(temporary_.c_str());
  }
  temporary_.clear();
  const std::string parent = std::filesystem::path(path_).parent_path().string();
  HF_TRY(SyncDir(parent.empty() ? "." : parent));
  return name;
}

Result<std::string> PartialFile::ReadBack(std::uint64_t offset, std::size_t max) const {
  std::string out(max, '\0');
  for (;;) {
    const ssize_t n = ::pread(fd_, out.data(), max, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FileError("reading", path_, errno);
    out.resize(static_cast<std::size_t>(n));
    return out;
  }
}

}  // namespace holdfast::sdk
