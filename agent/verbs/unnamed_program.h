// UnnamedProgram: the fetched content as a file that can be run and has no name in any directory.
//
// The kernel removes it with the last descriptor, however this process ends. It lies in the directory of
// the fetched content; where nothing may be executed from there, or files need names, in memory.
//
// Limits:    in memory kMaxMemoryBytes.
// Ownership: owns the descriptor; path() is good in this process and its children while it lives.
// Threading: one thread.
// Design:    docs/decisions/0082-a-program-without-a-name.md
#pragma once

#include <cstdint>
#include <string>

#include "agent/adapters/procfs/open_file.h"
#include "agent/verbs/verbs.h"

namespace holdfast::agent {

class UnnamedProgram {
 public:
  static constexpr std::uint64_t kMaxMemoryBytes = std::uint64_t{256} << 20;

  // `is_script`: an interpreter will open path() after execve. What begins with "#!" is one anyway.
  command::v1::Result Make(const VerbRun& run, bool is_script);
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_.get()); }

 private:
  UniqueFd fd_;
};

}  // namespace holdfast::agent
