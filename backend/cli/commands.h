// The commands of the program, one function each: does it, prints it, returns the exit status.
#pragma once

#include <memory>
#include <string>

#include "backend/cli/console.h"
#include "backend/cli/interrupt.h"
#include "backend/cli/options.h"
#include "backend/sdk/client.h"
#include "backend/sdk/fleet.h"
#include "common/sign/crypto.h"

namespace holdfast::cli {

struct Session;

// A line of `holdfast shell`: what it shares with the lines before it.
struct ShellLine {
  Session& session;
  std::string left_job;  // out: digest in hex of a job that was left running
};

// What every command gets.
struct Call {
  const Options& options;
  Console& console;
  const sign::Crypto& crypto;
  int interrupt_fd;            // readable after Ctrl-C
  ShellLine* shell = nullptr;  // none: a command of its own
  Interrupt* interrupt = nullptr;
};

// The fleet that --dir, --profile, HOLDFAST_DIR or the default profile names.
Result<sdk::Fleet> ChooseFleet(const Options& options);
// --operator, else fleet.toml's.
std::string OperatorName(const Options& options, const sdk::Fleet& fleet);

// Fleet, operator and connection, as most commands need them. Not movable: the client borrows.
struct Session {
  sdk::Fleet fleet;
  sdk::Operator who;
  std::unique_ptr<sdk::Client> client;
};
// A session that ends with this, or the one that the lines of a shell share.
struct EndSession {
  bool is_shared = false;
  void operator()(Session* session) const {
    if (!is_shared) delete session;
  }
};
using SessionRef = std::unique_ptr<Session, EndSession>;
// Renews the operator's certificate on the way where it can, and says so; dials.
Result<SessionRef> OpenSession(const Call& call);

int Dispatch(const Call& call);

int RunInit(const Call& call);
int RunEnrolToken(const Call& call);
int RunAgents(const Call& call);
int RunAgentsRemove(const Call& call);
int RunRead(const Call& call);  // query ls stat hash ps cat get find tail archive collect
int RunCollect(const Call& call);
int RunVerify(const Call& call);
int RunAct(const Call& call);  // exec put kill run mkdir cp mv rm isolate release
int RunShell(const Call& call);
int RunPty(const Call& call);
int RunCancel(const Call& call);
int RunResults(const Call& call);
int RunJobs(const Call& call);
int RunJob(const Call& call);
int RunPending(const Call& call);
int RunAudit(const Call& call);
int RunOperatorAdd(const Call& call);
int RunOperatorRenew(const Call& call);
int RunOperatorList(const Call& call);
int RunUpdateKey(const Call& call);
int RunUpdateRoot(const Call& call);
int RunUpdateRelease(const Call& call);
int RunUpdateSign(const Call& call);
int RunUpdatePlan(const Call& call);
int RunUpdateStart(const Call& call);
int RunUpdateStatus(const Call& call);
int RunUpdateHalt(const Call& call);
int RunVersion(const Call& call);
int RunCompletion(const Call& call);

}  // namespace holdfast::cli
