// SignCommand: makes a verb a command: who, whom, from when until when, and a signature over it all.
//
// The command ends with its operator's certificate at the latest: endpoints check that the
// certificate is valid when the command reaches them.
//
// Threading: a pure function but for the Crypto handed in.
// Errors:    kInvalid: no targets, more than 1000, or the whole is too large for an envelope.
#pragma once

#include <string>
#include <vector>

#include "backend/sdk/operator_cert.h"
#include "backend/sdk/verbs.h"
#include "common/base/ids.h"
#include "common/base/time.h"

namespace holdfast::sdk {

inline constexpr std::size_t kMaxTargets = 1000;  // command.proto, Target

struct SignRequest {
  FleetId fleet_id;
  std::vector<AgentId> targets;
  Duration ttl{0};  // 0: the verb's
  std::string case_id;
  std::string reason;
  WallTime now{0};
};

struct SignedCommand {
  Digest digest;              // the command's true name
  std::string envelope;       // signed holdfast.command.v1
  std::string cert_envelope;  // of its signer
  WallTime not_after{0};
  bool acts = false;
  std::vector<AgentId> targets;  // whose answers count
};

Result<SignedCommand> SignCommand(const sign::Crypto& crypto, const Operator& who, const Verb& verb,
                                  const SignRequest& request);

}  // namespace holdfast::sdk
