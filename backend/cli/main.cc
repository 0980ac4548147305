// holdfast: the analyst's and operator's command line.
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>

#include <malloc.h>

#include "backend/cli/arguments.h"
#include "backend/cli/commands.h"
#include "backend/cli/interrupt.h"
#include "common/adapters/openssl/openssl_crypto.h"

namespace holdfast::cli {
namespace {

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

// Output comes in messages of 256 KiB: above glibc's threshold each would be mapped, faulted in page by
// page and unmapped again, a seventh of the time that a large `get` takes here.
void KeepFreedMemory() {
#ifdef __GLIBC__
  constexpr int kKeepBytes = 64 * 1024 * 1024;
  ::mallopt(M_MMAP_THRESHOLD, kKeepBytes);
  ::mallopt(M_TRIM_THRESHOLD, kKeepBytes);
#endif
}

int Main(int argc, const char* const* argv) {
  auto parsed = ParseArguments(argc, argv);
  if (const int* status = std::get_if<int>(&parsed)) return *status;
  KeepFreedMemory();
  // A closed pipe is an error of write(), not a death.
  std::signal(SIGPIPE, SIG_IGN);
  Console console;
  const std::unique_ptr<sign::Crypto> crypto = NewOpensslCrypto();
  const Interrupt interrupt;
  return Dispatch({std::get<Options>(parsed), console, *crypto, interrupt.fd()});
}

}  // namespace
}  // namespace holdfast::cli

int main(int argc, char** argv) {
  try {
    return holdfast::cli::Main(argc, argv);
  } catch (const std::exception& why) {  // the libraries' own: out of memory, a bug
    std::fprintf(stderr, "holdfast: %s\n", why.what());
    return holdfast::cli::kExitFailed;
  }
}
