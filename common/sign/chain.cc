#include "common/sign/chain.h"

#include <algorithm>
#include <utility>

#include "common/sign/class_limits.h"
#include "common/sign/envelope.h"
#include "common/sign/strict.h"

namespace holdfast::sign {
namespace {

namespace pb = ::holdfast::command::v1;

Error Denied(std::string what) { return Error{Code::kDenied, std::move(what)}; }

// `ahead` is later than `now` by more than `skew`; no sum that could overflow.
bool IsTooFarAhead(std::uint64_t ahead_ms, WallTime now, Duration skew) {
  return ahead_ms > now.get() && ahead_ms - now.get() > static_cast<std::uint64_t>(skew.count());
}

Status CheckCertTimes(const pb::OperatorCert& cert, WallTime now) {
  if (IsTooFarAhead(cert.not_before_ms(), now, kClockSkew)) {
    return Denied("certificate is not valid yet");
  }
  if (now.get() > cert.not_after_ms()) {
    return Error{Code::kExpired, "certificate expired: renew the operator's certificate"};
  }
  return Ok();
}

Result<pb::OperatorCert> CertFor(const Crypto& crypto, const TrustedPolicy& trust,
                                 const SignedCommand& signed_command, WallTime now) {
  if (signed_command.verified_cert == nullptr) {
    return VerifyCert(crypto, trust, signed_command.cert_envelope, now);
  }
  HF_TRY(CheckCertTimes(*signed_command.verified_cert, now));
  return *signed_command.verified_cert;
}

// Why a parsed command is refused, in the order of docs/protocol.md; nullopt: it is not.
struct Reason {
  pb::CommandFailure failure;
  std::string message;
};

std::optional<Reason> CheckAddressee(const pb::Command& command, const TrustedPolicy& trust,
                                     const CommandCheck& check) {
  if (command.fleet_id() != trust.fleet_id.view()) {
    return Reason{pb::COMMAND_FAILURE_WRONG_FLEET, "the command is for another fleet"};
  }
  const auto& targets = command.target().agent_ids();
  if (check.self &&
      std::find(targets.begin(), targets.end(), check.self->view()) == targets.end()) {
    return Reason{pb::COMMAND_FAILURE_WRONG_TARGET, "this agent is not among the targets"};
  }
  return std::nullopt;
}

// What a class must list for a command: its verb, and exec for a collection that runs programs.
std::vector<std::string_view> VerbsNeeded(const pb::Command& command) {
  std::vector<std::string_view> verbs = {VerbName(command)};
  const auto& sources = command.collect().sources();
  const bool runs_programs = std::any_of(sources.begin(), sources.end(),
                                         [](const auto& source) { return source.argv_size() > 0; });
  if (runs_programs) verbs.push_back("exec");
  return verbs;
}

bool Lists(const pb::VerbClass& verb_class, std::string_view verb) {
  const auto& verbs = verb_class.verbs();
  return std::find(verbs.begin(), verbs.end(), verb) != verbs.end();
}

std::optional<Reason> CheckPermission(const pb::Command& command, const pb::OperatorCert& cert,
                                      const pb::Policy& policy) {
  const auto& allowed = cert.classes();
  if (std::find(allowed.begin(), allowed.end(), command.class_id()) == allowed.end()) {
    return Reason{pb::COMMAND_FAILURE_NOT_PERMITTED,
                  "the operator's certificate does not have class " + command.class_id()};
  }
  const auto& classes = policy.classes();
  const auto found = std::find_if(classes.begin(), classes.end(), [&](const pb::VerbClass& c) {
    return c.class_id() == command.class_id();
  });
  if (found == classes.end()) {
    return Reason{pb::COMMAND_FAILURE_NOT_PERMITTED,
                  "the policy does not know class " + command.class_id()};
  }
  for (const std::string_view verb : VerbsNeeded(command)) {
    if (Lists(*found, verb)) continue;
    // A policy from before there were updates: who may run any program as the agent may replace it, and what he replaces it
    // with must still be signed by others.
    const bool is_known = std::any_of(classes.begin(), classes.end(),
                                      [&](const pb::VerbClass& c) { return Lists(c, "update"); });
    if (command.has_update() && !is_known && Lists(*found, "exec")) continue;
    return Reason{pb::COMMAND_FAILURE_NOT_PERMITTED,
                  "class " + command.class_id() + " does not list verb " + std::string(verb)};
  }
  const auto targets = static_cast<std::uint64_t>(command.target().agent_ids().size());
  if (targets > found->max_targets()) {
    return Reason{pb::COMMAND_FAILURE_NOT_PERMITTED, std::to_string(targets) + " targets, class " +
                                                         command.class_id() + " allows " +
                                                         std::to_string(found->max_targets())};
  }
  if (auto above = LimitAbove(*found, command.limits())) {
    return Reason{pb::COMMAND_FAILURE_NOT_PERMITTED, *std::move(above)};
  }
  // ParseCommand() refused not_after before issued_at, so this does not wrap.
  if (command.not_after_ms() - command.issued_at_ms() > found->max_ttl_ms()) {
    return Reason{pb::COMMAND_FAILURE_TTL_TOO_LONG,
                  "valid for longer than the " + std::to_string(found->max_ttl_ms() / 1000) +
                      " s that class " + command.class_id() + " allows"};
  }
  return std::nullopt;
}

std::optional<Reason> CheckTimes(const pb::Command& command, const CommandCheck& check) {
  if (check.now.get() > command.not_after_ms()) {
    return Reason{pb::COMMAND_FAILURE_EXPIRED, "not_after has passed"};
  }
  if (IsTooFarAhead(command.issued_at_ms(), check.now, check.future_skew)) {
    return Reason{pb::COMMAND_FAILURE_NOT_YET_VALID,
                  "issued in the future: compare the signer's clock with this one"};
  }
  if (command.issued_at_ms() < check.birth.get()) {
    return Reason{pb::COMMAND_FAILURE_BEFORE_BIRTH,
                  "issued before this agent's journal began: sign it again"};
  }
  return std::nullopt;
}

}  // namespace

Result<TrustedPolicy> VerifyPolicy(const Crypto& crypto, std::string_view envelope_bytes,
                                   const std::vector<PublicKey>& pinned, WallTime now) {
  HF_ASSIGN_OR_RETURN(const Envelope envelope, ParseEnvelope(envelope_bytes, kPolicyType));
  // With pinned roots nothing is parsed before one of them is known to have signed it.
  const std::uint32_t by_pinned = CountSignatures(crypto, envelope, pinned);
  if (!pinned.empty() && by_pinned == 0) return Denied("policy: not signed by a known root");
  HF_ASSIGN_OR_RETURN(pb::Policy policy, ParsePolicy(envelope.payload()));
  const std::uint32_t count =
      pinned.empty() ? CountSignatures(crypto, envelope, KeysOf(policy.root_keys())) : by_pinned;
  if (count < policy.root_threshold()) {
    return Denied("policy: " + std::to_string(count) + " valid root signatures, " +
                  std::to_string(policy.root_threshold()) + " are due");
  }
  if (now.get() > policy.expires_ms()) return Error{Code::kExpired, "policy: expired"};
  const FleetId fleet_id = *FleetId::From(policy.fleet_id());
  return TrustedPolicy{
      .fleet_id = fleet_id,
      .policy = std::move(policy),
      .digest = EnvelopeDigest(crypto, envelope.payload_type(), envelope.payload()),
  };
}

Result<TrustedPolicy> VerifySuccessor(const Crypto& crypto, std::string_view envelope_bytes,
                                      const TrustedPolicy& before, WallTime now) {
  HF_ASSIGN_OR_RETURN(const Envelope envelope, ParseEnvelope(envelope_bytes, kPolicyType));
  const std::uint32_t count = CountSignatures(crypto, envelope, KeysOf(before.policy.root_keys()));
  if (count < before.policy.root_threshold()) {
    return Denied("policy: not signed by the roots of the one before it");
  }
  HF_ASSIGN_OR_RETURN(TrustedPolicy next, VerifyPolicy(crypto, envelope_bytes, {}, now));
  if (next.fleet_id != before.fleet_id) return Denied("policy: of another fleet");
  if (next.policy.version() < before.policy.version()) return Denied("policy: an older version");
  return next;
}

Result<pb::OperatorCert> VerifyCert(const Crypto& crypto, const TrustedPolicy& trust,
                                    std::string_view cert_envelope, WallTime now) {
  HF_ASSIGN_OR_RETURN(const Envelope envelope, ParseEnvelope(cert_envelope, kCertType));
  const std::vector<PublicKey> issuers = KeysOf(trust.policy.issuer_keys());
  const auto issuer = std::find_if(issuers.begin(), issuers.end(), [&](const PublicKey& key) {
    return VerifySignedBy(crypto, envelope, key).ok();
  });
  if (issuer == issuers.end()) return Denied("certificate: not signed by an issuer of the policy");
  HF_ASSIGN_OR_RETURN(pb::OperatorCert cert, ParseCert(envelope.payload()));
  if (cert.issuer_key_id() != KeyIdOf(crypto, *issuer).view()) {
    return Denied("certificate: names another issuer than signed it");
  }
  if (cert.fleet_id() != trust.fleet_id.view()) return Denied("certificate: of another fleet");
  HF_TRY(CheckCertTimes(cert, now));
  // ParseCert() refused not_after before not_before, so this does not wrap.
  if (cert.not_after_ms() - cert.not_before_ms() > trust.policy.max_cert_ttl_ms()) {
    return Denied("certificate: valid for longer than the policy allows");
  }
  return cert;
}

std::variant<VerifiedCommand, Refusal> CheckCommand(const Crypto& crypto,
                                                    const TrustedPolicy& trust,
                                                    const SignedCommand& signed_command,
                                                    const CommandCheck& check) {
  auto envelope = ParseEnvelope(signed_command.envelope, kCommandType);
  if (!envelope.ok()) {
    return Refusal{pb::COMMAND_FAILURE_MALFORMED, envelope.error().message, std::nullopt,
                   std::nullopt};
  }
  const Digest digest =
      EnvelopeDigest(crypto, envelope.value().payload_type(), envelope.value().payload());
  const auto refuse = [&](pb::CommandFailure failure, std::string message) {
    return Refusal{failure, std::move(message), digest, std::nullopt};
  };

  const auto cert = CertFor(crypto, trust, signed_command, check.now);
  if (!cert.ok()) return refuse(pb::COMMAND_FAILURE_BAD_CERT, cert.error().message);

  const auto key = PublicKey::From(cert.value().pubkey());
  if (!key) return refuse(pb::COMMAND_FAILURE_BAD_CERT, "certificate: pubkey is not 65 bytes");
  if (const auto held = VerifySignedBy(crypto, envelope.value(), *key); !held.ok()) {
    return refuse(pb::COMMAND_FAILURE_BAD_SIGNATURE, held.error().message);
  }

  auto command = ParseCommand(envelope.value().payload());
  if (!command.ok()) {
    const bool unknown_verb = command.error().code == Code::kUnsupported;
    return refuse(unknown_verb ? pb::COMMAND_FAILURE_UNKNOWN_VERB : pb::COMMAND_FAILURE_MALFORMED,
                  command.error().message);
  }
  const std::string_view verb = VerbName(command.value());
  if (verb.empty()) return refuse(pb::COMMAND_FAILURE_UNKNOWN_VERB, "the command has no verb");
  if (command.value().operator_serial() != cert.value().serial()) {
    return refuse(pb::COMMAND_FAILURE_BAD_CERT, "the command names another certificate");
  }

  auto reason = CheckAddressee(command.value(), trust, check);
  if (!reason) reason = CheckPermission(command.value(), cert.value(), trust.policy);
  if (!reason) reason = CheckTimes(command.value(), check);
  if (reason && reason->failure != pb::COMMAND_FAILURE_NOT_YET_VALID) {
    return refuse(reason->failure, std::move(reason->message));
  }
  VerifiedCommand verified{
      .digest = digest,
      .command_id = *CommandId::From(command.value().command_id()),
      .verb = std::string(verb),
      .command = std::move(command).value(),
      .operator_id = cert.value().operator_id(),
  };
  if (!reason) return verified;
  return Refusal{reason->failure, std::move(reason->message), digest, std::move(verified)};
}

std::string_view VerbName(const pb::Command& command) {
  switch (command.verb_case()) {
    case pb::Command::kQuery: return "query";
    case pb::Command::kLs: return "ls";
    case pb::Command::kStat: return "stat";
    case pb::Command::kCat: return "cat";
    case pb::Command::kHash: return "hash";
    case pb::Command::kGet: return "get";
    case pb::Command::kPut: return "put";
    case pb::Command::kExec: return "exec";
    case pb::Command::kPs: return "ps";
    case pb::Command::kKill: return "kill";
    case pb::Command::kCancel: return "cancel";
    case pb::Command::kFind: return "find";
    case pb::Command::kMkdir: return "mkdir";
    case pb::Command::kCp: return "cp";
    case pb::Command::kMv: return "mv";
    case pb::Command::kRm: return "rm";
    case pb::Command::kTail: return "tail";
    case pb::Command::kArchive: return "archive";
    case pb::Command::kRun: return "run";
    case pb::Command::kCollect: return "collect";
    case pb::Command::kMemdump: return "memdump";
    case pb::Command::kCapture: return "capture";
    case pb::Command::kScan: return "scan";
    case pb::Command::kUpdate: return "update";
    case pb::Command::kIsolate: return "isolate";
    case pb::Command::kRelease: return "release";
    case pb::Command::kPty: return "pty";
    case pb::Command::VERB_NOT_SET: return "";
  }
  return "";
}

}  // namespace holdfast::sign
