#include "common/sign/strict.h"

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <utility>

#include "common/base/ids.h"
#include "common/sign/class_limits.h"
#include "common/sign/strict_walk.h"
#include "common/sign/version.h"

namespace holdfast::sign {
namespace {

namespace pb = ::holdfast::command::v1;

// As declared in the .proto files; in bytes unless they are counts.
constexpr int kMaxTargets = 1000;
constexpr int kMaxBlobs = 16;
constexpr std::size_t kMaxClassId = 32;
constexpr std::size_t kMaxCaseId = 128;
constexpr std::size_t kMaxReason = 1024;
constexpr std::size_t kMaxMessage = 1024;
constexpr std::size_t kMaxPath = 4096;
constexpr std::size_t kMaxOperatorId = 64;
constexpr std::size_t kMaxServerName = 253;  // RFC 1035, as text
constexpr std::size_t kMaxToken = 64;
constexpr std::size_t kMaxShortFact = 32;
constexpr std::size_t kMaxFact = 128;
constexpr int kMaxKeys = 8;
constexpr int kMaxClasses = 32;
constexpr int kMaxReleaseFiles = 16;
constexpr std::size_t kMaxArch = 16;
constexpr std::uint64_t kMaxProgramBytes = std::uint64_t{64} << 20;
constexpr int kMaxAfter = 512;
constexpr std::uint64_t kMaxCertTtlMs = std::uint64_t{24} * 60 * 60 * 1000;

Error Bad(const char* what) { return Error{Code::kInvalid, what}; }

template <typename Message>
Result<Message> WalkAndParse(std::string_view payload, const MessageRule& rule) {
  HF_TRY(StrictWalk(payload, rule));
  Message message;
  // What was walked parses; if the tables are wrong, refuse rather than trust.
  if (!message.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    return Error{Code::kInvalid, std::string(rule.name) + ": does not parse"};
  }
  return message;
}

template <typename Strings>
bool AreDistinct(const Strings& strings) {
  std::set<std::string_view> seen;
  return std::all_of(strings.begin(), strings.end(),
                     [&](const std::string& s) { return seen.insert(s).second; });
}

template <typename Strings>
bool AllHaveSize(const Strings& strings, std::size_t bytes) {
  return std::all_of(strings.begin(), strings.end(),
                     [&](const std::string& s) { return s.size() == bytes; });
}

// Class ids and verb names: printable ASCII without spaces.
bool IsName(std::string_view text, std::size_t max_bytes) {
  return !text.empty() && text.size() <= max_bytes &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

bool AreKeys(const google::protobuf::RepeatedPtrField<std::string>& keys) {
  return !keys.empty() && keys.size() <= kMaxKeys && AllHaveSize(keys, PublicKey::kSize) &&
         AreDistinct(keys);
}

Status CheckClass(const pb::VerbClass& verb_class) {
  if (!IsName(verb_class.class_id(), kMaxClassId)) return Bad("policy: class_id");
  for (const std::string& verb : verb_class.verbs()) {
    if (!IsName(verb, kMaxClassId)) return Bad("policy: name of a verb");
  }
  if (!AreDistinct(verb_class.verbs())) return Bad("policy: a verb twice in a class");
  if (verb_class.max_targets() == 0) return Bad("policy: max_targets is 0");
  if (const auto name = BoundWithoutDefault(verb_class)) {
    return Error{Code::kInvalid, "policy: a bound of " + *name + " without a default within it"};
  }
  return Ok();
}

Status CheckFacts(const pb::AgentFacts& facts) {
  if (facts.hostname().size() > kMaxServerName) return Bad("hello: hostname");
  if (facts.os().size() > kMaxFact) return Bad("hello: os");
  if (facts.arch().size() > kMaxShortFact) return Bad("hello: arch");
  if (facts.version().size() > kMaxShortFact) return Bad("hello: version");
  if (facts.kernel().size() > kMaxFact) return Bad("hello: kernel");
  return Ok();
}

}  // namespace

Result<pb::Command> ParseCommand(std::string_view payload) {
  HF_ASSIGN_OR_RETURN(pb::Command command, WalkAndParse<pb::Command>(payload, kCommandRule));
  if (command.fleet_id().size() != FleetId::kSize) return Bad("command: fleet_id is not 16 bytes");
  if (command.command_id().size() != CommandId::kSize) {
    return Bad("command: command_id is not 16 bytes");
  }
  if (!IsName(command.class_id(), kMaxClassId)) return Bad("command: class_id");
  const auto& targets = command.target().agent_ids();
  if (targets.empty() || targets.size() > kMaxTargets) return Bad("command: number of targets");
  if (!AllHaveSize(targets, AgentId::kSize)) return Bad("command: a target is not 16 bytes");
  if (!AreDistinct(targets)) return Bad("command: a target twice");
  if (command.not_after_ms() < command.issued_at_ms()) {
    return Bad("command: not_after lies before issued_at");
  }
  if (command.operator_serial().size() != Nonce16::kSize) {
    return Bad("command: operator_serial is not 16 bytes");
  }
  if (command.blobs().size() > kMaxBlobs) return Bad("command: too many blobs");
  for (const pb::Blob& blob : command.blobs()) {
    if (blob.sha256().size() != Digest::kSize) return Bad("command: a blob's sha256");
  }
  const auto& after = command.update().after();
  if (after.size() > kMaxAfter || !AllHaveSize(after, Digest::kSize)) return Bad("command: after");
  if (command.case_id().size() > kMaxCaseId) return Bad("command: case_id is too long");
  if (command.reason().size() > kMaxReason) return Bad("command: reason is too long");
  return command;
}

Result<pb::Policy> ParsePolicy(std::string_view payload) {
  HF_ASSIGN_OR_RETURN(pb::Policy policy, WalkAndParse<pb::Policy>(payload, kPolicyRule));
  if (policy.fleet_id().size() != FleetId::kSize) return Bad("policy: fleet_id is not 16 bytes");
  if (policy.version() == 0) return Bad("policy: version is 0");
  const std::size_t prev = policy.prev_digest().size();
  if (prev != (policy.version() == 1 ? 0 : Digest::kSize)) return Bad("policy: prev_digest");
  if (!AreKeys(policy.root_keys())) return Bad("policy: root_keys");
  if (!AreKeys(policy.issuer_keys())) return Bad("policy: issuer_keys");
  const auto roots = static_cast<std::uint32_t>(policy.root_keys().size());
  if (policy.root_threshold() == 0 || policy.root_threshold() > roots) {
    return Bad("policy: root_threshold");
  }
  if (policy.max_cert_ttl_ms() == 0 || policy.max_cert_ttl_ms() > kMaxCertTtlMs) {
    return Bad("policy: max_cert_ttl_ms");
  }
  if (policy.classes().empty() || policy.classes().size() > kMaxClasses) {
    return Bad("policy: number of classes");
  }
  std::set<std::string_view> ids;
  for (const pb::VerbClass& verb_class : policy.classes()) {
    HF_TRY(CheckClass(verb_class));
    if (!ids.insert(verb_class.class_id()).second) return Bad("policy: a class twice");
  }
  return policy;
}

Result<pb::OperatorCert> ParseCert(std::string_view payload) {
  HF_ASSIGN_OR_RETURN(pb::OperatorCert cert, WalkAndParse<pb::OperatorCert>(payload, kCertRule));
  if (cert.serial().size() != Nonce16::kSize) return Bad("certificate: serial is not 16 bytes");
  if (cert.operator_id().empty() || cert.operator_id().size() > kMaxOperatorId) {
    return Bad("certificate: operator_id");
  }
  if (cert.pubkey().size() != PublicKey::kSize) return Bad("certificate: pubkey is not 65 bytes");
  if (cert.classes().empty() || cert.classes().size() > kMaxClasses) {
    return Bad("certificate: number of classes");
  }
  for (const std::string& id : cert.classes()) {
    if (!IsName(id, kMaxClassId)) return Bad("certificate: id of a class");
  }
  if (cert.not_after_ms() < cert.not_before_ms()) {
    return Bad("certificate: not_after lies before not_before");
  }
  if (cert.issuer_key_id().size() != KeyId::kSize) {
    return Bad("certificate: issuer_key_id is not 32 bytes");
  }
  if (cert.fleet_id().size() != FleetId::kSize) return Bad("certificate: fleet_id is not 16 bytes");
  return cert;
}

Result<pb::Login> ParseLogin(std::string_view payload) {
  HF_ASSIGN_OR_RETURN(pb::Login login, WalkAndParse<pb::Login>(payload, kLoginRule));
  if (login.fleet_id().size() != FleetId::kSize) return Bad("login: fleet_id is not 16 bytes");
  if (login.server_name().size() > kMaxServerName) return Bad("login: server_name is too long");
  if (login.challenge().size() != Nonce32::kSize) return Bad("login: challenge is not 32 bytes");
  if (login.operator_serial().size() != Nonce16::kSize) {
    return Bad("login: operator_serial is not 16 bytes");
  }
  return login;
}

Result<pb::AgentHello> ParseHello(std::string_view payload) {
  HF_ASSIGN_OR_RETURN(pb::AgentHello hello, WalkAndParse<pb::AgentHello>(payload, kHelloRule));
  if (hello.fleet_id().size() != FleetId::kSize) return Bad("hello: fleet_id is not 16 bytes");
  if (hello.server_name().size() > kMaxServerName) return Bad("hello: server_name is too long");
  if (hello.challenge().size() != Nonce32::kSize) return Bad("hello: challenge is not 32 bytes");
  if (hello.agent_id().size() != AgentId::kSize) return Bad("hello: agent_id is not 16 bytes");
  if (hello.pubkey().size() != PublicKey::kSize) return Bad("hello: pubkey is not 65 bytes");
  if (hello.incarnation().size() != Nonce16::kSize) return Bad("hello: incarnation");
  if (hello.instance_nonce().size() != Nonce16::kSize) return Bad("hello: instance_nonce");
  if (hello.fingerprint().size() != Digest::kSize) return Bad("hello: fingerprint");
  if (!hello.contact().empty() && hello.contact().size() != Nonce16::kSize) {
    return Bad("hello: contact");
  }
  if (hello.enrol_token().size() > kMaxToken) return Bad("hello: enrol_token is too long");
  HF_TRY(CheckFacts(hello.facts()));
  return hello;
}

Result<pb::PtyKey> ParsePtyKey(std::string_view payload) {
  HF_ASSIGN_OR_RETURN(pb::PtyKey key, WalkAndParse<pb::PtyKey>(payload, kPtyKeyRule));
  if (key.command_digest().size() != Digest::kSize) return Bad("ptykey: command_digest");
  if (key.agent_id().size() != AgentId::kSize) return Bad("ptykey: agent_id is not 16 bytes");
  if (key.pubkey().size() != PublicKey::kSize) return Bad("ptykey: pubkey is not 65 bytes");
  if (key.agent_key().size() != PublicKey::kSize) return Bad("ptykey: agent_key is not 65 bytes");
  return key;
}

Result<pb::Result> ParseResult(std::string_view payload) {
  HF_ASSIGN_OR_RETURN(pb::Result result, WalkAndParse<pb::Result>(payload, kResultRule));
  if (result.command_digest().size() != Digest::kSize) return Bad("result: command_digest");
  if (result.agent_id().size() != AgentId::kSize) return Bad("result: agent_id");
  if (result.incarnation().size() != Nonce16::kSize) return Bad("result: incarnation");
  const bool done = result.outcome() == pb::OUTCOME_DONE;
  if (!pb::Outcome_IsValid(result.outcome()) || result.outcome() == pb::OUTCOME_UNSPECIFIED) {
    return Bad("result: outcome");
  }
  // A failure of a later version is kept as its number.
  if (done != (result.failure() == pb::COMMAND_FAILURE_UNSPECIFIED)) return Bad("result: failure");
  if (result.message().size() > kMaxMessage) return Bad("result: message is too long");
  const std::size_t hash = result.output_sha256().size();
  if (hash != Digest::kSize && (hash != 0 || result.output_bytes() != 0)) {
    return Bad("result: output_sha256");
  }
  if (result.file().path().size() > kMaxPath) return Bad("result: path is too long");
  if (result.has_recording() && result.recording().sha256().size() != Digest::kSize) {
    return Bad("result: recording");
  }
  return result;
}

Result<pb::UpdateRoot> ParseUpdateRoot(std::string_view payload) {
  HF_ASSIGN_OR_RETURN(pb::UpdateRoot root, WalkAndParse<pb::UpdateRoot>(payload, kUpdateRootRule));
  if (root.fleet_id().size() != FleetId::kSize) return Bad("update root: fleet_id is not 16 bytes");
  if (root.version() == 0) return Bad("update root: version is 0");
  if (!AreKeys(root.keys())) return Bad("update root: keys");
  if (root.threshold() == 0 || root.threshold() > static_cast<std::uint32_t>(root.keys().size())) {
    return Bad("update root: threshold");
  }
  return root;
}

Result<pb::Release> ParseRelease(std::string_view payload) {
  HF_ASSIGN_OR_RETURN(pb::Release release, WalkAndParse<pb::Release>(payload, kReleaseRule));
  if (!IsVersion(release.version())) return Bad("release: version");
  if (!release.floor().empty() &&
      (!IsVersion(release.floor()) || IsOlder(release.version(), release.floor()))) {
    return Bad("release: floor");
  }
  if (release.files().empty() || release.files().size() > kMaxReleaseFiles) {
    return Bad("release: number of files");
  }
  std::set<std::string_view> archs;
  for (const pb::ReleaseFile& file : release.files()) {
    if (!IsName(file.arch(), kMaxArch)) return Bad("release: arch");
    if (!archs.insert(file.arch()).second) return Bad("release: an architecture twice");
    if (file.sha256().size() != Digest::kSize) return Bad("release: a file's sha256");
    if (file.size() == 0 || file.size() > kMaxProgramBytes) return Bad("release: a file's size");
  }
  return release;
}

Result<pb::Envelope> ParseEnvelopeFields(std::string_view bytes) {
  return WalkAndParse<pb::Envelope>(bytes, kEnvelopeRule);
}

}  // namespace holdfast::sign
