// The subcommands that need the agent's state: enrol, run, status, doctor, release, journal dump.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "agent/core/limits.h"
#include "common/base/time.h"

namespace holdfast::agent {

struct AgentOptions {
  std::span<char*> argv;                        // the whole command line, for another program
  std::string state;                            // directory
  std::string bundle;                           // enrol: file, "-" for stdin
  Duration timeout = std::chrono::seconds(60);  // enrol: for going online once
  // doctor: for each step
  Duration step_timeout = std::chrono::seconds(10);
  bool is_json = false;                            // status, doctor
  std::uint64_t spool_max_bytes = kMaxSpoolBytes;  // run
  std::optional<std::string> proxy;                // enrol, run: the setting to keep (ProxySetting)
};

// Each returns the exit status of cli.h.
int Enrol(const AgentOptions& options);
int Run(const AgentOptions& options);
int ShowStatus(const AgentOptions& options);
int Doctor(const AgentOptions& options);
int DumpJournal(const AgentOptions& options);
int Unenrol(const AgentOptions& options);
int Release(const AgentOptions& options);
int Reclose(const AgentOptions& options);

}  // namespace holdfast::agent
