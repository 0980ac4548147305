// Spawn: a child process.
//
// Ordering:  the child has its own process group, so that a Ctrl-C reaches the supervisor alone; unless it is said to
//            outlive us, it is killed by the kernel when its parent dies.
// Errors:    kInternal: fork failed. A program that cannot be run ends with status 127.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include "common/base/result.h"

namespace holdfast::backend {

struct SpawnOptions {
  std::string program;             // looked up in PATH if it has no slash
  std::vector<std::string> argv;   // from argv[0] on
  std::vector<int> inherited_fds;  // become 3, 4, ...; every other descriptor is closed
  std::string output_file;         // stdout and stderr go there; empty: to ours
  bool outlives_us = false;
};
Result<pid_t> Spawn(const SpawnOptions& options);

}  // namespace holdfast::backend
