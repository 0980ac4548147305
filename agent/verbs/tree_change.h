// CopyTree, RemoveTree: a file or a directory with all below it, copied or removed.
//
// Both sides are walked by descriptors (TreeWalk): no symbolic link below is followed, and exchanging
// a directory for a link meanwhile leads nowhere else. Mount points are not entered.
//
// Threading: one thread.
// Errors:    told in `changes`; the rest is still done.
#pragma once

#include "agent/verbs/changes.h"
#include "agent/verbs/place.h"

namespace holdfast::agent {

enum class Existing { kStays, kReplaced };
enum class Below { kNo, kYes };  // directories too

// Content, permission bits, times and, where allowed, owner; synced when it returns. Of a directory
// that is there its files are replaced, others stay. FIFOs, sockets and devices are failures.
struct TreeEnd {
  const PinnedPlace& place;
  const std::string& path;  // as the command names it
};
void CopyTree(TreeEnd from, TreeEnd to, Below below, Existing existing, const OwnState& own,
              Changes& changes);

void RemoveTree(const PinnedPlace& place, const std::string& path, Below below, const OwnState& own,
                Changes& changes);

}  // namespace holdfast::agent
