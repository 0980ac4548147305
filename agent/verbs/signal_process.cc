#include "agent/verbs/signal_process.h"

#include <cerrno>
#include <csignal>

#include <sys/syscall.h>
#include <unistd.h>

#include "agent/adapters/procfs/open_file.h"
#include "agent/tables/pids.h"
#include "agent/verbs/verb_result.h"

namespace holdfast::agent {

namespace pb = command::v1;

namespace {

int SendSignal(int pidfd, std::int64_t pid, int signal) {
  if (pidfd >= 0) {
    return syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) == 0 ? 0 : errno;
  }
  // A kernel before 5.3 has no pidfd.
  return kill(static_cast<pid_t>(pid), signal) == 0 ? 0 : errno;
}

}  // namespace

std::optional<ProcStat> ProcStatOf(Machine& machine, std::int64_t pid) {
  auto text = machine.ReadFile(ProcPath(pid, "stat"), kMaxProcFileBytes);
  auto stat = text.ok() ? ParseProcStat(text.value()) : std::nullopt;
  if (stat && stat->pid != pid) stat.reset();
  return stat;
}

// The descriptor pins the process before its start time is compared: a reused pid is never signalled.
Signalled SignalProcess(Machine& machine, std::int64_t pid, int signal, std::uint64_t start_ticks) {
  Signalled out;
  const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0)));
  const auto stat = ProcStatOf(machine, pid);
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
  // Its link is the way by which whatever undoes this would come.
  const bool is_link = stat->parent == getppid() && stat->name == "holdfast-link";
  if (pid == getpid() || pid == getppid() || is_link) {
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

}  // namespace holdfast::agent
