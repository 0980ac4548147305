// What /proc says about who is whose child, and the end of a whole tree of processes.
//
// A tree that forks faster than it is read cannot be killed by reading it once: what was born meanwhile is
// missed. EndTree() stops first (SIGSTOP reaches a process group at one moment, and no fork gets away from
// it), looks again until it finds nothing that was not stopped before, and only then kills.
//
// Limits:    kMaxLooks; a tree that outruns them is killed as far as it was seen, and the caller comes again.
// Threading: functions over /proc, without state.
#pragma once

#include <functional>
#include <vector>

#include <sys/types.h>

namespace holdfast::agent {

// By one look, from /proc/PID/task/*/children, or from all of /proc where the kernel does not have that file.
std::vector<pid_t> ChildrenOf(pid_t parent);
// Each process below `root`, once it is seen and before its children are looked for; false from `visit` ends it.
void VisitBelow(pid_t root, const std::function<bool(pid_t)>& visit);
// Everything below `root`, not `root` itself. False: there may be more.
bool EndTree(pid_t root);

}  // namespace holdfast::agent
