// SelfExec: this very program again, as a child process.
//
// The file is opened once at start, so that an upgrade beneath a running agent cannot mix versions. The
// child gets descriptors 0.. as told and no other, default signals, a fixed environment, its own session,
// and dies with its parent.
//
// Ownership: owns the descriptor of the program file.
// Threading: loop thread only; the process must have no other threads.
// Errors:    Start(): kUnavailable (no process, no memory, limits).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <sys/types.h>

#include "agent/adapters/linux/unique_fd.h"
#include "common/base/result.h"
#include "common/base/time.h"

namespace holdfast::agent {

struct UserIds {
  uid_t user;
  gid_t group;
};

struct ChildPlan {
  const char* subcommand = nullptr;        // argv[1]
  const char* argument = nullptr;          // argv[2]; null = none
  std::array<int, 4> fds{-1, -1, -1, -1};  // what becomes 0..3; -1: as it is for 0..2, closed for 3
  std::uint64_t data_bytes = 0;            // RLIMIT_DATA; 0 = as the parent
  Duration cpu{0};                         // RLIMIT_CPU; 0 = as the parent
  int group_door = -1;                     // cgroup.procs of the group to be in; -1: the parent's
  bool is_subreaper = false;               // orphans among its descendants become its children
  std::optional<UserIds> drop_to;  // become this user and group for good, with no new privileges
};

class SelfExec {
 public:
  static Result<SelfExec> Open();
  Result<pid_t> Start(const ChildPlan& plan) const;

 private:
  SelfExec(UniqueFd program, std::string path)
      : program_(std::move(program)), path_(std::move(path)) {}
  UniqueFd program_;
  std::string path_;
};

}  // namespace holdfast::agent
