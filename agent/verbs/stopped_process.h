// StoppedProcess: a process whose threads stand still while this one looks, however this one ends.
//
// Each thread is held by ptrace(2), not by a signal: when the process that holds them ends, also by SIGKILL, the kernel
// lets them go on by itself. Nobody is told (no SIGCHLD, no state T for its parent), and one that was
// suspended before stays so.
//
//   Stop(pid) -> Registers(...) -> ~StoppedProcess lets them go
//
// Limits:    kMaxThreads, kPatience for all of them to stand still.
// Threading: one thread, the same for all calls (the kernel's rule).
// Errors:    errno: EPERM, also if another debugger holds it; ESRCH. One that does not stand still in time
//            (in the kernel, on a dead disk) is counted, and the others are held all the same.
// Design:    docs/decisions/0125-memory-of-a-process.md
#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

#include <sys/types.h>

#include "agent/verbs/process_memory.h"

namespace holdfast::agent {

class StoppedProcess {
 public:
  static constexpr std::size_t kMaxThreads = 16'384;
  static constexpr std::chrono::milliseconds kPatience{5000};

  StoppedProcess() = default;
  ~StoppedProcess();
  StoppedProcess(const StoppedProcess&) = delete;
  StoppedProcess& operator=(const StoppedProcess&) = delete;

  int Stop(pid_t pid);
  std::size_t moving() const;  // threads that did not stand still
  // A note for each thread, that of the process itself first (NT_PRSTATUS of this machine).
  std::vector<CoreNote> Registers() const;

 private:
  struct Thread {
    pid_t id;
    bool is_still = false;
    bool is_gone = false;
    int signal = 0;  // on its way to it when it stopped; it gets that when it goes on
  };
  int HoldNew(pid_t pid, bool& found);
  void AwaitAll();
  bool Look(Thread& thread);

  std::vector<Thread> threads_;
};

}  // namespace holdfast::agent
