// scan: files and processes by YARA rules, which another program looks for (scanner_process.h).
#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/adapters/procfs/open_file.h"
#include "agent/adapters/procfs/procfs_machine.h"
#include "agent/tables/pids.h"
#include "agent/verbs/memory_source.h"
#include "agent/verbs/place.h"
#include "agent/verbs/row_writer.h"
#include "agent/verbs/scanner_process.h"
#include "agent/verbs/skipped.h"
#include "agent/verbs/tree_walk.h"
#include "agent/verbs/verb_result.h"
#include "agent/verbs/verbs.h"

namespace holdfast::agent {

namespace pb = command::v1;

namespace {

// ScanArgs.
constexpr int kMaxScanned = 64;
constexpr std::uint64_t kDefaultFileBytes = std::uint64_t{64} << 20;
constexpr std::uint32_t kDefaultItemMs =
    300'000;  // of wall time: 30 s of a whole core at the usual pace
constexpr std::uint32_t kDefaultMatches = 100;
constexpr std::uint32_t kMaxMatches = 10'000;
constexpr std::uint32_t kMaxItemMs = 24 * 3'600'000;
// Of the scanner's deaths: what ends it again and again is not worth the machine's time.
constexpr int kMaxDeaths = 16;

constexpr RowColumn kScanColumns[] = {
    {"path", "TEXT"},      {"pid", "BIGINT"},    {"rule", "TEXT"},
    {"namespace", "TEXT"}, {"tags", "TEXT"},     {"meta", "TEXT"},
    {"string", "TEXT"},    {"offset", "BIGINT"}, {"data", "BLOB"}};

class Scan {
 public:
  Scan(const pb::ScanArgs& args, VerbRun& run)
      : args_(args),
        key_(run.state_dir),
        rows_(run.out, run.limits.rows),
        max_file_bytes_(args.max_file_bytes() == 0 ? kDefaultFileBytes : args.max_file_bytes()),
        bounds_{.time = std::chrono::milliseconds(args.item_ms() == 0 ? kDefaultItemMs
                                                                      : args.item_ms()),
                .rows = args.max_matches() == 0 ? kDefaultMatches : args.max_matches()},
        scanner_({.cpu_percent = run.limits.cpu_percent,
                  .disk_bytes_per_s = run.limits.disk_bytes_per_s}) {}

  pb::Result Prepare(const VerbRun& run) {
    if (const Status found = scanner_.Find(ScannerProcess::Places()); !found.ok()) {
      const bool is_missing = found.error().code == Code::kNotFound;
      return Failed(is_missing ? pb::COMMAND_FAILURE_UNSUPPORTED : pb::COMMAND_FAILURE_PERMISSION,
                    found.error().message);
    }
    OpenedFile rules = OpenRegular(std::string(run.blob_path));
    if (rules.error != 0) {
      return Failed(pb::COMMAND_FAILURE_IO, "the fetched rules: " + ErrnoText(rules.error));
    }
    if (run.command.blobs_size() != 1 || rules.stat.size != run.command.blobs(0).size()) {
      return Failed(pb::COMMAND_FAILURE_BLOB_CORRUPT, "the fetched rules have another size");
    }
    rules_ = std::move(rules.fd);
    return StartScanner();
  }

  pb::Result Run() {
    rows_.Columns(kScanColumns);
    bool goes_on = true;
    for (const std::string& path : args_.paths()) goes_on = goes_on && Path(path);
    for (const int pid : args_.pids()) goes_on = goes_on && Process(pid, /*is_named=*/true);
    if (args_.processes() && goes_on) {
      ProcfsMachine machine;
      for (const std::int64_t pid : WantedPids({}, 0, machine)) {
        goes_on = goes_on && Process(pid, /*is_named=*/false);
      }
    }
    scanner_.End();
    return rows_.Finish(failure_ ? std::move(*failure_)
                                 : skipped_.Told(Done(), "not, or not wholly, looked through"));
  }

 private:
  pb::Result StartScanner() {
    const Result<std::uint32_t> started = scanner_.Start(rules_.get());
    if (started.ok()) return Done();
    return Failed(started.error().code == Code::kInvalid ? pb::COMMAND_FAILURE_BAD_ARGUMENT
                                                         : pb::COMMAND_FAILURE_IO,
                  started.error().message);
  }

  bool Fail(pb::Result why) {
    if (!failure_) failure_ = std::move(why);
    return false;
  }

  bool Path(const std::string& path) {
    UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK));
    if (!fd.valid()) {
      OpenedFile file = key_.Guard(OpenRegular(path));
      if (file.error != 0) return Fail(OpenFailure(file, path));
      return File(path, file);
    }
    TreeWalk walk(std::move(fd), path, TreeWalk::Mounts::kNone);
    TreeEntry entry;
    for (auto step = walk.Next(entry); step != TreeWalk::Step::kEnd; step = walk.Next(entry)) {
      if (step == TreeWalk::Step::kDenied) skipped_.Add(entry.path, entry.error);
      if (step != TreeWalk::Step::kEntry || !S_ISREG(entry.stat.mode)) continue;
      if (!File(entry.path, key_.Guard(OpenRegularAt(entry.dir_fd, entry.name)))) return false;
    }
    return true;
  }

  // False: no more is wanted.
  bool File(const std::string& path, const OpenedFile& file) {
    if (file.error == ENOENT) return true;
    if (file.error != 0) {
      skipped_.Add(path, file.error);
      return true;
    }
    if (file.stat.size > max_file_bytes_) {
      skipped_.Add(path, "larger than " + std::to_string(max_file_bytes_) + " bytes");
      return true;
    }
    return Told(path, scanner_.LookAtFile(file.fd.get(), bounds_, [&](pb::Row& hit) {
      rows_.AddText(path);
      rows_.AddNull();
      return AddHit(hit);
    }));
  }

  bool Process(std::int64_t pid, bool is_named) {
    MemorySource source;
    pb::Result opened = source.Open(pid, 0);
    if (opened.outcome() == pb::OUTCOME_DONE) opened = source.ReadRegions();
    const std::string who = "pid " + std::to_string(pid);
    if (opened.outcome() != pb::OUTCOME_DONE) {
      if (is_named) return Fail(std::move(opened));
      // Of all processes those that have gone, the kernel's and the agent's own are nobody's loss.
      if (opened.failure() == pb::COMMAND_FAILURE_IO) skipped_.Add(who, opened.message());
      return true;
    }
    std::vector<MemoryRun> runs;
    source.PlanRuns(source.regions(), runs);
    const std::string program = source.Program();
    return Told(who, scanner_.LookAtMemory(source.memory_fd(), runs, bounds_, [&](pb::Row& hit) {
      if (program.empty()) {
        rows_.AddNull();
      } else {
        rows_.AddText(program);
      }
      rows_.AddInteger(pid);
      return AddHit(hit);
    }));
  }

  bool AddHit(pb::Row& hit) {
    for (const pb::Value& value : hit.values()) {
      switch (value.kind_case()) {
        case pb::Value::kInteger: rows_.AddInteger(value.integer()); break;
        case pb::Value::kText: rows_.AddText(value.text()); break;
        case pb::Value::kBlob: rows_.AddBlob(value.blob()); break;
        default: rows_.AddNull();
      }
    }
    return rows_.EndRow();
  }

  bool Told(const std::string& what, ScannerProcess::Seen seen) {
    using Seen = ScannerProcess::Seen;
    switch (seen) {
      case Seen::kWhole: return true;
      case Seen::kStopped: return false;
      case Seen::kTime:
        skipped_.Add(what, "took longer than " + std::to_string(bounds_.time.count()) + " ms");
        break;
      case Seen::kRows:
        skipped_.Add(what, "more than " + std::to_string(bounds_.rows) + " matches");
        return true;
      case Seen::kFailed: skipped_.Add(what, scanner_.why()); return true;
      case Seen::kDied: skipped_.Add(what, std::string("the scanner ended over it")); break;
    }
    // It may hang, or be gone: another one for what is left.
    if (++deaths_ > kMaxDeaths) {
      return Fail(Failed(pb::COMMAND_FAILURE_IO, "the scanner ended or hung " +
                                                     std::to_string(deaths_) +
                                                     " times, the last over " + Shown(what)));
    }
    pb::Result again = StartScanner();
    return again.outcome() == pb::OUTCOME_DONE || Fail(std::move(again));
  }

  const pb::ScanArgs& args_;
  const OwnKey key_;
  RowWriter rows_;
  const std::uint64_t max_file_bytes_;
  const ScannerProcess::Bounds bounds_;
  UniqueFd rules_;
  ScannerProcess scanner_;
  Skipped skipped_;
  int deaths_ = 0;
  std::optional<pb::Result> failure_;
};

std::string ScanComplaint(const pb::ScanArgs& args) {
  if (args.paths().empty() && args.pids().empty() && !args.processes())
    return "nothing to look through";
  if (args.pids_size() > kMaxScanned) return "1 to 64 pids at a time";
  for (const int pid : args.pids()) {
    if (pid <= 1) return "pid " + std::to_string(pid) + ": only pids above 1";
  }
  if (args.max_matches() > kMaxMatches) return "10000 matches of one thing at most";
  if (args.item_ms() > kMaxItemMs) return "a day for one thing at most";
  return "";
}

}  // namespace

pb::Result RunScan(const pb::ScanArgs& args, VerbRun& run) {
  if (!args.paths().empty()) {
    if (PathCheck check = CheckPaths(args.paths()); !check.good) return std::move(check.failure);
  }
  if (const std::string wrong = ScanComplaint(args); !wrong.empty()) {
    return Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT, wrong);
  }
  Scan scan(args, run);
  if (pb::Result ready = scan.Prepare(run); ready.outcome() != pb::OUTCOME_DONE) return ready;
  return scan.Run();
}

}  // namespace holdfast::agent
