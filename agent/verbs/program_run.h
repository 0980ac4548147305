// RunProgram: a program, its two outputs as they come, and how it ended.
//
// Limits:    the run's wall time and output; at them the program and its group are ended.
// Threading: one thread.
#pragma once

#include <string_view>

#include "agent/verbs/child_process.h"
#include "agent/verbs/verbs.h"

namespace holdfast::agent {

// Of a program that was not started.
command::v1::Result StartFailure(const StartResult& start, const ExecPlan& plan);
// Of one that a signal ended: its limit of the processor, or somebody.
command::v1::Result SignalFailure(const ChildEnd& end, std::string_view who,
                                  const WorkerLimits& limits);
command::v1::Result RunProgram(const ExecPlan& plan, VerbRun& run);

}  // namespace holdfast::agent
