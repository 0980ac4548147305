// MarkedProcess: a process that does nothing, with a needle in its memory and nowhere else: "memory-needle". It ends with the
// test.
#pragma once

#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/temp_dir.h"

namespace holdfast::testing {

class MarkedProcess {
 public:
  MarkedProcess() : pid_(fork()) {
    if (pid_ == 0) {
      execle("/bin/sleep", "sleep", "1000", nullptr,
             std::vector<const char*>{"MARK=memory-needle", nullptr}.data());
      _exit(127);
    }
    while (ReadWhole("/proc/" + std::to_string(pid_) + "/comm") != "sleep\n")
      std::this_thread::yield();
  }
  ~MarkedProcess() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  MarkedProcess(const MarkedProcess&) = delete;
  MarkedProcess& operator=(const MarkedProcess&) = delete;

  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

}  // namespace holdfast::testing
