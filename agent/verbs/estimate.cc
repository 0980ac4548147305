#include "agent/verbs/estimate.h"

#include <chrono>
#include <cstdint>

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "agent/core/limits.h"
#include "agent/verbs/row_writer.h"
#include "agent/verbs/verb_result.h"

namespace holdfast::agent {

namespace pb = command::v1;

namespace {

constexpr RowColumn kColumns[] = {{"path", "TEXT"},       {"directories", "BIGINT"},
                                  {"files", "BIGINT"},    {"bytes", "BIGINT"},
                                  {"denied", "BIGINT"},   {"complete", "INTEGER"},
                                  {"fs_files", "BIGINT"}, {"fs_bytes", "BIGINT"}};

struct Count {
  std::int64_t directories = 0;
  std::int64_t files = 0;  // all that are no directories
  std::int64_t bytes = 0;  // of regular files
  std::int64_t denied = 0;

  void Add(const FileStat& stat) {
    ++(S_ISDIR(stat.mode) ? directories : files);
    if (S_ISREG(stat.mode)) bytes += static_cast<std::int64_t>(stat.size);
  }
};

}  // namespace

pb::Result EstimateTree(const TreeEntry& start, UniqueFd root, TreeWalk::Mounts mounts,
                        VerbRun& run) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + kEstimateTime;
  struct statvfs system = {};
  const bool has_system = ::statvfs(start.path.c_str(), &system) == 0;
  Count count;
  count.Add(start.stat);
  bool is_whole = true;
  if (root.valid()) {
    TreeWalk walk(std::move(root), start.path, mounts);
    TreeEntry entry;
    for (auto step = walk.Next(entry); step != TreeWalk::Step::kEnd; step = walk.Next(entry)) {
      if (step == TreeWalk::Step::kDenied) ++count.denied;
      if (step == TreeWalk::Step::kEntry) count.Add(entry.stat);
      is_whole = Clock::now() < end;
      if (!is_whole) break;
    }
  }
  RowWriter rows(run.out, run.limits.rows);
  rows.Columns(kColumns);
  const auto number = [](std::uint64_t value) { return static_cast<std::int64_t>(value); };
  rows.AddText(start.path);
  for (const std::int64_t value : {count.directories, count.files, count.bytes, count.denied,
                                   std::int64_t{is_whole && count.denied == 0 ? 1 : 0}}) {
    rows.AddInteger(value);
  }
  if (has_system) {
    rows.AddInteger(number(system.f_files - system.f_ffree));
    rows.AddInteger(number((system.f_blocks - system.f_bfree) * system.f_frsize));
  } else {
    rows.AddNull();
    rows.AddNull();
  }
  (void)rows.EndRow();
  return rows.Finish(Done());
}

}  // namespace holdfast::agent
