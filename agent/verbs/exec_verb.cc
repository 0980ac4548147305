// exec, run: a program of the endpoint, or one that came along.
#include <string>

#include "agent/verbs/program_plan.h"
#include "agent/verbs/program_run.h"
#include "agent/verbs/unnamed_program.h"
#include "agent/verbs/verb_result.h"
#include "agent/verbs/verbs.h"

namespace holdfast::agent {

namespace pb = command::v1;

pb::Result RunExec(const pb::ExecArgs& args, VerbRun& run) {
  if (const std::string complaint = ProgramComplaint(args); !complaint.empty()) {
    return Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT, complaint);
  }
  return RunProgram(PlanOf(args, run.limits), run);
}

pb::Result RunRun(const pb::RunArgs& args, VerbRun& run) {
  // What exec takes, with a program that has no path.
  pb::ExecArgs as_exec;
  const bool is_script = !args.interpreter().empty();
  if (is_script) as_exec.add_argv(args.interpreter());
  as_exec.add_argv(args.name().empty() ? "program" : args.name());
  for (const std::string& arg : args.args()) as_exec.add_argv(arg);
  as_exec.set_cwd(args.cwd());
  *as_exec.mutable_env() = args.env();
  as_exec.set_stdin(args.stdin());
  std::string complaint = ProgramComplaint(as_exec);
  if (args.name().find('/') != std::string::npos) complaint = Shown(args.name()) + ": is no name";
  if (is_script && args.interpreter().front() != '/') {
    complaint = Shown(args.interpreter()) + ": the interpreter must be an absolute path";
  }
  if (!complaint.empty()) return Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT, complaint);
  UnnamedProgram program;
  if (pb::Result made = program.Make(run, is_script); made.outcome() != pb::OUTCOME_DONE) {
    return made;
  }
  ExecPlan plan = PlanOf(as_exec, run.limits);
  if (is_script) {
    plan.argv[1] = program.path();
  } else {
    plan.candidates = {program.path()};
  }
  return RunProgram(plan, run);
}

}  // namespace holdfast::agent
