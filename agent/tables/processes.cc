// processes: what runs, from /proc/PID. A file is read only when a column of it is asked for.
#include <array>

#include "agent/tables/pids.h"
#include "agent/tables/proc_files.h"
#include "agent/tables/registry.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Column kColumns[] = {
    {"pid", kB, "Process id", kIndex},
    {"name", kT, "Name of the program, as the kernel keeps it (15 bytes)"},
    {"path", kT, "Path of the executed program"},
    {"cmdline", kT, "Arguments, separated by spaces"},
    {"state", kT, "One letter: R, S, D, Z, T, t, I, X"},
    {"cwd", kT, "Working directory"},
    {"root", kT, "Root directory"},
    {"uid", kB, "Real user id"},
    {"gid", kB, "Real group id"},
    {"euid", kB, "Effective user id"},
    {"egid", kB, "Effective group id"},
    {"suid", kB, "Saved user id"},
    {"sgid", kB, "Saved group id"},
    {"on_disk", kI, "1: the program's path exists, 0: it was deleted, -1: unknown"},
    {"wired_size", kB, "Always 0 on Linux"},
    {"resident_size", kB, "Bytes in memory"},
    {"total_size", kB, "Bytes of address space"},
    {"user_time", kB, "CPU time in user mode, ms"},
    {"system_time", kB, "CPU time in the kernel, ms"},
    {"disk_bytes_read", kB, "Bytes read from disk; NULL without root"},
    {"disk_bytes_written", kB, "Bytes written to disk; NULL without root"},
    {"start_time", kB, "Start, Unix s; -1: unknown"},
    {"parent", kB, "Process id of the parent"},
    {"pgroup", kB, "Process group"},
    {"threads", kI, "Number of threads"},
    {"nice", kI, "Nice value, -20 to 19"},
    {"cgroup_path", kT, "Path of the control group", kLinux},
};
enum ColumnAt : std::size_t {
  kPid,
  kName,
  kPath,
  kCmdline,
  kState,
  kCwd,
  kRoot,
  kUid,
  kGid,
  kEuid,
  kEgid,
  kSuid,
  kSgid,
  kOnDisk,
  kWiredSize,
  kResidentSize,
  kTotalSize,
  kUserTime,
  kSystemTime,
  kBytesRead,
  kBytesWritten,
  kStartTime,
  kParent,
  kPgroup,
  kThreads,
  kNice,
  kCgroupPath,
};

class ProcessRows : public RowSource {
 public:
  ProcessRows(Request request, Machine& machine)
      : request_(std::move(request)),
        machine_(machine),
        pids_(WantedPids(request_, kPid, machine)),
        ticks_per_second_(machine.Facts().ticks_per_second) {
    if (!request_.Uses(kStartTime)) return;
    const auto text = machine.ReadFile("/proc/stat", kMaxProcFileBytes);
    if (text.ok()) boot_time_ = ParseBootTime(text.value());
  }

  bool Next(Row& row) override {
    while (next_ < pids_.size()) {
      if (Fill(pids_[next_++], row)) return true;
    }
    return false;
  }

 private:
  template <typename... Columns>
  bool UsesAny(Columns... columns) const {
    return (request_.Uses(columns) || ...);
  }

  std::string Read(std::int64_t pid, std::string_view file) {
    auto text = machine_.ReadFile(ProcPath(pid, file), kMaxProcFileBytes);
    return text.ok() ? std::move(text).value() : std::string();
  }

  // False: the process went away.
  bool Fill(std::int64_t pid, Row& row) {
    const auto stat = ParseProcStat(Read(pid, "stat"));
    if (!stat || stat->pid != pid) return false;
    row[kPid] = Integer(pid);
    row[kName] = Text(stat->name);
    row[kState] = Text({&stat->state, 1});
    row[kParent] = Integer(stat->parent);
    row[kPgroup] = Integer(stat->group);
    row[kThreads] = Integer(stat->threads);
    row[kNice] = Integer(stat->nice);
    row[kWiredSize] = Integer(0);
    row[kUserTime] = Integer(Milliseconds(stat->user_ticks));
    row[kSystemTime] = Integer(Milliseconds(stat->system_ticks));
    row[kStartTime] = Integer(
        boot_time_ ? *boot_time_ + static_cast<std::int64_t>(stat->start_ticks) / ticks_per_second_
                   : -1);
    FillStatus(pid, row);
    FillProgram(pid, row);
    FillRest(pid, row);
    return true;
  }

  std::int64_t Milliseconds(std::uint64_t ticks) const {
    constexpr std::uint64_t kMax = INT64_MAX / 1000;  // a torn file may say anything
    return static_cast<std::int64_t>(ticks < kMax ? ticks : kMax) * 1000 / ticks_per_second_;
  }

  void FillStatus(std::int64_t pid, Row& row) {
    if (!UsesAny(kUid, kGid, kEuid, kEgid, kSuid, kSgid, kResidentSize, kTotalSize)) return;
    const auto status = ParseProcStatus(Read(pid, "status"));
    if (!status) return;
    row[kUid] = Integer(status->uid);
    row[kEuid] = Integer(status->euid);
    row[kSuid] = Integer(status->suid);
    row[kGid] = Integer(status->gid);
    row[kEgid] = Integer(status->egid);
    row[kSgid] = Integer(status->sgid);
    row[kResidentSize] = Integer(status->resident_bytes);
    row[kTotalSize] = Integer(status->virtual_bytes);
  }

  void FillProgram(std::int64_t pid, Row& row) {
    if (!UsesAny(kPath, kOnDisk)) return;
    auto link = machine_.ReadLink(ProcPath(pid, "exe"));
    std::string path = link.ok() ? std::move(link).value() : std::string();
    // proc(5): the kernel adds this to the path of a file that was unlinked.
    constexpr std::string_view kDeleted = " (deleted)";
    int on_disk = -1;
    if (!path.empty()) {
      on_disk = machine_.Stat(path, Links::kFollow).ok() ? 1 : 0;
      if (on_disk == 0 && path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
    }
    row[kPath] = Text(path);
    row[kOnDisk] = Integer(on_disk);
  }

  void FillRest(std::int64_t pid, Row& row) {
    if (request_.Uses(kCmdline)) row[kCmdline] = Text(ParseCmdline(Read(pid, "cmdline")));
    for (const auto& [column, file] : {std::pair{kCwd, "cwd"}, {kRoot, "root"}}) {
      if (!request_.Uses(column)) continue;
      auto link = machine_.ReadLink(ProcPath(pid, file));
      row[column] = Text(link.ok() ? link.value() : std::string());
    }
    if (UsesAny(kBytesRead, kBytesWritten)) {
      if (const auto io = ParseProcIo(Read(pid, "io"))) {
        row[kBytesRead] = Integer(io->read_bytes);
        row[kBytesWritten] = Integer(io->written_bytes);
      }
    }
    if (request_.Uses(kCgroupPath)) row[kCgroupPath] = Text(ParseCgroupPath(Read(pid, "cgroup")));
  }

  Request request_;
  Machine& machine_;
  std::vector<std::int64_t> pids_;
  std::size_t next_ = 0;
  std::int64_t ticks_per_second_;
  std::optional<std::int64_t> boot_time_;  // Unix s
};

}  // namespace

const Table kProcessesTable = {
    .name = "processes",
    .description = "All running processes.",
    .example = "SELECT pid, name, cmdline FROM processes WHERE on_disk = 0;",
    .cost = Cost::kProcesses,
    .columns = kColumns,
    .open = OpenRows<ProcessRows>,
};

}  // namespace holdfast::agent
