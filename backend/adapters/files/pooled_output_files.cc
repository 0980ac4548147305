#include "backend/adapters/files/pooled_output_files.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/adapters/files/growing_file.h"

namespace holdfast::backend {
namespace {

namespace fs = std::filesystem;

constexpr auto kStrayUpload = std::chrono::hours(24 * 7);

Result<std::string> ReadAt(const std::string& path, std::uint64_t offset, std::size_t max_bytes) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) {
    return Error{errno == ENOENT ? Code::kNotFound : Code::kUnavailable,
                 path + ": " + std::generic_category().message(errno)};
  }
  std::string out(max_bytes, '\0');
  std::size_t have = 0;
  while (have < max_bytes) {
    const ssize_t got =
        pread(fd, out.data() + have, max_bytes - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;  // an I/O error shows as a short read; its caller knows the length
    have += static_cast<std::size_t>(got);
  }
  close(fd);
  out.resize(have);
  return out;
}

std::optional<std::uint64_t> SizeOf(const std::string& path) {
  struct stat info = {};
  if (lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  return static_cast<std::uint64_t>(info.st_size);
}

}  // namespace

PooledOutputFiles::PooledOutputFiles(Options options, const sign::Crypto& crypto,
                                     std::function<void()> wake)
    : options_(std::move(options)),
      crypto_(crypto),
      pool_({.threads = options_.threads, .max_queued = options_.max_queued_jobs},
            std::move(wake)) {}

PooledOutputFiles::~PooledOutputFiles() = default;

Result<std::unique_ptr<PooledOutputFiles>> PooledOutputFiles::Make(Options options,
                                                                   const sign::Crypto& crypto,
                                                                   std::function<void()> wake) {
  for (const std::string& root : {options.results_dir, options.blobs_dir}) {
    HF_TRY(MakeDirectory(root));
    HF_TRY(MakeDirectory(root + "/incoming"));
    HF_TRY(SyncDirectory(root));
  }
  return std::unique_ptr<PooledOutputFiles>(
      new PooledOutputFiles(std::move(options), crypto, std::move(wake)));
}

const std::string& PooledOutputFiles::Root(FileArea area) const {
  return area == FileArea::kResults ? options_.results_dir : options_.blobs_dir;
}

std::string PooledOutputFiles::IncomingPath(const FileName& file) const {
  return Root(file.area) + "/incoming/" + file.name.hex();
}

std::string PooledOutputFiles::SealedPath(FileArea area, const Digest& sha256) const {
  const std::string hex = sha256.hex();
  return Root(area) + "/" + hex.substr(0, 2) + "/" + hex;
}

void PooledOutputFiles::RemoveStray(const std::vector<Nonce16>& named) {
  std::set<std::string> keep;
  for (const Nonce16& name : named) keep.insert(name.hex());
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(options_.results_dir + "/incoming", error)) {
    if (!keep.contains(entry.path().filename().string())) fs::remove(entry.path(), error);
  }
  const auto oldest = fs::file_time_type::clock::now() - kStrayUpload;
  for (const auto& entry : fs::directory_iterator(options_.blobs_dir + "/incoming", error)) {
    const auto written = fs::last_write_time(entry.path(), error);
    if (!error && written < oldest) fs::remove(entry.path(), error);
  }
}

void PooledOutputFiles::MakeRoom() {
  if (open_.size() < options_.max_open_files) return;
  auto oldest = open_.end();
  for (auto it = open_.begin(); it != open_.end(); ++it) {
    if (it->second.running) continue;
    if (oldest == open_.end() || it->second.used < oldest->second.used) oldest = it;
  }
  if (oldest != open_.end()) open_.erase(oldest);
}

void PooledOutputFiles::Start(FileJob job) {
  const FileName name = job.file;
  if (!open_.contains(name)) MakeRoom();
  Entry& entry = open_[name];
  HF_CHECK(!entry.running);
  if (!entry.file) entry.file = std::make_shared<GrowingFile>(crypto_, IncomingPath(name));
  entry.running = true;
  entry.used = ++uses_;
  const std::string sealed = job.seal ? SealedPath(name.area, *job.seal) : std::string();
  // Written on the pool, read in done: the pool's queue orders the two.
  const auto result = std::make_shared<FileDone>(FileDone{name, Ok(), 0, std::nullopt});
  const auto shared_job = std::make_shared<const FileJob>(std::move(job));
  const std::shared_ptr<GrowingFile> file = entry.file;
  const Status taken =
      pool_.Submit([result, shared_job, file, sealed] { *result = file->Run(*shared_job, sealed); },
                   [this, result] { done_.push_back(std::move(*result)); });
  if (taken.ok()) return;
  done_.push_back({name, Error{Code::kUnavailable, "too many file jobs at once"}, 0, std::nullopt});
}

std::vector<FileDone> PooledOutputFiles::Drain() {
  pool_.Drain();
  for (const FileDone& done : done_) {
    const auto found = open_.find(done.file);
    if (found == open_.end()) continue;
    found->second.running = false;
    // What a failed write or sync left behind is looked at afresh, from the disk.
    if (!done.status.ok()) open_.erase(found);
  }
  return std::exchange(done_, {});
}

Result<std::string> PooledOutputFiles::Read(const FileName& file, std::uint64_t offset,
                                            std::size_t max_bytes) {
  return ReadAt(IncomingPath(file), offset, max_bytes);
}

Result<std::string> PooledOutputFiles::ReadSealed(FileArea area, const Digest& sha256,
                                                  std::uint64_t offset, std::size_t max_bytes) {
  return ReadAt(SealedPath(area, sha256), offset, max_bytes);
}

std::optional<std::uint64_t> PooledOutputFiles::LengthOf(const FileName& file) {
  return SizeOf(IncomingPath(file));
}

std::optional<std::uint64_t> PooledOutputFiles::LengthOfSealed(FileArea area,
                                                               const Digest& sha256) {
  return SizeOf(SealedPath(area, sha256));
}

void PooledOutputFiles::Forget(const FileName& file) {
  const auto found = open_.find(file);
  if (found != open_.end() && !found->second.running) open_.erase(found);
  (void)unlink(IncomingPath(file).c_str());
}

}  // namespace holdfast::backend
