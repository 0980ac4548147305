#include "agent/app/keeper_main.h"

#include <csignal>
#include <cstdint>
#include <ctime>
#include <optional>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/adapters/linux/proc_tree.h"
#include "agent/adapters/linux/self_exec.h"
#include "agent/adapters/linux/small_file.h"
#include "agent/adapters/linux/tree_limits.h"

namespace holdfast::agent {
namespace {

// Between two looks while something below refuses to die.
constexpr timespec kPause{0, 20'000'000};
// Between two looks at what runs below takes: see tree_limits.h.
constexpr std::int64_t kLookEveryMs = 250;
constexpr timespec kLookEvery{0, kLookEveryMs * 1'000'000};

std::int64_t NowMs() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

sigset_t Watched() {
  sigset_t watched;
  ::sigemptyset(&watched);
  ::sigaddset(&watched, SIGCHLD);
  ::sigaddset(&watched, SIGTERM);
  return watched;
}

// Agents are the last that the kernel ends for want of memory (the unit's OOMScoreAdjust=); what they run must not be.
void Volunteer() {
  WriteSmallFile("/proc/self/oom_score_adj", "500");  // of 1000
}

// Takes the dead; true when no child is left, alive or dead. `of_worker`: how that one ended.
bool Reap(pid_t worker, std::optional<int>& of_worker) {
  for (;;) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid == 0) return false;
    if (pid < 0) return true;
    if (pid == worker) of_worker = status;
  }
}

void KillAllBelow(pid_t worker, std::optional<int>& of_worker, const sigset_t& watched) {
  while (!Reap(worker, of_worker)) {
    EndTree(::getpid());
    ::sigtimedwait(&watched, nullptr, &kPause);
  }
}

// So that warden sees what it would have seen of the worker.
int EndLike(int status) {
  if (!WIFSIGNALED(status)) return WEXITSTATUS(status);
  const int number = WTERMSIG(status);
  sigset_t one;
  ::sigemptyset(&one);
  ::sigaddset(&one, number);
  std::signal(number, SIG_DFL);
  ::sigprocmask(SIG_UNBLOCK, &one, nullptr);
  ::raise(number);
  return 1;
}

}  // namespace

int RunKeeper(const char* limits_text) {
  const auto limits = ParseTreeLimits(limits_text);
  if (!limits) return 1;
  Volunteer();
  const sigset_t watched = Watched();
  ::sigprocmask(SIG_BLOCK, &watched, nullptr);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  // Until here warden's death would have killed us at once; from here on there is something to do first.
  ::prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
  const auto self = SelfExec::Open();
  if (!self.ok()) return 1;
  ChildPlan plan;
  plan.subcommand = "worker";
  const auto worker = self.value().Start(plan);
  if (!worker.ok()) return 1;
  ::close(STDIN_FILENO);
  ::close(STDOUT_FILENO);  // else warden would never see the end of the worker's output
  std::optional<int> ended;
  std::int64_t look_at = NowMs() + kLookEveryMs;
  while (!ended) {
    const int number = ::sigtimedwait(&watched, nullptr, &kLookEvery);
    if (number == SIGTERM) break;
    Reap(worker.value(), ended);
    // Not at each signal: children that come and go all the time must neither keep us from looking nor make us look all the time.
    if (NowMs() < look_at) continue;
    look_at = NowMs() + kLookEveryMs;
    const TreeExcess excess = ExcessBelow(::getpid(), worker.value(), *limits);
    if (excess == TreeExcess::kNone) continue;
    KillAllBelow(worker.value(), ended, watched);
    return excess == TreeExcess::kMemory ? kOverMemoryStatus : kOverProcessesStatus;
  }
  KillAllBelow(worker.value(), ended, watched);
  return ended ? EndLike(*ended) : 1;
}

}  // namespace holdfast::agent
