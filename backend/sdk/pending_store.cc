#include "backend/sdk/pending_store.h"

#include <optional>
#include <utility>

#include "backend/sdk/files.h"
#include "common/sign/envelope.h"
#include "common/sign/strict.h"

namespace holdfast::sdk {
namespace {

constexpr std::string_view kSuffix = ".command";
// An envelope, a certificate, and what frames them.
constexpr std::size_t kMaxFileBytes = sign::kMaxEnvelopeBytes + std::size_t{8} * 1024;

// The command in a file, nullopt if it is none of ours.
std::optional<SignedCommand> Read(const sign::Crypto& crypto, const std::string& bytes) {
  ::holdfast::api::v1::Submit submit;
  if (!submit.ParseFromString(bytes)) return std::nullopt;
  const auto envelope = sign::ParseEnvelope(submit.envelope(), sign::kCommandType);
  if (!envelope.ok()) return std::nullopt;
  const auto command = sign::ParseCommand(envelope.value().payload());
  if (!command.ok()) return std::nullopt;
  std::vector<AgentId> targets;
  for (const auto& id : command.value().target().agent_ids()) {
    if (const auto agent = AgentId::From(id)) targets.push_back(*agent);
  }
  return SignedCommand{sign::EnvelopeDigest(crypto, sign::kCommandType, envelope.value().payload()),
                       submit.envelope(),
                       submit.cert_envelope(),
                       WallTime(command.value().not_after_ms()),
                       command.value().class_id() == "act",
                       std::move(targets)};
}

}  // namespace

bool LeavesInDoubt(const ::holdfast::api::v1::ServerMessage& answer) {
  return answer.has_error() && answer.error().code() == ::holdfast::api::v1::API_CODE_UNAVAILABLE;
}

std::string PendingStore::PathOf(const Digest& digest) const {
  return dir_ + "/" + digest.hex() + std::string(kSuffix);
}

Status PendingStore::Add(const SignedCommand& command) const {
  HF_TRY(MakeDirs(dir_, kDirMode));
  HF_ASSIGN_OR_RETURN(const auto names, ListFiles(dir_, kMaxPending));
  ::holdfast::api::v1::Submit submit;
  submit.set_envelope(command.envelope);
  submit.set_cert_envelope(command.cert_envelope);
  return WriteFile(PathOf(command.digest), submit.SerializeAsString(), kSecretMode,
                   command.acts ? Durability::kSynced : Durability::kProgram);
}

Status PendingStore::Remove(const Digest& digest) const { return RemoveFile(PathOf(digest)); }

Result<std::vector<SignedCommand>> PendingStore::List(const sign::Crypto& crypto) const {
  HF_ASSIGN_OR_RETURN(const auto names, ListFiles(dir_, 2 * kMaxPending));
  std::vector<SignedCommand> commands;
  for (const auto& name : names) {
    if (!name.ends_with(kSuffix)) continue;
    const auto bytes = ReadFile(dir_ + "/" + name, kMaxFileBytes);
    if (!bytes.ok()) continue;  // sent and removed by another program meanwhile
    auto command = Read(crypto, bytes.value());
    if (command && command->digest.hex() + std::string(kSuffix) == name) {
      commands.push_back(std::move(*command));
    }
  }
  return commands;
}

}  // namespace holdfast::sdk
