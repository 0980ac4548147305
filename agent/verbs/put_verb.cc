// put: a fetched blob becomes a file, whole or not at all.
//
// The directory is opened once and everything happens relative to it; the content goes to a file
// without a name (or with a temporary one), is synced, and only then gets the name that was signed.
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/adapters/procfs/open_file.h"
#include "agent/verbs/verb_result.h"
#include "agent/verbs/verbs.h"

namespace holdfast::agent {

namespace pb = command::v1;

namespace {

constexpr std::uint32_t kMaxMode = 07777;
constexpr std::uint32_t kDefaultMode = 0600;  // a mode of 0 would be of no use to anyone
constexpr std::size_t kCopyBytes = std::size_t{256} * 1024;

// Nobody who may write to the directory can know it and be there first.
std::string RandomName() {
  std::uint64_t number = 0;
  if (getrandom(&number, sizeof number, 0) != sizeof number) {
    number = static_cast<std::uint64_t>(getpid());
  }
  return ".holdfast-put-" + std::to_string(number) + ".tmp";
}

// A file being written beside its target; removes its temporary name unless it was given the final one.
class BesideFile {
 public:
  BesideFile(int dir_fd, const std::string& name)
      : dir_fd_(dir_fd), name_(name), temporary_(RandomName()) {}
  ~BesideFile() {
    if (named_) (void)unlinkat(dir_fd_, temporary_.c_str(), 0);
  }
  BesideFile(const BesideFile&) = delete;
  BesideFile& operator=(const BesideFile&) = delete;
  int fd() const { return fd_.get(); }

  int Open() {
    fd_.reset(openat(dir_fd_, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
    if (fd_.valid()) return 0;
    // Not every file system can; those say one of several things.
    fd_.reset(openat(dir_fd_, temporary_.c_str(),
                     O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0600));
    named_ = fd_.valid();
    return fd_.valid() ? 0 : errno;
  }

  // Replaces what is there in one step.
  int Replace() {
    if (!named_) {
      if (const int error = Link(temporary_); error != 0) return error;
      named_ = true;
    }
    if (renameat(dir_fd_, temporary_.c_str(), dir_fd_, name_.c_str()) != 0) return errno;
    named_ = false;
    return 0;
  }

  // EEXIST when the name is taken, whoever took it and when.
  int Create() {
    if (!named_) return Link(name_);
    if (linkat(dir_fd_, temporary_.c_str(), dir_fd_, name_.c_str(), 0) == 0) return 0;
    if (errno == EEXIST) return errno;
    // File systems without hard links.
    if (renameat2(dir_fd_, temporary_.c_str(), dir_fd_, name_.c_str(), RENAME_NOREPLACE) != 0)
      return errno;
    named_ = false;
    return 0;
  }

 private:
  int Link(const std::string& name) const {
    const std::string own = "/proc/self/fd/" + std::to_string(fd_.get());
    return linkat(AT_FDCWD, own.c_str(), dir_fd_, name.c_str(), AT_SYMLINK_FOLLOW) == 0 ? 0 : errno;
  }

  int dir_fd_;
  std::string name_;
  std::string temporary_;
  UniqueFd fd_;
  bool named_ = false;  // temporary_ exists
};

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

pb::Result Taken(const std::string& path) {
  return Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT,
                Shown(path) + ": " + ErrnoText(EEXIST) + "; overwrite was not asked for");
}

// The target as it is now: BAD_ARGUMENT or NOT_A_FILE where it is in the way.
pb::Result CheckTarget(int dir_fd, const std::string& name, const pb::PutArgs& args) {
  FileStat stat;
  if (StatAt(dir_fd, name.c_str(), AT_SYMLINK_NOFOLLOW, stat) != 0) return Done();
  if (S_ISDIR(stat.mode)) {
    return Failed(pb::COMMAND_FAILURE_NOT_A_FILE, Shown(args.path()) + ": " + ErrnoText(EISDIR));
  }
  if (!args.overwrite()) return Taken(args.path());
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
  if (error == EEXIST) return Taken(path);
  if (error != 0) return FailedErrno(error, path);
  const UniqueFd readable(openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (readable.valid() && fsync(readable.get()) != 0) return FailedErrno(errno, path);
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
  const std::size_t slash = path.rfind('/');
  const std::string name = path.substr(slash + 1);
  if (name.empty() || name == "." || name == "..") {
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
  const std::string directory = slash == 0 ? "/" : path.substr(0, slash);
  const UniqueFd dir(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!dir.valid()) return FailedErrno(errno, directory);
  if (pb::Result taken = CheckTarget(dir.get(), name, args); taken.outcome() != pb::OUTCOME_DONE) {
    return taken;
  }
  return Write(dir.get(), name, args, blob);
}

}  // namespace holdfast::agent
