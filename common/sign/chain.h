// The chain of trust: roots -> policy -> issuer -> operator certificate -> command.
//
// The one verify path of the product: warden decides with it, control checks with it before it
// accepts, tools show with it. First failure wins, in the order of docs/protocol.md ("What the
// endpoint checks"); nothing of a command is parsed before its signature holds.
//
// Ownership: TrustedPolicy owns what it parsed; borrows nothing.
// Threading: thread-compatible; pure but for the Crypto handed in.
// Errors:    kDenied or kInvalid with what failed; for commands a Refusal with its catalogued
// reason.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/sign/crypto.h"
#include "holdfast/command/v1/command.pb.h"
#include "holdfast/command/v1/failure.pb.h"
#include "holdfast/command/v1/trust.pb.h"

namespace holdfast::sign {

// Clocks differ: `issued_at` of a command and `not_before` of a certificate may lie this far ahead.
inline constexpr Duration kClockSkew = std::chrono::minutes(5);

// A policy whose signatures held.
struct TrustedPolicy {
  FleetId fleet_id;
  ::holdfast::command::v1::Policy policy;
  Digest digest;  // the policy's true name
};

// `pinned` non-empty: >= threshold of these roots must have signed, where threshold is the policy's.
// Empty: trust on first use of a bundle: the policy's own roots must have signed it. kExpired past
// expires_ms.
Result<TrustedPolicy> VerifyPolicy(const Crypto& crypto, std::string_view envelope_bytes,
                                   const std::vector<PublicKey>& pinned, WallTime now);

// For whoever obeys `before` already (its end may have passed): as many of the roots named there as
// it asks for must have signed the new one too. kDenied otherwise, and for another fleet or an older
// version.
Result<TrustedPolicy> VerifySuccessor(const Crypto& crypto, std::string_view envelope_bytes,
                                      const TrustedPolicy& before, WallTime now);

// Issuer in policy, fleet, times (not_before with kClockSkew), ttl <= max_cert_ttl_ms.
Result<::holdfast::command::v1::OperatorCert> VerifyCert(const Crypto& crypto,
                                                         const TrustedPolicy& trust,
                                                         std::string_view cert_envelope,
                                                         WallTime now);

// What came from outside and is to be judged.
struct SignedCommand {
  std::string_view envelope;
  std::string_view cert_envelope;
  // What VerifyCert() said of this very cert_envelope under this very policy, if the caller kept
  // it: saves the second signature check. Its times are checked again.
  const ::holdfast::command::v1::OperatorCert* verified_cert = nullptr;
};

struct VerifiedCommand {
  Digest digest;
  CommandId command_id;
  std::string verb;  // name of the oneof field that is set
  ::holdfast::command::v1::Command command;
  std::string operator_id;
};
struct Refusal {
  ::holdfast::command::v1::CommandFailure failure;
  std::string message;  // for people
  // Known once the envelope parses: a refusal can then be reported under the command's name.
  std::optional<Digest> digest;
  // NOT_YET_VALID alone: all but the time was right, and a later clock would let it run.
  std::optional<VerifiedCommand> early;
};

struct CommandCheck {
  WallTime now{0};              // max(wall clock, time floor)
  WallTime birth{0};            // agent: start of the journal's incarnation; control: 0
  std::optional<AgentId> self;  // agent: must be among the targets; control: nullopt
  Duration future_skew = kClockSkew;
};

// Steps 1 to 7 of docs/protocol.md, "What the endpoint checks".
std::variant<VerifiedCommand, Refusal> CheckCommand(const Crypto& crypto,
                                                    const TrustedPolicy& trust,
                                                    const SignedCommand& signed_command,
                                                    const CommandCheck& check);

// "query", "ls", ... for the oneof member that is set; empty if none or unknown.
std::string_view VerbName(const ::holdfast::command::v1::Command& command);

}  // namespace holdfast::sign
