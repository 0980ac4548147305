// RunProgram: a program, its two outputs as they come, and how it ended.
//
// Limits:    the run's wall time and output; at them the program and its group are ended.
// Threading: one thread.
#pragma once

#include "agent/verbs/child_process.h"
#include "agent/verbs/verbs.h"

namespace holdfast::agent {

command::v1::Result RunProgram(const ExecPlan& plan, VerbRun& run);

}  // namespace holdfast::agent
