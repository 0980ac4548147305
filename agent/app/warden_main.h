// The subcommands that need the agent's state: enrol, run, status, journal dump.
#pragma once

#include <cstdint>
#include <string>

#include "agent/core/limits.h"
#include "common/base/time.h"

namespace holdfast::agent {

struct AgentOptions {
  std::string state;                               // directory
  std::string bundle;                              // enrol: file, "-" for stdin
  Duration timeout = std::chrono::seconds(60);     // enrol: for going online once
  bool is_json = false;                            // status
  std::uint64_t spool_max_bytes = kMaxSpoolBytes;  // run
};

// Each returns the exit status of cli.h.
int Enrol(const AgentOptions& options);
int Run(const AgentOptions& options);
int ShowStatus(const AgentOptions& options);
int DumpJournal(const AgentOptions& options);

}  // namespace holdfast::agent
