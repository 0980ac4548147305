// archive: paths and what lies below them as one pax archive, made while it is sent.
//
// A member's size is what the file had when it was opened: one that grows is cut there, one that shrinks
// is filled with zeros and told. Hard links are separate members.
#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/adapters/procfs/open_file.h"
#include "agent/core/worker_messages.h"
#include "agent/verbs/account_names.h"
#include "agent/verbs/place.h"
#include "agent/verbs/skipped.h"
#include "agent/verbs/tar_header.h"
#include "agent/verbs/tree_walk.h"
#include "agent/verbs/verb_result.h"
#include "agent/verbs/verbs.h"

namespace holdfast::agent {

namespace pb = command::v1;

namespace {

constexpr std::size_t kPieceBytes = kMaxWorkerMessageBytes;
constexpr std::size_t kMaxLinkBytes = 4096;  // PATH_MAX

class Archive {
 public:
  explicit Archive(VerbRun& run)
      : out_(run.out), key_(run.state_dir), buffer_(std::make_unique<char[]>(kPieceBytes)) {}

  // A path that was asked for: links are followed, as get does. False: the output is full.
  bool Path(const std::string& path) {
    TreeEntry entry;
    entry.dir_fd = AT_FDCWD;
    entry.name = entry.path = path;
    const int error = StatAt(AT_FDCWD, path.c_str(), 0, entry.stat);
    if (error != 0) return Pass(path, ErrnoText(error));
    if (S_ISREG(entry.stat.mode)) return File(path, key_.Guard(OpenRegular(path)));
    if (!Entry(entry)) return false;
    if (!S_ISDIR(entry.stat.mode)) return true;
    UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK));
    if (!fd.valid()) return Pass(path, ErrnoText(errno));
    return Below(std::move(fd), path);
  }

  pb::Result End() {
    if (!Zeros(kTarEndBytes)) return Full();
    return skipped_.Told(Done(), "not whole in the archive");
  }
  pb::Result Full() const {
    pb::Result full =
        Failed(pb::COMMAND_FAILURE_OUTPUT_LIMIT,
               "the archive ends after " + std::to_string(out_.written_bytes()) + " bytes");
    full.set_truncated(true);
    return full;
  }

 private:
  bool Pass(const std::string& path, const std::string& why) {
    skipped_.Add(path, why);
    return true;
  }

  bool Below(UniqueFd fd, const std::string& path) {
    TreeWalk walk(std::move(fd), path, TreeWalk::Mounts::kNone);
    TreeEntry entry;
    for (auto step = walk.Next(entry); step != TreeWalk::Step::kEnd; step = walk.Next(entry)) {
      if (step == TreeWalk::Step::kDenied) Pass(entry.path, ErrnoText(entry.error));
      if (step != TreeWalk::Step::kEntry) continue;
      const bool goes_on =
          S_ISREG(entry.stat.mode)
              ? File(entry.path, key_.Guard(OpenRegularAt(entry.dir_fd, entry.name)))
              : Entry(entry);
      if (!goes_on) return false;
    }
    return true;
  }

  bool Header(const std::string& path, const FileStat& stat, const std::string& target) {
    std::string name = path.substr(std::min(path.find_first_not_of('/'), path.size()));
    if (name.empty()) name = "./";
    if (S_ISDIR(stat.mode) && !name.ends_with('/')) name += '/';
    return out_.Output(TarHeader({.name = name,
                                  .target = target,
                                  .user = names_.UserOf(stat.uid),
                                  .group = names_.GroupOf(stat.gid),
                                  .stat = stat}));
  }

  // What has no content.
  bool Entry(const TreeEntry& entry) {
    if (S_ISSOCK(entry.stat.mode)) return Pass(entry.path, "a socket");
    std::string target;
    if (S_ISLNK(entry.stat.mode)) {
      target.resize(kMaxLinkBytes);
      const ssize_t size =
          readlinkat(entry.dir_fd, entry.name.c_str(), target.data(), target.size());
      if (size < 0) return Pass(entry.path, ErrnoText(errno));
      target.resize(static_cast<std::size_t>(size));
    }
    return Header(entry.path, entry.stat, target);
  }

  bool File(const std::string& path, const OpenedFile& file) {
    if (file.error != 0) {
      return Pass(path, file.error == ENXIO ? "another thing now" : ErrnoText(file.error));
    }
    if (!Header(path, file.stat, "")) return false;
    (void)posix_fadvise(file.fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    std::uint64_t left = file.stat.size;
    while (left > 0) {
      const ssize_t got =
          read(file.fd.get(), buffer_.get(),
               static_cast<std::size_t>(std::min<std::uint64_t>(left, kPieceBytes)));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) {
        Pass(path, (got < 0 ? ErrnoText(errno) : std::string("became shorter")) + "; zeros from " +
                       std::to_string(file.stat.size - left) + " on");
        if (!Zeros(left)) return false;
        break;
      }
      if (!out_.Output({buffer_.get(), static_cast<std::size_t>(got)})) return false;
      left -= static_cast<std::uint64_t>(got);
    }
    return Zeros(TarPadding(file.stat.size));
  }

  bool Zeros(std::uint64_t count) {
    std::fill_n(buffer_.get(), std::min<std::uint64_t>(count, kPieceBytes), '\0');
    while (count > 0) {
      const std::uint64_t piece = std::min<std::uint64_t>(count, kPieceBytes);
      if (!out_.Output({buffer_.get(), static_cast<std::size_t>(piece)})) return false;
      count -= piece;
    }
    return true;
  }

  OutputPort& out_;
  const OwnKey key_;
  std::unique_ptr<char[]> buffer_;
  AccountNames names_;
  Skipped skipped_;
};

// A path that was named is no accident: if it cannot be read, nothing is sent.
pb::Result CanBeRead(const std::string& path) {
  FileStat stat;
  if (const int error = StatAt(AT_FDCWD, path.c_str(), 0, stat); error != 0) {
    return FailedErrno(error, path);
  }
  if (S_ISREG(stat.mode)) {
    const OpenedFile file = OpenRegular(path);
    return file.error == 0 ? Done() : OpenFailure(file, path);
  }
  if (!S_ISDIR(stat.mode)) return Done();
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK));
  return fd.valid() ? Done() : FailedErrno(errno, path);
}

}  // namespace

pb::Result RunArchive(const pb::ArchiveArgs& args, VerbRun& run) {
  if (PathCheck check = CheckPaths(args.paths()); !check.good) return std::move(check.failure);
  for (const std::string& path : args.paths()) {
    if (pb::Result can = CanBeRead(path); can.outcome() != pb::OUTCOME_DONE) return can;
  }
  Archive archive(run);
  for (const std::string& path : args.paths()) {
    if (!archive.Path(path)) return archive.Full();
  }
  return archive.End();
}

}  // namespace holdfast::agent
