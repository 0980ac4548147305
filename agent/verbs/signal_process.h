// SignalProcess: one signal to the process that is meant, never to another that got its pid.
//
// Threading: one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/tables/machine.h"
#include "agent/tables/proc_files.h"
#include "holdfast/command/v1/result.pb.h"

namespace holdfast::agent {

std::optional<ProcStat> ProcStatOf(Machine& machine, std::int64_t pid);

// What a signal to one process came to.
struct Signalled {
  std::string name;
  std::string result = "signalled";
  command::v1::CommandFailure failure = command::v1::COMMAND_FAILURE_UNSPECIFIED;
};

// `start_ticks`: its start time must be that; 0: whichever process has the pid. The warden and this
// process are refused.
Signalled SignalProcess(Machine& machine, std::int64_t pid, int signal, std::uint64_t start_ticks);

}  // namespace holdfast::agent
