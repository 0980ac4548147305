// StoppedTree: a process and all its descendants, found and stopped so that none escapes by forking.
//
// Every process found is sent SIGSTOP and all are looked at again, until each one stands still and no
// more are found: what stands still makes no child, and a child that was being made is found in the
// next round. What forked twice and left both its parent and its session before it was seen is no
// longer a descendant.
//
//   Stop(machine, root) -> members(), the given one first; they stand still until they are signalled
//
// Limits:    kMaxMembers, kPatience; at them Stop() says so, and what was stopped stays so.
// Threading: one thread.
// Errors:    kDenied: the agent itself is among them, nothing was stopped. kExhausted: a limit.
#pragma once

#include <chrono>
#include <cstdint>
#include <set>
#include <vector>

#include "agent/tables/machine.h"
#include "agent/tables/proc_files.h"
#include "common/base/result.h"

namespace holdfast::agent {

class StoppedTree {
 public:
  static constexpr std::size_t kMaxMembers = 4096;
  static constexpr std::chrono::milliseconds kPatience{5000};

  struct Member {
    std::int64_t pid = 0;
    std::uint64_t start_ticks = 0;
  };

  Status Stop(Machine& machine, const ProcStat& root);
  const std::vector<Member>& members() const { return members_; }

 private:
  struct Seen {
    std::int64_t pid, parent, session;
    std::uint64_t start_ticks;
    char state;
  };
  static std::vector<Seen> Look(Machine& machine);
  bool TakeDescendants(const std::vector<Seen>& all);
  bool AllStill(const std::vector<Seen>& all) const;
  void Take(std::int64_t pid, std::uint64_t start_ticks);

  std::vector<Member> members_;
  std::set<std::int64_t> pids_;  // of members_
};

}  // namespace holdfast::agent
