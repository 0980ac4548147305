// cat, get: the bytes of one regular file, and whether it held still meanwhile.
#include <algorithm>
#include <cerrno>
#include <memory>

#include <fcntl.h>
#include <unistd.h>

#include "agent/adapters/procfs/open_file.h"
#include "agent/core/limits.h"
#include "agent/core/worker_messages.h"
#include "agent/verbs/place.h"
#include "agent/verbs/verb_result.h"
#include "agent/verbs/verbs.h"

namespace holdfast::agent {

namespace pb = command::v1;

namespace {

// A message is read straight into one buffer and written from it: one copy in, one copy out.
constexpr std::size_t kReadBytes = kMaxWorkerMessageBytes;

struct Span {
  std::uint64_t offset = 0;  // bytes
  std::uint64_t length = 0;  // bytes; 0 = to the end
};

// What is read at most: the file as it was when it was opened, so that one that keeps growing ends.
// Files of /proc claim to be empty and are made as they are read.
std::uint64_t BytesToRead(const FileStat& stat, Span span) {
  std::uint64_t most = kDefaultOutBytes;
  if (stat.size > 0) most = stat.size > span.offset ? stat.size - span.offset : 0;
  return span.length == 0 ? most : std::min(span.length, most);
}

// Reads until the end or the span's. The offset moves by
// read(2), not pread(2): files of /proc that are made on the fly keep their place that way.
pb::Result CopyOut(int fd, std::string_view path, std::uint64_t left, VerbRun& run) {
  const auto buffer = std::make_unique<char[]>(kReadBytes);
  while (left > 0) {
    const std::size_t want = static_cast<std::size_t>(std::min<std::uint64_t>(left, kReadBytes));
    const ssize_t got = read(fd, buffer.get(), want);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FailedErrno(errno, path);
    if (got == 0) break;
    const auto bytes = static_cast<std::size_t>(got);
    if (!run.out.Output({buffer.get(), bytes})) {
      pb::Result full =
          Failed(pb::COMMAND_FAILURE_OUTPUT_LIMIT,
                 Shown(path) + ": cut after " + std::to_string(run.out.written_bytes()) + " bytes");
      full.set_truncated(true);
      return full;
    }
    left -= bytes;
  }
  return Done();
}

pb::Result ReadOut(const std::string& path, Span span, VerbRun& run) {
  if (PathCheck check = CheckPath(path); !check.good) return std::move(check.failure);
  const OpenedFile file = OwnKey(run.state_dir).Guard(OpenRegular(path));
  if (file.error != 0) return OpenFailure(file, path);
  if (span.offset > 0 && (span.offset > INT64_MAX ||
                          lseek(file.fd.get(), static_cast<off_t>(span.offset), SEEK_SET) < 0)) {
    return Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT,
                  Shown(path) + ": cannot read from offset " + std::to_string(span.offset));
  }
  (void)posix_fadvise(file.fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  pb::Result result = CopyOut(file.fd.get(), path, BytesToRead(file.stat, span), run);
  FillFacts(file.stat, path, *result.mutable_file());
  FileStat after;
  const bool still = StatFd(file.fd.get(), after) == 0 && after.size == file.stat.size &&
                     after.mtime_ns == file.stat.mtime_ns;
  result.mutable_file()->set_unstable(!still);
  return result;
}

}  // namespace

pb::Result RunCat(const pb::CatArgs& args, VerbRun& run) {
  return ReadOut(args.path(), {.offset = args.offset(), .length = args.length()}, run);
}

pb::Result RunGet(const pb::GetArgs& args, VerbRun& run) { return ReadOut(args.path(), {}, run); }

}  // namespace holdfast::agent
