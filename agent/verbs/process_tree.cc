#include "agent/verbs/process_tree.h"

#include <csignal>
#include <string>
#include <string_view>

#include <poll.h>
#include <unistd.h>

#include "agent/tables/pids.h"
#include "agent/verbs/signal_process.h"

namespace holdfast::agent {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kBetweenLooksMs = 2;
constexpr int kQuietLooks = 2;  // without a change, before it is believed

// Stopped, traced, or dead. What waits for a device ("D") has the signal before it runs again, and
// fork() fails while a signal is pending.
bool StandsStill(char state) {
  return std::string_view("TtZXxD").find(state) != std::string_view::npos;
}

}  // namespace

std::vector<StoppedTree::Seen> StoppedTree::Look(Machine& machine) {
  std::vector<Seen> all;
  for (const std::int64_t pid : WantedPids({}, 0, machine)) {
    if (const auto stat = ProcStatOf(machine, pid)) {
      all.push_back({.pid = pid,
                     .parent = stat->parent,
                     .session = stat->session,
                     .start_ticks = stat->start_ticks,
                     .state = stat->state});
    }
  }
  return all;
}

void StoppedTree::Take(std::int64_t pid, std::uint64_t start_ticks) {
  members_.push_back({.pid = pid, .start_ticks = start_ticks});
  pids_.insert(pid);
}

// A session that a member leads is left by nobody but with setsid(): whose parents ended is found by it.
bool StoppedTree::TakeDescendants(const std::vector<Seen>& all) {
  bool found = false;
  for (bool more = true; more && members_.size() < kMaxMembers;) {
    more = false;
    for (const Seen& one : all) {
      if (members_.size() == kMaxMembers) break;
      if (pids_.contains(one.pid)) continue;
      if (!pids_.contains(one.parent) && !pids_.contains(one.session)) continue;
      Take(one.pid, one.start_ticks);
      more = found = true;
    }
  }
  return found;
}

bool StoppedTree::AllStill(const std::vector<Seen>& all) const {
  for (const Seen& one : all) {
    if (pids_.contains(one.pid) && !StandsStill(one.state)) return false;
  }
  return true;
}

Status StoppedTree::Stop(Machine& machine, const ProcStat& root) {
  Take(root.pid, root.start_ticks);
  (void)TakeDescendants(Look(machine));
  if (pids_.contains(getpid()) || pids_.contains(getppid())) {
    members_.clear();
    return Error{Code::kDenied, "this agent is one of its descendants"};
  }
  const Clock::time_point until = Clock::now() + kPatience;
  std::size_t stopped = 0;  // of members_
  for (int quiet = 0; quiet < kQuietLooks;) {
    for (; stopped < members_.size(); ++stopped) {
      (void)SignalProcess(machine, members_[stopped].pid, SIGSTOP, members_[stopped].start_ticks);
    }
    if (members_.size() == kMaxMembers) {
      return Error{Code::kExhausted, "more than " + std::to_string(kMaxMembers) + " descendants"};
    }
    if (Clock::now() >= until) {
      return Error{Code::kExhausted, "its descendants do not stand still after " +
                                         std::to_string(kPatience.count()) + " ms"};
    }
    (void)poll(nullptr, 0, kBetweenLooksMs);
    const std::vector<Seen> all = Look(machine);
    quiet = TakeDescendants(all) || !AllStill(all) ? 0 : quiet + 1;
  }
  return Ok();
}

}  // namespace holdfast::agent
