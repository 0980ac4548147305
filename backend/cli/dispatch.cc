#include "backend/cli/commands.h"

namespace holdfast::cli {

int Dispatch(const Call& call) {
  switch (call.options.command) {
    case Command::kInit: return RunInit(call);
    case Command::kEnrolToken: return RunEnrolToken(call);
    case Command::kAgents: return RunAgents(call);
    case Command::kAgentsRemove: return RunAgentsRemove(call);
    case Command::kQuery:
    case Command::kLs:
    case Command::kStat:
    case Command::kCat:
    case Command::kHash:
    case Command::kGet:
    case Command::kFind:
    case Command::kTimeline:
    case Command::kTail:
    case Command::kArchive:
    case Command::kPs: return RunRead(call);
    case Command::kCollect: return RunCollect(call);
    case Command::kVerify: return RunVerify(call);
    case Command::kExec:
    case Command::kPut:
    case Command::kMkdir:
    case Command::kCp:
    case Command::kMv:
    case Command::kRm:
    case Command::kRun:
    case Command::kMemdump:
    case Command::kMemory:
    case Command::kCapture:
    case Command::kScan:
    case Command::kIsolate:
    case Command::kRelease:
    case Command::kKill: return RunAct(call);
    case Command::kShell: return RunShell(call);
    case Command::kPty: return RunPty(call);
    case Command::kCancel: return RunCancel(call);
    case Command::kResults: return RunResults(call);
    case Command::kJobs: return RunJobs(call);
    case Command::kJob: return RunJob(call);
    case Command::kPending: return RunPending(call);
    case Command::kAudit: return RunAudit(call);
    case Command::kOperatorAdd: return RunOperatorAdd(call);
    case Command::kOperatorRenew: return RunOperatorRenew(call);
    case Command::kOperatorList: return RunOperatorList(call);
    case Command::kUpdateKey: return RunUpdateKey(call);
    case Command::kUpdateRoot: return RunUpdateRoot(call);
    case Command::kUpdateRelease: return RunUpdateRelease(call);
    case Command::kUpdateSign: return RunUpdateSign(call);
    case Command::kUpdatePlan: return RunUpdatePlan(call);
    case Command::kUpdateStart: return RunUpdateStart(call);
    case Command::kUpdateStatus: return RunUpdateStatus(call);
    case Command::kUpdateHalt: return RunUpdateHalt(call);
    case Command::kVersion: return RunVersion(call);
    case Command::kCompletion: return RunCompletion(call);
    case Command::kNone: break;
  }
  return kExitUsage;
}

}  // namespace holdfast::cli
