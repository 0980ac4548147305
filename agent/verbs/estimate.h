// Estimate: what a look through a tree would touch, found by touching little: names and facts of files for a short
// while, and the file system's own count of what it holds.
//
// Output:    one row. `complete` is 0 where the time was over, or something could not be entered.
// Limits:    kEstimateTime.
#pragma once

#include "agent/verbs/tree_walk.h"
#include "agent/verbs/verbs.h"

namespace holdfast::agent {

// `root`: open directory, or not valid: a file alone.
command::v1::Result EstimateTree(const TreeEntry& start, UniqueFd root, TreeWalk::Mounts mounts,
                                 VerbRun& run);

}  // namespace holdfast::agent
