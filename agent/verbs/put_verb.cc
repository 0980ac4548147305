// put: a fetched blob becomes a file, whole or not at all.
//
// The directory is opened once and everything happens relative to it; the content goes to a file
// without a name (or with a temporary one), is synced, and only then gets the name that was signed.
#include <cerrno>
#include <cstdint>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/adapters/procfs/open_file.h"
#include "agent/verbs/beside_file.h"
#include "agent/verbs/place.h"
#include "agent/verbs/verb_result.h"
#include "agent/verbs/verbs.h"

namespace holdfast::agent {

namespace pb = command::v1;

namespace {

constexpr std::uint32_t kMaxMode = 07777;
constexpr std::uint32_t kDefaultMode = 0600;  // a mode of 0 would be of no use to anyone

// The target as it is now: BAD_ARGUMENT or NOT_A_FILE where it is in the way.
pb::Result CheckTarget(int dir_fd, const std::string& name, const pb::PutArgs& args) {
  FileStat stat;
  if (StatAt(dir_fd, name.c_str(), AT_SYMLINK_NOFOLLOW, stat) != 0) return Done();
  if (S_ISDIR(stat.mode)) {
    return Failed(pb::COMMAND_FAILURE_NOT_A_FILE, Shown(args.path()) + ": " + ErrnoText(EISDIR));
  }
  if (!args.overwrite()) return AlreadyThere(args.path());
  if (!S_ISREG(stat.mode) && !S_ISLNK(stat.mode)) {
    return Failed(pb::COMMAND_FAILURE_NOT_A_FILE, Shown(args.path()) + ": Not a regular file (" +
                                                      std::string(TypeName(stat.mode)) + ")");
  }
  return Done();
}

pb::Result Write(int dir_fd, const std::string& name, const pb::PutArgs& args,
                 const OpenedFile& blob) {
  const std::string& path = args.path();
  BesideFile file(dir_fd, name);
  if (const int error = file.Open(); error != 0) return FailedErrno(error, path);
  if (const int error = CopyAll(blob.fd.get(), file.fd()); error != 0)
    return FailedErrno(error, path);
  const std::uint32_t mode = args.mode() == 0 ? kDefaultMode : args.mode();
  if (fchmod(file.fd(), mode) != 0) return FailedErrno(errno, path);
  if (fsync(file.fd()) != 0) return FailedErrno(errno, path);
  const int error = args.overwrite() ? file.Replace() : file.Create();
  if (error == EEXIST) return AlreadyThere(path);
  if (error != 0) return FailedErrno(error, path);
  if (const int failed = SyncDirectory(dir_fd); failed != 0) return FailedErrno(failed, path);
  pb::Result result = Done();
  FileStat stat;
  if (const int failed = StatFd(file.fd(), stat); failed != 0) return FailedErrno(failed, path);
  FillFacts(stat, path, *result.mutable_file());
  return result;
}

}  // namespace

pb::Result RunPut(const pb::PutArgs& args, VerbRun& run) {
  const std::string& path = args.path();
  if (PathCheck check = CheckPath(path); !check.good) return std::move(check.failure);
  if (PinnedPlace::NameIn(path).empty() || path.ends_with('/')) {
    return Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT, Shown(path) + ": names no file");
  }
  if (args.mode() > kMaxMode) {
    return Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT,
                  Shown(path) + ": a mode has at most 4 octal digits");
  }
  const OpenedFile blob = OpenRegular(std::string(run.blob_path));
  if (blob.error != 0) {
    return Failed(pb::COMMAND_FAILURE_IO, "the fetched content: " + ErrnoText(blob.error));
  }
  if (run.command.blobs_size() != 1 || blob.stat.size != run.command.blobs(0).size()) {
    return Failed(pb::COMMAND_FAILURE_BLOB_CORRUPT,
                  Shown(path) + ": the fetched content has another size");
  }
  PinnedPlace place;
  if (const int error = place.Open(path); error != 0) return FailedErrno(error, place.directory());
  if (OwnState(run.state_dir).HoldsDirectory(place.dir_fd())) return OwnStateRefusal(path);
  if (pb::Result taken = CheckTarget(place.dir_fd(), place.name(), args);
      taken.outcome() != pb::OUTCOME_DONE) {
    return taken;
  }
  run.footprint.set_files_changed(1);  // also if it ends in the middle
  return Write(place.dir_fd(), place.name(), args, blob);
}

}  // namespace holdfast::agent
