#include "agent/verbs/pty_recording.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/core/limits.h"

namespace holdfast::agent {
namespace {

constexpr mode_t kRecordingsMode = 0700;
constexpr mode_t kRecordingMode = 0600;

struct Kept {
  std::string name;
  std::int64_t changed_s = 0;
  std::uint64_t bytes = 0;
};

std::vector<Kept> ListKept(const std::string& directory) {
  std::vector<Kept> kept;
  DIR* const open = opendir(directory.c_str());
  if (open == nullptr) return kept;
  while (const dirent* entry = readdir(open)) {
    struct stat facts = {};
    if (fstatat(dirfd(open), entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (!S_ISREG(facts.st_mode)) continue;
    kept.push_back({entry->d_name, facts.st_mtime, static_cast<std::uint64_t>(facts.st_size)});
  }
  (void)closedir(open);
  std::sort(kept.begin(), kept.end(),
            [](const Kept& a, const Kept& b) { return a.changed_s > b.changed_s; });
  return kept;
}

// Whoever records holds a lock on the file, so that another terminal's start does not take it away under him.
void UnlinkUnlessRecorded(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file.valid() || flock(file.get(), LOCK_EX | LOCK_NB) != 0) return;
  (void)unlink(path.c_str());
}

// The newest stay, as far as there is room for them and for one more.
void MakeRoom(const std::string& directory) {
  std::uint64_t bytes = 0;
  std::size_t count = 0;
  for (const Kept& one : ListKept(directory)) {
    bytes += one.bytes;
    if (++count < kKeptRecordings && bytes <= kKeptRecordingBytes) continue;
    UnlinkUnlessRecorded(directory + "/" + one.name);
  }
}

}  // namespace

int PtyRecording::Open(std::string_view state_dir, const Digest& command) {
  const std::string directory = std::string(state_dir) + "/recordings";
  if (mkdir(directory.c_str(), kRecordingsMode) != 0 && errno != EEXIST) return errno;
  MakeRoom(directory);
  path_ = directory + "/" + command.hex() + ".cast";
  file_.reset(
      open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kRecordingMode));
  if (!file_.valid()) return errno;
  return flock(file_.get(), LOCK_SH | LOCK_NB) == 0 ? 0 : errno;
}

int PtyRecording::Append(std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = write(file_.get(), text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return 0;
}

int PtyRecording::Close() {
  const int error = fdatasync(file_.get()) == 0 ? 0 : errno;
  file_.reset();
  return error;
}

}  // namespace holdfast::agent
