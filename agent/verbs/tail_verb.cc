// tail: the last lines of a file, or of systemd's journal (journal_tail.h), and then what is appended.
//
// It looks once a second, by path: what was moved away and made anew (logrotate) is read to its end,
// then the new file from its beginning.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "agent/adapters/procfs/open_file.h"
#include "agent/adapters/procfs/procfs_machine.h"
#include "agent/verbs/journal_tail.h"
#include "agent/verbs/place.h"
#include "agent/verbs/stdio_writer.h"
#include "agent/verbs/verb_result.h"
#include "agent/verbs/verbs.h"

namespace holdfast::agent {

namespace pb = command::v1;

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kMaxLines = 100'000;  // TailArgs
constexpr std::size_t kPieceBytes = std::size_t{64} * 1024;
constexpr std::size_t kMaxKeptBytes = std::size_t{16} << 20;  // of lines without an end
constexpr std::chrono::milliseconds kLookInterval{1000};

class Tail {
 public:
  Tail(const pb::TailArgs& args, VerbRun& run)
      : args_(args),
        run_(run),
        key_(run.state_dir),
        stdio_(run.out),
        buffer_(std::make_unique<char[]>(kPieceBytes)),
        deadline_(Clock::now() + std::chrono::milliseconds(std::min<std::uint64_t>(
                                     run.limits.wall_ms, std::uint64_t{INT32_MAX}))) {}

  pb::Result Run() {
    file_ = key_.Guard(OpenRegular(args_.path()));
    if (file_.error != 0) return OpenFailure(file_, args_.path());
    if (file_.stat.size == 0) {
      if (pb::Result sent = SendLastLines(); sent.outcome() != pb::OUTCOME_DONE) return sent;
    } else if (const int error = FindLines(); error != 0) {
      return FailedErrno(error, args_.path());
    }
    while (true) {
      if (pb::Result sent = SendRest(); sent.outcome() != pb::OUTCOME_DONE) return sent;
      if (!args_.follow() || IsMadeUp()) return Done();
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - Clock::now());
      if (left.count() <= 0) return AtWallLimit();
      (void)poll(nullptr, 0, static_cast<int>(std::min(left, kLookInterval).count()));
      if (pb::Result looked = LookAgain(); looked.outcome() != pb::OUTCOME_DONE) return looked;
    }
  }

 private:
  // Of what has no size, as files of /proc: it can only be read to its end, and the last lines are kept meanwhile.
  pb::Result SendLastLines() {
    std::string kept;
    while (true) {
      const ssize_t got = read(file_.fd.get(), buffer_.get(), kPieceBytes);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return FailedErrno(errno, args_.path());
      if (got == 0) break;
      offset_ += static_cast<std::uint64_t>(got);
      kept.append(buffer_.get(), static_cast<std::size_t>(got));
      kept.erase(0, LastLinesIn(kept, args_.lines()));
      if (kept.size() > kMaxKeptBytes) kept.erase(0, kept.size() - kMaxKeptBytes);
      if (Clock::now() >= deadline_) return AtWallLimit();
    }
    return kept.empty() || stdio_.Send(StdioWriter::kStdout, kept) ? Done() : AtOutputLimit();
  }

  // Where the last `lines` lines of `text` begin.
  static std::size_t LastLinesIn(std::string_view text, std::uint32_t lines) {
    std::size_t begin = text.size();
    for (std::uint32_t i = 0; i < lines && begin > 0; ++i) {
      const std::size_t line_end = begin - (text[begin - 1] == '\n' ? 1 : 0);
      const std::size_t before =
          line_end == 0 ? std::string_view::npos : text.rfind('\n', line_end - 1);
      begin = before == std::string_view::npos ? 0 : before + 1;
    }
    return begin;
  }

  // Moves the offset to where the last lines begin.
  int FindLines() {
    std::uint64_t at = file_.stat.size;
    std::uint32_t line_ends = 0;
    while (at > 0 && args_.lines() > 0) {
      const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(at, kPieceBytes));
      const ssize_t got = pread(file_.fd.get(), buffer_.get(), size, static_cast<off_t>(at - size));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return errno;
      if (got < static_cast<ssize_t>(size)) break;  // it shrinks; from here
      for (std::size_t i = size; i-- > 0;) {
        const std::uint64_t next = at - size + i + 1;
        if (buffer_[i] != '\n' || next == file_.stat.size) continue;  // begins no line
        if (++line_ends == args_.lines()) return Seek(next);
      }
      at -= size;
    }
    return Seek(at);
  }

  // A file of /proc: it has no size, however much was read, and is never appended to.
  bool IsMadeUp() const {
    FileStat here;
    return file_.stat.size == 0 && offset_ > 0 && StatFd(file_.fd.get(), here) == 0 &&
           here.size == 0 && here.blocks == 0 && here.mtime_ns == file_.stat.mtime_ns;
  }

  int Seek(std::uint64_t offset) {
    offset_ = offset;
    return lseek(file_.fd.get(), static_cast<off_t>(offset), SEEK_SET) < 0 ? errno : 0;
  }

  // Without follow up to the size it had when it was opened: a file that grows would have no end.
  pb::Result SendRest() {
    const bool is_bounded = !args_.follow() && file_.stat.size > 0;
    while (!is_bounded || offset_ < file_.stat.size) {
      const std::size_t want = is_bounded ? static_cast<std::size_t>(std::min<std::uint64_t>(
                                                kPieceBytes, file_.stat.size - offset_))
                                          : kPieceBytes;
      const ssize_t got = read(file_.fd.get(), buffer_.get(), want);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return FailedErrno(errno, args_.path());
      if (got == 0) break;
      offset_ += static_cast<std::uint64_t>(got);
      if (!stdio_.Send(StdioWriter::kStdout, {buffer_.get(), static_cast<std::size_t>(got)})) {
        return AtOutputLimit();
      }
      if (args_.follow() && Clock::now() >= deadline_) return AtWallLimit();
    }
    return Done();
  }

  // What the path is now: the same file, longer or shorter, or another one.
  pb::Result LookAgain() {
    FileStat here;
    if (StatFd(file_.fd.get(), here) == 0 && here.size < offset_) {
      if (const int error = Seek(0); error != 0) return FailedErrno(error, args_.path());
      return Note("was cut short; from its beginning");
    }
    FileStat there;
    if (StatAt(AT_FDCWD, args_.path().c_str(), 0, there) != 0 ||
        IdentityOf(there) == IdentityOf(file_.stat)) {
      return Done();  // the same, or moved away and not yet made anew
    }
    OpenedFile next = key_.Guard(OpenRegular(args_.path()));
    if (next.error == ENOENT) return Done();
    // What was written between the last look and the move.
    if (pb::Result sent = SendRest(); sent.outcome() != pb::OUTCOME_DONE) return sent;
    if (next.error != 0) return OpenFailure(next, args_.path());
    file_ = std::move(next);
    offset_ = 0;
    return Note("is another file now; from its beginning");
  }

  pb::Result Note(std::string_view what) {
    const std::string line = "holdfast: " + Shown(args_.path()) + " " + std::string(what) + "\n";
    return stdio_.Send(StdioWriter::kStderr, line) ? Done() : AtOutputLimit();
  }

  pb::Result AtOutputLimit() const {
    pb::Result full = Failed(pb::COMMAND_FAILURE_OUTPUT_LIMIT,
                             Shown(args_.path()) + ": ended after " +
                                 std::to_string(run_.out.written_bytes()) + " bytes of output");
    full.set_truncated(true);
    return full;
  }
  pb::Result AtWallLimit() const {
    return Failed(pb::COMMAND_FAILURE_WALL_LIMIT, Shown(args_.path()) + ": followed for " +
                                                      std::to_string(run_.limits.wall_ms) + " ms");
  }

  const pb::TailArgs& args_;
  VerbRun& run_;
  const OwnKey key_;
  StdioWriter stdio_;
  std::unique_ptr<char[]> buffer_;
  Clock::time_point deadline_;
  OpenedFile file_;
  std::uint64_t offset_ = 0;  // what was sent of file_ ends here
};

constexpr std::size_t kMaxUnitBytes = 255;  // TailArgs
constexpr std::uint32_t kMaxLevels = 8;

pb::Result TailJournal(const pb::TailArgs& args, VerbRun& run) {
  if (!args.path().empty() || args.unit().size() > kMaxUnitBytes || args.levels() > kMaxLevels) {
    return Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT,
                  "of the journal: no path, a unit of at most 255 bytes, at most 8 levels");
  }
  const auto deadline = Clock::now() + std::chrono::milliseconds(std::min<std::uint64_t>(
                                           run.limits.wall_ms, std::uint64_t{INT32_MAX}));
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto now_us = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  ProcfsMachine machine;
  JournalTail tail(machine, {args.unit(), args.levels()}, static_cast<std::uint64_t>(now_us));
  Result<std::string> last = tail.Last(args.lines());
  if (!last.ok()) {
    const Code code = last.error().code;
    return Failed(code == Code::kDenied     ? pb::COMMAND_FAILURE_PERMISSION
                  : code == Code::kNotFound ? pb::COMMAND_FAILURE_UNSUPPORTED
                                            : pb::COMMAND_FAILURE_IO,
                  last.error().message);
  }
  StdioWriter stdio(run.out);
  for (std::string lines = std::move(last).value();; lines = tail.Added()) {
    if (!lines.empty() && !stdio.Send(StdioWriter::kStdout, lines)) {
      pb::Result full = Failed(pb::COMMAND_FAILURE_OUTPUT_LIMIT,
                               "ended after " + std::to_string(run.out.written_bytes()) + " bytes");
      full.set_truncated(true);
      return full;
    }
    if (!args.follow()) return Done();
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) {
      return Failed(pb::COMMAND_FAILURE_WALL_LIMIT,
                    "followed for " + std::to_string(run.limits.wall_ms) + " ms");
    }
    (void)poll(nullptr, 0, static_cast<int>(std::min(left, kLookInterval).count()));
  }
}

}  // namespace

pb::Result RunTail(const pb::TailArgs& args, VerbRun& run) {
  if (args.lines() > kMaxLines) {
    return Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT, std::to_string(kMaxLines) + " lines at most");
  }
  if (args.journal()) return TailJournal(args, run);
  if (PathCheck check = CheckPath(args.path()); !check.good) return std::move(check.failure);
  return Tail(args, run).Run();
}

}  // namespace holdfast::agent
