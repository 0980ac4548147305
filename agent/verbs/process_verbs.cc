// ps, kill.
#include <array>
#include <cerrno>
#include <csignal>
#include <optional>
#include <string>

#include <sys/syscall.h>
#include <unistd.h>

#include "agent/adapters/procfs/open_file.h"
#include "agent/adapters/procfs/procfs_machine.h"
#include "agent/tables/pids.h"
#include "agent/tables/proc_files.h"
#include "agent/verbs/account_names.h"
#include "agent/verbs/row_writer.h"
#include "agent/verbs/verb_result.h"
#include "agent/verbs/verbs.h"

namespace holdfast::agent {

namespace pb = command::v1;

namespace {

constexpr RowColumn kPsColumns[] = {
    {"pid", "BIGINT"},        {"ppid", "BIGINT"},        {"user", "TEXT"},       {"state", "TEXT"},
    {"start_time", "BIGINT"}, {"start_ticks", "BIGINT"}, {"cpu_time", "BIGINT"}, {"rss", "BIGINT"},
    {"name", "TEXT"},         {"cmdline", "TEXT"}};
constexpr RowColumn kKillColumns[] = {
    {"pid", "BIGINT"}, {"name", "TEXT"}, {"signal", "INTEGER"}, {"result", "TEXT"}};

constexpr int kMaxPids = 64;    // KillArgs
constexpr int kMaxSignal = 31;  // beyond are real-time signals, which nobody sends by hand

std::string Read(Machine& machine, std::int64_t pid, std::string_view file) {
  auto text = machine.ReadFile(ProcPath(pid, file), kMaxProcFileBytes);
  return text.ok() ? std::move(text).value() : std::string();
}

std::optional<ProcStat> StatOf(Machine& machine, std::int64_t pid) {
  auto stat = ParseProcStat(Read(machine, pid, "stat"));
  if (stat && stat->pid != pid) stat.reset();
  return stat;
}

// What a signal to one process came to.
struct Signalled {
  std::string name;
  std::string result = "signalled";
  pb::CommandFailure failure = pb::COMMAND_FAILURE_UNSPECIFIED;
};

int SendSignal(int pidfd, int pid, int signal) {
  if (pidfd >= 0) {
    return syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) == 0 ? 0 : errno;
  }
  return kill(pid, signal) == 0 ? 0 : errno;  // a kernel before 5.3 has no pidfd
}

// The descriptor pins the process before its start time is compared: a reused pid is never signalled.
Signalled SignalOne(Machine& machine, int pid, int signal, std::uint64_t start_ticks) {
  Signalled out;
  const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  const auto stat = StatOf(machine, pid);
  if (!stat) {
    out.result = ErrnoText(ESRCH);
    out.failure = pb::COMMAND_FAILURE_NO_SUCH_PROCESS;
    return out;
  }
  out.name = stat->name;
  if (start_ticks != 0 && stat->start_ticks != start_ticks) {
    out.result =
        "another process has this pid now (start_ticks " + std::to_string(stat->start_ticks) + ")";
    out.failure = pb::COMMAND_FAILURE_NO_SUCH_PROCESS;
    return out;
  }
  if (pid == getpid() || pid == getppid()) {
    out.result = "belongs to this agent";
    out.failure = pb::COMMAND_FAILURE_PERMISSION;
    return out;
  }
  if (const int error = SendSignal(pidfd.get(), pid, signal); error != 0) {
    out.result = ErrnoText(error);
    out.failure = FailureOfErrno(error);
  }
  return out;
}

std::string KillComplaint(const pb::KillArgs& args) {
  if (args.pids().empty() || args.pids_size() > kMaxPids) {
    return "1 to " + std::to_string(kMaxPids) + " pids are needed, not " +
           std::to_string(args.pids_size());
  }
  if (args.signal() < 0 || args.signal() > kMaxSignal) {
    return "signal " + std::to_string(args.signal()) + " is not one of 1 to " +
           std::to_string(kMaxSignal);
  }
  if (!args.start_ticks().empty() && args.start_ticks_size() != args.pids_size()) {
    return "start_ticks needs one value per pid, or none";
  }
  for (const int pid : args.pids()) {
    if (pid <= 1) return "pid " + std::to_string(pid) + " cannot be signalled; only pids above 1";
  }
  return {};
}

}  // namespace

pb::Result RunPs(const pb::PsArgs&, VerbRun& run) {
  ProcfsMachine machine;
  const AccountNames names;
  const auto ticks_per_second = static_cast<std::uint64_t>(machine.Facts().ticks_per_second);
  const auto counters = machine.ReadFile("/proc/stat", kMaxProcFileBytes);
  const auto boot = counters.ok() ? ParseBootTime(counters.value()) : std::nullopt;
  RowWriter rows(run.out, run.limits.rows);
  rows.Columns(kPsColumns);
  for (const std::int64_t pid : WantedPids({}, 0, machine)) {
    const auto stat = StatOf(machine, pid);
    if (!stat) continue;
    const auto status = ParseProcStatus(Read(machine, pid, "status"));
    rows.AddInteger(pid);
    rows.AddInteger(stat->parent);
    if (status) {
      names.AddUser(rows, static_cast<std::uint32_t>(status->uid));
    } else {
      rows.AddNull();
    }
    rows.AddText({&stat->state, 1});
    if (boot) {
      rows.AddInteger(*boot + static_cast<std::int64_t>(stat->start_ticks / ticks_per_second));
    } else {
      rows.AddNull();
    }
    rows.AddInteger(static_cast<std::int64_t>(stat->start_ticks));
    rows.AddInteger(static_cast<std::int64_t>((stat->user_ticks + stat->system_ticks) * 1000 /
                                              ticks_per_second));
    rows.AddInteger(status ? status->resident_bytes : 0);
    rows.AddText(stat->name);
    rows.AddText(ParseCmdline(Read(machine, pid, "cmdline")));
    if (!rows.EndRow()) break;
  }
  return rows.Finish(Done());
}

pb::Result RunKill(const pb::KillArgs& args, VerbRun& run) {
  if (const std::string complaint = KillComplaint(args); !complaint.empty()) {
    return Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT, complaint);
  }
  const int signal = args.signal() == 0 ? SIGTERM : args.signal();
  ProcfsMachine machine;
  RowWriter rows(run.out, run.limits.rows);
  rows.Columns(kKillColumns);
  pb::Result result = Done();
  for (int i = 0; i < args.pids_size(); ++i) {
    const int pid = args.pids(i);
    const std::uint64_t ticks = args.start_ticks().empty() ? 0 : args.start_ticks(i);
    const Signalled one = SignalOne(machine, pid, signal, ticks);
    if (one.failure != pb::COMMAND_FAILURE_UNSPECIFIED && result.outcome() == pb::OUTCOME_DONE) {
      result = Failed(one.failure, "pid " + std::to_string(pid) + ": " + one.result);
    }
    rows.AddInteger(pid);
    rows.AddText(one.name);
    rows.AddInteger(signal);
    rows.AddText(one.result);
    if (!rows.EndRow()) break;
  }
  return rows.Finish(std::move(result));
}

}  // namespace holdfast::agent
