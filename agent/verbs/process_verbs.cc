// ps, kill.
#include <csignal>
#include <optional>
#include <string>
#include <utility>

#include "agent/adapters/procfs/procfs_machine.h"
#include "agent/tables/pids.h"
#include "agent/tables/proc_files.h"
#include "agent/verbs/account_names.h"
#include "agent/verbs/process_tree.h"
#include "agent/verbs/row_writer.h"
#include "agent/verbs/signal_process.h"
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
    const auto stat = ProcStatOf(machine, pid);
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

namespace {

// Sends signals and writes a row about each process.
class Killing {
 public:
  Killing(int signal, VerbRun& run) : signal_(signal), rows_(run.out, run.limits.rows) {
    rows_.Columns(kKillColumns);
  }

  // False: a limit.
  bool One(std::int64_t pid, std::uint64_t start_ticks) {
    const Signalled one = SignalProcess(machine_, pid, signal_, start_ticks);
    if (one.failure != pb::COMMAND_FAILURE_UNSPECIFIED) Fail(one.failure, pid, one.result);
    return Row(pid, one);
  }

  // The process and its descendants. All have the signal before one of them runs again.
  bool Tree(std::int64_t pid, std::uint64_t start_ticks) {
    StoppedTree tree;
    const auto root = ProcStatOf(machine_, pid);
    if (!root || (start_ticks != 0 && root->start_ticks != start_ticks)) {
      return One(pid, start_ticks);  // which says so
    }
    const Status stopped = tree.Stop(machine_, *root);
    if (!stopped.ok()) {
      const bool is_denied = stopped.error().code == Code::kDenied;
      Fail(is_denied ? pb::COMMAND_FAILURE_PERMISSION : pb::COMMAND_FAILURE_IO, pid,
           stopped.error().message);
    }
    bool goes_on = true;
    for (const StoppedTree::Member& member : tree.members()) {
      if (goes_on) goes_on = RowOfMember(member);
    }
    // A stopped process takes no other signal than these.
    const bool runs_on = signal_ != SIGSTOP && signal_ != SIGKILL && signal_ != SIGCONT;
    for (const StoppedTree::Member& member : tree.members()) {
      if (runs_on) (void)SignalProcess(machine_, member.pid, SIGCONT, member.start_ticks);
    }
    return goes_on;
  }

  pb::Result Finish() { return rows_.Finish(std::move(result_)); }

 private:
  void Fail(pb::CommandFailure failure, std::int64_t pid, const std::string& why) {
    if (result_.outcome() != pb::OUTCOME_DONE) return;
    result_ = Failed(failure, "pid " + std::to_string(pid) + ": " + why);
  }
  bool RowOfMember(const StoppedTree::Member& member) {
    const Signalled one = SignalProcess(machine_, member.pid, signal_, member.start_ticks);
    // Gone in the meantime is what was wanted.
    if (one.failure != pb::COMMAND_FAILURE_UNSPECIFIED &&
        one.failure != pb::COMMAND_FAILURE_NO_SUCH_PROCESS) {
      Fail(one.failure, member.pid, one.result);
    }
    return Row(member.pid, one);
  }
  bool Row(std::int64_t pid, const Signalled& one) {
    rows_.AddInteger(pid);
    rows_.AddText(one.name);
    rows_.AddInteger(signal_);
    rows_.AddText(one.result);
    return rows_.EndRow();
  }

  int signal_;
  ProcfsMachine machine_;
  RowWriter rows_;
  pb::Result result_ = Done();
};

}  // namespace

pb::Result RunKill(const pb::KillArgs& args, VerbRun& run) {
  if (const std::string complaint = KillComplaint(args); !complaint.empty()) {
    return Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT, complaint);
  }
  Killing killing(args.signal() == 0 ? SIGTERM : args.signal(), run);
  for (int i = 0; i < args.pids_size(); ++i) {
    const int pid = args.pids(i);
    const std::uint64_t ticks = args.start_ticks().empty() ? 0 : args.start_ticks(i);
    if (!(args.tree() ? killing.Tree(pid, ticks) : killing.One(pid, ticks))) break;
  }
  return killing.Finish();
}

}  // namespace holdfast::agent
