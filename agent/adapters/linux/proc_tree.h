// What /proc says about who is whose child.
//
// Threading: pure functions over /proc.
#pragma once

#include <vector>

#include <sys/types.h>

namespace holdfast::agent {

// Every process below `root`, at one moment; not `root` itself.
std::vector<pid_t> DescendantsOf(pid_t root);
std::vector<pid_t> ChildrenOf(pid_t parent);

}  // namespace holdfast::agent
