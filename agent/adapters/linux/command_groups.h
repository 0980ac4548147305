// CommandGroups: a control group (cgroup v2) for each command that starts programs, where the service manager has given
// the agent a part of the tree to itself (systemd: Delegate=yes).
//
//   UNIT/            limits of the unit; no process, as cgroup v2 wants it
//     agent/         warden, link, workers without programs
//     command-N/     keeper, worker and programs of one command: memory.max, pids.max, cpu.weight
//
// What the keeper (tree_limits.h) sees within a quarter of a second, the kernel does at once; and there is no program
// that gets out of it.
//
// Ordering:  Open() before the first child is started, or that one stays outside.
// Limits:    as many groups as there are workers, and those whose processes are stuck in the kernel.
// Ownership: a Group owns its directory and ends what is in it.
// Threading: loop thread only.
// Errors:    no group: the command runs without one.
// Design:    docs/decisions/0137-limits-of-programs.md
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/adapters/linux/tree_limits.h"
#include "agent/adapters/linux/unique_fd.h"

namespace holdfast::agent {

class CommandGroups {
 public:
  class Group {
   public:
    Group(CommandGroups& owner, std::string path) : owner_(owner), path_(std::move(path)) {}
    ~Group();
    Group(const Group&) = delete;
    Group& operator=(const Group&) = delete;
    // A process that writes "0" to it is in the group.
    UniqueFd OpenDoor() const;
    // The kernel has ended something in it for want of memory.
    bool ran_out_of_memory() const;
    void Kill() const;

   private:
    CommandGroups& owner_;
    const std::string path_;
  };

  // Null: no part of the tree is ours, or it lacks memory or pids.
  static std::unique_ptr<CommandGroups> Open();
  // Null: it cannot be made now.
  std::unique_ptr<Group> Make(std::uint32_t number, const TreeLimits& limits);
  // Removes what had processes in it when its command ended.
  void Sweep();

 private:
  explicit CommandGroups(std::string base) : base_(std::move(base)) {}
  const std::string base_;
  std::vector<std::string> left_;
};

}  // namespace holdfast::agent
