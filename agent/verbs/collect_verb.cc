// collect: files, answers and programs' output as one collection.
//
// What cannot be read, or is too much, is told in its place, and the next thing follows.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/adapters/procfs/procfs_machine.h"
#include "agent/verbs/account_names.h"
#include "agent/verbs/collect_frames.h"
#include "agent/verbs/glob_walk.h"
#include "agent/verbs/homes.h"
#include "agent/verbs/place.h"
#include "agent/verbs/skipped.h"
#include "agent/verbs/verb_result.h"
#include "agent/verbs/verbs.h"
#include "common/base/path_pattern.h"
#include "common/base/untrusted.h"
#include "holdfast/command/v1/trust.pb.h"

namespace holdfast::agent {

namespace pb = command::v1;

namespace {

using Clock = std::chrono::steady_clock;

// CollectArgs, CollectSource.
constexpr int kMaxSources = 1024;
constexpr int kMaxPatterns = 512;
constexpr std::size_t kMaxSourceNameBytes = 128;
constexpr std::uint64_t kDefaultFileBytes = std::uint64_t{1} << 30;
constexpr std::uint64_t kDefaultBytes = std::uint64_t{8} << 30;
constexpr std::uint64_t kDefaultFiles = 100'000;
constexpr std::uint64_t kDefaultSourceMs = 60'000;
// One query or program: far more than people read, little enough for every other source to have room.
constexpr std::uint64_t kMaxAnswerBytes = std::uint64_t{64} << 20;
// A file of /proc or /sys says that it is empty, and some never end.
constexpr std::uint64_t kMaxSizelessBytes = std::uint64_t{16} << 20;
// All extended attributes of a file; ext4 keeps 4 KiB, one of XFS may have 64.
constexpr std::size_t kMaxAttributeBytes = std::size_t{96} * 1024;
constexpr std::size_t kMaxTargetBytes = 4096;  // PATH_MAX
// Of the paths that are remembered so that a file comes once; at it further ones may come again. Of usual
// paths that is half a million.
constexpr std::size_t kMaxSeenBytes = std::size_t{64} << 20;
constexpr std::size_t kSeenEntryBytes = 96;  // of the map, for each
constexpr std::size_t kMaxPasswdBytes = std::size_t{16} << 20;
constexpr std::size_t kMaxHostBytes = 253;  // AgentFacts
// Before the wall limit, at which warden would end us in the middle of a frame.
constexpr std::uint64_t kMostReserveMs = 5'000;

std::uint64_t Or(std::uint64_t value, std::uint64_t normal) { return value != 0 ? value : normal; }

std::string LinkIn(int dir_fd, const std::string& name) {
  std::string target(kMaxTargetBytes, '\0');
  const ssize_t size = readlinkat(dir_fd, name.c_str(), target.data(), target.size());
  target.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  return target;
}

std::string DescriptorPath(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

class Collection {
 public:
  Collection(const pb::CollectArgs& args, VerbRun& run)
      : args_(args),
        run_(run),
        frames_(run.out),
        key_(run.state_dir),
        max_file_bytes_(Or(args.max_file_bytes(), kDefaultFileBytes)),
        bytes_left_(Or(args.max_bytes(), kDefaultBytes)),
        files_left_(Or(args.max_files(), kDefaultFiles)),
        deadline_(Clock::now() +
                  std::chrono::milliseconds(std::min<std::uint64_t>(
                      run.limits.wall_ms - std::min(run.limits.wall_ms / 4, kMostReserveMs),
                      std::uint64_t{INT32_MAX}))) {}

  pb::Result Run() {
    if (std::string complaint = Prepare(); !complaint.empty()) {
      return Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT, complaint);
    }
    pb::AgentFacts host;
    host.set_hostname(ForTerminal(Untrusted(machine_.Facts().hostname), kMaxHostBytes));
    host.set_privileged(geteuid() == 0);
    frames_.Host(host.SerializeAsString());
    for (int i = 0; i < args_.sources_size() && frames_.good(); ++i) Source(i);
    frames_.Flush();
    return End();
  }

 private:
  // Before anything is read. What is wrong; empty: nothing.
  std::string Prepare() const {
    if (args_.sources().empty() || args_.sources_size() > kMaxSources) {
      return "1 to " + std::to_string(kMaxSources) + " sources are needed, not " +
             std::to_string(args_.sources_size());
    }
    for (const pb::CollectSource& source : args_.sources()) {
      const int kinds = static_cast<int>(source.paths_size() > 0) +
                        static_cast<int>(source.argv_size() > 0) +
                        static_cast<int>(!source.sql().empty());
      if (source.name().size() > kMaxSourceNameBytes)
        return "a source's name has more than 128 bytes";
      const std::string who = Shown(source.name()) + ": ";
      if (kinds != 1) return who + "a source has either paths, a program or a query";
      if (source.paths_size() > kMaxPatterns) return who + "more than 512 paths";
      for (const std::string& pattern : source.paths()) {
        const std::string wrong = PathPatternComplaint(pattern);
        if (!wrong.empty()) return who + Shown(pattern) + ": " + wrong;
      }
    }
    return {};
  }

  pb::Result End() {
    if (!frames_.good()) {
      pb::Result full = Failed(
          pb::COMMAND_FAILURE_OUTPUT_LIMIT,
          "the collection ends after " + std::to_string(run_.out.written_bytes()) + " bytes");
      full.set_truncated(true);
      return full;
    }
    if (is_late_) {
      return Failed(pb::COMMAND_FAILURE_WALL_LIMIT, "the collection ends before " +
                                                        std::to_string(run_.limits.wall_ms) +
                                                        " ms are over; what came is whole");
    }
    if (is_full_) {
      return Failed(
          pb::COMMAND_FAILURE_OUTPUT_LIMIT,
          std::to_string(left_out_) + " files left out: more than max_bytes or max_files");
    }
    return skipped_.Told(Done(), "not whole in the collection");
  }

  bool IsLate() {
    is_late_ = is_late_ || Clock::now() >= deadline_;
    return is_late_;
  }

  void Source(int index) {
    const pb::CollectSource& source = args_.sources(index);
    summary_.Clear();
    summary_.set_source(static_cast<std::uint32_t>(index));
    if (IsLate()) {
      summary_.set_cut(true);
    } else if (source.paths_size() > 0) {
      for (int i = 0; i < source.paths_size() && frames_.good(); ++i) Pattern(source, i);
    } else {
      Answer(source);
    }
    left_out_ += summary_.left_out();
    frames_.Summary(summary_.SerializeAsString());
  }

  // --- queries and programs
  void Answer(const pb::CollectSource& source) {
    pb::CollectItem item;
    item.set_source(summary_.source());
    frames_.Begin(item, std::min(kMaxAnswerBytes, bytes_left_));
    WorkerLimits limits = run_.limits;
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now());
    limits.wall_ms = std::min(Or(args_.source_ms(), kDefaultSourceMs),
                              static_cast<std::uint64_t>(std::max<std::int64_t>(1, left.count())));
    VerbRun inner = {.command = run_.command,
                     .limits = limits,
                     .out = frames_,
                     .blob_path = {},
                     .state_dir = run_.state_dir,
                     .footprint = {}};
    pb::Result result;
    if (source.argv_size() > 0) {
      pb::ExecArgs exec;
      *exec.mutable_argv() = source.argv();
      result = RunExec(exec, inner);
    } else {
      pb::QueryArgs query;
      query.set_sql(source.sql());
      result = RunQuery(query, inner);
    }
    run_.footprint.set_processes_started(run_.footprint.processes_started() +
                                         inner.footprint.processes_started());
    bytes_left_ -= frames_.written_bytes();
    summary_.set_matched(1);
    // What a program says by its exit status is for people to judge: its output is there.
    if (result.outcome() == pb::OUTCOME_DONE ||
        result.failure() == pb::COMMAND_FAILURE_EXIT_STATUS) {
      summary_.set_collected(1);
    } else {
      summary_.set_failed(1);
      skipped_.Add(source.name(), result.message());
    }
    frames_.End(std::move(result));
  }

  // --- files
  void Pattern(const pb::CollectSource& source, int index) {
    const std::uint64_t before = summary_.matched();
    if (!has_homes_ && source.paths(index).starts_with(kHomeMarker)) FindHomes();
    for (const std::string& pattern : ExpandHomes(source.paths(index), homes_)) {
      GlobWalk walk(pattern);
      GlobFound found;
      for (auto step = walk.Next(found); step != GlobWalk::Step::kEnd; step = walk.Next(found)) {
        if (IsLate() || !frames_.good()) {
          summary_.set_cut(true);
          return;
        }
        if (step == GlobWalk::Step::kFound) {
          Found(source, found);
        } else if (step == GlobWalk::Step::kDenied) {
          if (summary_.denied() == 0) summary_.set_denied_first(found.path);
          summary_.set_denied(summary_.denied() + 1);
          skipped_.Add(found.path, found.error);
        }
      }
    }
    if (summary_.matched() == before) summary_.add_unmatched(static_cast<std::uint32_t>(index));
  }

  void FindHomes() {
    has_homes_ = true;
    const auto passwd = machine_.ReadFile("/etc/passwd", kMaxPasswdBytes);
    auto names = machine_.List("/home");
    homes_ = HomesOf(passwd.ok() ? passwd.value() : "",
                     names.ok() ? std::move(names).value() : std::vector<std::string>());
  }

  void Found(const pb::CollectSource& source, const GlobFound& found) {
    FileStat own;
    const int error = StatAt(found.dir_fd, found.name.c_str(), AT_SYMLINK_NOFOLLOW, own);
    if (error == ENOENT) return;
    if (error == 0 && S_ISDIR(own.mode) && !source.facts_only()) return;  // contents are wanted
    pb::CollectItem item;
    item.set_source(summary_.source());
    OpenedFile file;
    file.error = error;
    file.stat = own;
    if (error == 0 && S_ISLNK(own.mode)) item.set_link_target(LinkIn(found.dir_fd, found.name));
    if (error == 0 && !source.facts_only()) {
      file = key_.Guard(OpenRegularAt(found.dir_fd, found.name,
                                      S_ISLNK(own.mode) ? Links::kFollow : Links::kKeep));
      if (file.error == ENXIO && S_ISDIR(file.stat.mode)) return;   // a link to a directory
      if (file.error == ENOENT && !S_ISLNK(own.mode)) return;       // vanished
      if (file.error != 0 && file.stat.mode == 0) file.stat = own;  // a link that leads nowhere
    }
    summary_.set_matched(summary_.matched() + 1);
    if (files_left_ == 0) {
      is_full_ = true;
      summary_.set_left_out(summary_.left_out() + 1);
      summary_.set_cut(true);
      return;
    }
    --files_left_;
    Describe(found.path, file.stat, item);
    if (file.error != 0) {
      skipped_.Add(found.path, file.error == ENXIO ? "Not a regular file" : ErrnoText(file.error));
      return Failure(item, OpenFailure(file, found.path));
    }
    if (source.facts_only()) return Facts(item);
    Content(found.path, file, item);
  }

  void Describe(const std::string& path, const FileStat& stat, pb::CollectItem& item) {
    FillFacts(stat, path, *item.mutable_file());
    item.set_user(std::string(names_.UserOf(stat.uid)));
    item.set_group(std::string(names_.GroupOf(stat.gid)));
    item.set_inode(stat.inode);
    item.set_device(stat.device);
    item.set_hard_links(stat.hard_links);
  }

  void Facts(const pb::CollectItem& item) {
    frames_.Begin(item, 0);
    frames_.End(Done());
    summary_.set_collected(summary_.collected() + 1);
  }

  void Failure(const pb::CollectItem& item, pb::Result result) {
    frames_.Begin(item, 0);
    frames_.End(std::move(result));
    summary_.set_failed(summary_.failed() + 1);
  }

  void LeftOut(const pb::CollectItem& item, std::string_view why) {
    frames_.Begin(item, 0);
    frames_.End(Failed(pb::COMMAND_FAILURE_OUTPUT_LIMIT, why));
    summary_.set_left_out(summary_.left_out() + 1);
  }

  void Content(const std::string& path, const OpenedFile& file, pb::CollectItem& item) {
    const std::pair key(file.stat.device, file.stat.inode);
    if (const auto seen = seen_.find(key); seen != seen_.end()) {
      if (seen->second == path) return;  // two sources want it
      item.set_same_as(seen->second);
      return Facts(item);
    }
    if (file.stat.size > max_file_bytes_ || file.stat.size > bytes_left_) {
      const bool is_large = file.stat.size > max_file_bytes_;
      is_full_ = is_full_ || !is_large;
      return LeftOut(item, is_large ? "larger than max_file_bytes" : "more than max_bytes");
    }
    if (seen_bytes_ < kMaxSeenBytes) {
      seen_bytes_ += path.size() + kSeenEntryBytes;
      seen_.emplace(key, path);
    }
    if (!item.link_target().empty()) {
      item.set_resolved(LinkIn(AT_FDCWD, DescriptorPath(file.fd.get())));
    }
    const bool has_all = AddAttributes(file.fd.get(), item);
    frames_.Begin(item,
                  file.stat.size > 0 ? file.stat.size : std::min(kMaxSizelessBytes, bytes_left_));
    pb::Result result = Copy(path, file);
    bytes_left_ -= frames_.written_bytes();
    FileStat after;
    const bool is_still = StatFd(file.fd.get(), after) == 0 && after.size == file.stat.size &&
                          after.mtime_ns == file.stat.mtime_ns &&
                          after.ctime_ns == file.stat.ctime_ns;
    result.mutable_file()->set_unstable(!is_still);
    if (!has_all && result.message().empty()) result.set_message("not all extended attributes");
    const bool is_whole = result.outcome() == pb::OUTCOME_DONE;
    if (is_whole) {
      summary_.set_collected(summary_.collected() + 1);
    } else {
      skipped_.Add(path, result.message());
      summary_.set_failed(summary_.failed() + 1);
    }
    frames_.End(std::move(result));
  }

  // False: there are more than are taken along.
  bool AddAttributes(int fd, pb::CollectItem& item) {
    const auto attributes = machine_.Attributes(DescriptorPath(fd));
    if (!attributes.ok()) return true;  // a file system without any
    std::size_t bytes = 0;
    for (const Attribute& attribute : attributes.value()) {
      bytes += attribute.name.size() + attribute.value.size();
      if (bytes > kMaxAttributeBytes) return false;
      item.add_xattrs(attribute.name);
      item.add_xattrs(attribute.value);
    }
    return true;
  }

  pb::Result Copy(const std::string& path, const OpenedFile& file) {
    (void)posix_fadvise(file.fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    while (frames_.good()) {
      if (IsLate()) {
        summary_.set_cut(true);
        return Cut(pb::COMMAND_FAILURE_WALL_LIMIT, "cut: the time is over");
      }
      const std::span<char> place = frames_.Place();
      if (place.empty()) {
        if (file.stat.size > 0) return Done();  // as long as it was when it was opened
        return Cut(pb::COMMAND_FAILURE_OUTPUT_LIMIT, "cut: it says no size and does not end");
      }
      const ssize_t got = read(file.fd.get(), place.data(), place.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return FailedErrno(errno, path);
      if (got == 0) return Done();
      frames_.Filled(static_cast<std::size_t>(got));
    }
    return Cut(pb::COMMAND_FAILURE_OUTPUT_LIMIT, "cut: the output is full");
  }

  static pb::Result Cut(pb::CommandFailure failure, std::string_view why) {
    pb::Result result = Failed(failure, why);
    result.set_truncated(true);
    return result;
  }

  const pb::CollectArgs& args_;
  VerbRun& run_;
  CollectFrames frames_;
  const OwnKey key_;
  ProcfsMachine machine_;
  AccountNames names_;
  Skipped skipped_;
  const std::uint64_t max_file_bytes_;
  std::uint64_t bytes_left_;
  std::uint64_t files_left_;
  const Clock::time_point deadline_;
  bool is_late_ = false;
  bool is_full_ = false;
  std::uint64_t left_out_ = 0;
  std::vector<std::string> homes_;
  bool has_homes_ = false;
  // What has come, by device and inode.
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> seen_;
  std::size_t seen_bytes_ = 0;
  pb::CollectSummary summary_;  // of the source at hand
};

}  // namespace

pb::Result RunCollect(const pb::CollectArgs& args, VerbRun& run) {
  return Collection(args, run).Run();
}

}  // namespace holdfast::agent
