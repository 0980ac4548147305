// ChildProcess: a program started without a shell, in a process group of its own, with pipes to us.
//
//   Start(plan) -> stdout_fd(), stderr_fd(), exit_fd() -> HasExited() -> EndGroup() -> Reap()
//
// Ordering:  the child stays a zombie until Reap(), so that its group id cannot be another's meanwhile.
// Limits:    the plan's CPU and memory limits hold for each process of it.
// Ownership: owns the descriptors. The child gets SIGKILL when this process ends.
// Threading: one thread.
// Errors:    Start(): what failed and its errno; then nothing runs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

#include "agent/adapters/procfs/open_file.h"

namespace holdfast::agent {

struct ExecPlan {
  std::vector<std::string> argv;
  std::vector<std::string> candidates;  // absolute paths, tried in order
  std::vector<std::string> env;         // "K=V"
  std::string cwd;
  std::string input;  // what the program reads as stdin
  std::uint64_t cpu_ms = 0;
  std::uint64_t mem_bytes = 0;  // private writable memory (RLIMIT_DATA)
};

enum class StartStep : std::uint8_t { kStarted, kPrepare, kChdir, kExec };
struct StartResult {
  StartStep failed_at = StartStep::kStarted;
  int error = 0;  // errno
};

struct ChildEnd {
  int exit_status = 0;
  int signal = 0;            // 0: it exited
  std::uint64_t cpu_ms = 0;  // of it and of what it waited for
};

class ChildProcess {
 public:
  ChildProcess() = default;
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  StartResult Start(const ExecPlan& plan);
  // In a session of its own whose terminal is `terminal`, which is its input and both its outputs.
  StartResult StartOn(int terminal, const ExecPlan& plan);
  int stdout_fd() const { return stdout_.get(); }  // non-blocking
  int stderr_fd() const { return stderr_.get(); }  // non-blocking
  int exit_fd() const { return pidfd_.get(); }     // readable once it exited; -1 on an old kernel
  bool HasExited();
  void EndGroup();  // SIGKILL to all that is in its process group
  ChildEnd Reap();

  pid_t pid() const { return pid_; }

 private:
  StartResult Fork(const ExecPlan& plan, int input, int output, int error, int terminal);
  pid_t pid_ = -1;
  bool exited_ = false;
  UniqueFd pidfd_;
  UniqueFd stdout_;
  UniqueFd stderr_;
};

}  // namespace holdfast::agent
