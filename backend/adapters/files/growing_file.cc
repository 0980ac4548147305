#include "backend/adapters/files/growing_file.h"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace holdfast::backend {
namespace {

// What stays in the page cache behind the end: whoever watches the output reads it back from there, and
// lags by a few windows at most. Older bytes leave it, so that a large file does not push out all else.
constexpr std::uint64_t kKeptInCacheBytes = std::uint64_t{32} * 1024 * 1024;

Error Failed(const std::string& what, const std::string& path) {
  return {Code::kUnavailable, what + " " + path + ": " + std::generic_category().message(errno)};
}

std::string DirectoryOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

}  // namespace

Status SyncDirectory(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Failed("opening", path);
  const int synced = fsync(fd);
  close(fd);
  return synced == 0 ? Ok() : Status(Failed("syncing", path));
}

Status MakeDirectory(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return Ok();
  return Failed("making", path);
}

GrowingFile::~GrowingFile() {
  if (fd_ >= 0) close(fd_);
}

FileDone GrowingFile::Run(const FileJob& job, const std::string& sealed_path) {
  FileDone done{job.file, Ok(), 0, std::nullopt};
  done.status = Open(job.offset);
  for (const std::string& piece : job.pieces) {
    if (done.status.ok()) done.status = Append(piece);
  }
  if (done.status.ok() && (job.sync || job.seal) && fdatasync(fd_) != 0) {
    done.status = Failed("syncing", path_);
  }
  if (!done.status.ok()) return done;
  if (job.sync || job.seal) LeaveCache();
  done.length = length_;
  if (job.want_sha256 || job.seal) done.sha256 = hasher_->Clone()->Finish();
  if (job.seal) done.status = Seal(*done.sha256, *job.seal, sealed_path);
  return done;
}

// Opened, cut to `offset`, hashed up to there.
Status GrowingFile::Open(std::uint64_t offset) {
  if (fd_ < 0) {
    fd_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd_ < 0) return Failed("opening", path_);
    // The name must survive, too, before anybody is told of the bytes.
    Status synced = SyncDirectory(DirectoryOf(path_));
    struct stat info = {};
    if (fstat(fd_, &info) != 0) return Failed("looking at", path_);
    if (!synced.ok()) {
      // Not asked again for the same name: an empty file is made anew.
      if (info.st_size == 0) (void)unlink(path_.c_str());
      return synced;
    }
    length_ = static_cast<std::uint64_t>(info.st_size);
    hasher_.reset();
  }
  if (length_ < offset) {
    return Error{Code::kCorrupt, "bytes that were stored are missing: " + path_};
  }
  if (length_ == offset && hasher_ != nullptr) return Ok();
  if (length_ > offset && ftruncate(fd_, static_cast<off_t>(offset)) != 0) {
    return Failed("cutting", path_);
  }
  length_ = offset;
  left_cache_ = 0;
  return HashPrefix(offset);
}

Status GrowingFile::HashPrefix(std::uint64_t length) {
  hasher_ = crypto_.NewSha256();
  std::string buffer(std::size_t{256} * 1024, '\0');
  for (std::uint64_t at = 0; at < length;) {
    const std::size_t want =
        static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), length - at));
    const ssize_t got = pread(fd_, buffer.data(), want, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return Failed("reading", path_);
    hasher_->Update({buffer.data(), static_cast<std::size_t>(got)});
    at += static_cast<std::uint64_t>(got);
  }
  return Ok();
}

Status GrowingFile::Append(const std::string& piece) {
  for (std::size_t at = 0; at < piece.size();) {
    const ssize_t put =
        pwrite(fd_, piece.data() + at, piece.size() - at, static_cast<off_t>(length_ + at));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return Failed("writing", path_);
    at += static_cast<std::size_t>(put);
  }
  length_ += piece.size();
  hasher_->Update(piece);
  return Ok();
}

// Synced bytes only: dirty ones would stay anyway. A hint, so a failure changes nothing.
void GrowingFile::LeaveCache() {
  if (length_ < left_cache_ + 2 * kKeptInCacheBytes) return;
  const std::uint64_t end = length_ - kKeptInCacheBytes;
  (void)posix_fadvise(fd_, static_cast<off_t>(left_cache_), static_cast<off_t>(end - left_cache_),
                      POSIX_FADV_DONTNEED);
  left_cache_ = end;
}

Status GrowingFile::Seal(const Digest& sha256, const Digest& wanted,
                         const std::string& sealed_path) const {
  if (sha256 != wanted) {
    return Error{Code::kCorrupt,
                 "the content has SHA-256 " + sha256.hex() + ", not " + wanted.hex()};
  }
  const std::string folder = DirectoryOf(sealed_path);
  HF_TRY(MakeDirectory(folder));
  HF_TRY(SyncDirectory(DirectoryOf(folder)));
  // There already: the same bytes, from another command.
  const bool is_new = link(path_.c_str(), sealed_path.c_str()) == 0;
  if (!is_new && errno != EEXIST) return Failed("linking", sealed_path);
  Status synced = SyncDirectory(folder);
  // A failed sync is not asked again: the next seal gives the name anew.
  if (!synced.ok() && is_new) (void)unlink(sealed_path.c_str());
  return synced;
}

}  // namespace holdfast::backend
