// Job: a submitted command as the command line sees it, and what to print of its answers.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/cli/commands.h"
#include "backend/cli/reason_names.h"
#include "backend/sdk/targets.h"
#include "backend/sdk/verbs.h"
#include "common/base/ids.h"
#include "holdfast/command/v1/command.pb.h"

namespace holdfast::cli {

struct Job {
  Digest digest;
  ::holdfast::command::v1::Command command;  // as signed
  std::string envelope;                      // the signed bytes
  std::string cert_envelope;                 // of the signer; empty: not known
  std::string verb;
  std::vector<sdk::Target> targets;
  // The target's words may mean several: then every answer says which host it is from, even if it is
  // only one today. Programs that read the output can rely on its shape.
  bool several = false;
  WallTime not_after{0};
  std::map<AgentId, std::string> hosts;  // for people, distinct, safe

  std::string id() const { return digest.hex(); }
  std::string short_id() const { return digest.hex().substr(0, 12); }
};

// A job of before, as it was signed: its envelope must have the digest that names it. Targets are the
// signed ones; of the backend's deliveries only the hostnames are taken, to be shown.
// Errors: kInvalid: no command. kCorrupt: another command than the id says.
Result<Job> ReadJob(const sign::Crypto& crypto, const ::holdfast::api::v1::CommandDetail& detail);

// "query", "exec", ... and what its output is.
sdk::OutputFormat OutputOf(const ::holdfast::command::v1::Command& command);

// Whether it goes on only for who watches, and Ctrl-C cancels it: tail -f.
// And every line of the console.
bool EndsWithUs(const Call& call, const ::holdfast::command::v1::Command& command);

// Signs `verb` for the job's targets, as this session's operator; the certificate is renewed where it would end before an
// absent endpoint comes.
Result<sdk::SignedCommand> SignFor(const Call& call, const Session& session, const sdk::Verb& verb,
                                   const Job& job);
// Ctrl-C of what only goes on for this terminal.
void CancelJob(const Call& call, const Job& job);

// `holdfast job`: what the backend tells of a job, each result checked.
void PrintJob(const Call& call, const ::holdfast::api::v1::CommandDetail& detail);

// Follows the job, printing answers as they come; honours --wait and Ctrl-C. The exit status.
int FollowJob(const Call& call, sdk::Client& client, const Job& job);

}  // namespace holdfast::cli
