// What exec, run and pty have in common: whether their words name a program, and how it is started.
//
// Threading: one thread.
// Errors:    ProgramComplaint(): what is wrong with the words (BAD_ARGUMENT), or empty.
#pragma once

#include <string>

#include "agent/core/worker_limits.h"
#include "agent/tables/system_files.h"
#include "agent/verbs/child_process.h"
#include "holdfast/command/v1/command.pb.h"

namespace holdfast::agent {

// Of the user that this process runs as; without a line in /etc/passwd only number and "/".
Account OwnAccount();
std::string ProgramComplaint(const command::v1::ExecArgs& args);
ExecPlan PlanOf(const command::v1::ExecArgs& args, const WorkerLimits& limits);

}  // namespace holdfast::agent
