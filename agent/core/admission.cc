#include "agent/core/admission.h"

#include <algorithm>
#include <utility>

#include "agent/core/limits.h"
#include "agent/core/results.h"
#include "common/sign/envelope.h"
#include "common/sign/strict.h"

namespace holdfast::agent {

namespace v1 = ::holdfast::command::v1;

namespace {

bool IsRoomless(const OpenCommand& command) { return command.is_cancel() || command.is_own; }

}  // namespace

Admission::Verdict Admission::Check(std::string_view envelope, std::string_view cert_envelope,
                                    Moment at) {
  auto parsed = sign::ParseEnvelope(envelope, sign::kCommandType);
  if (!parsed.ok()) return Dropped{"not a command envelope", {}};
  const Digest digest =
      sign::EnvelopeDigest(crypto_, parsed.value().payload_type(), parsed.value().payload());
  if (FindCommand(table_, digest) != nullptr) return Dropped{"already open", {}};
  for (const Memory& memory : refused_) {
    if (memory.digest == digest) return Refused{digest, memory.failure, "refused before", {}};
  }
  const JournalMeta& meta = parts_.journal.meta();
  sign::CommandCheck check;
  check.now = WallTime(std::max(at.wall.get(), meta.time_floor.get()));
  check.birth = meta.birth;
  check.self = identity_.id;
  auto verdict =
      sign::CheckCommand(crypto_, parts_.trust, {envelope, cert_envelope, nullptr}, check);
  if (auto* refusal = std::get_if<sign::Refusal>(&verdict)) {
    const bool is_unproven = refusal->failure == v1::COMMAND_FAILURE_BAD_SIGNATURE ||
                             refusal->failure == v1::COMMAND_FAILURE_BAD_CERT;
    if (is_unproven && !IsSignersOwn(parsed.value(), cert_envelope)) {
      ++forged_;
      return Dropped{"its signer is not proven", digest};
    }
    // Altered bytes under the name of a command that is known here must not answer for it.
    auto known = parts_.journal.Find(digest);
    if (!known.ok() || known.value()) return Dropped{"known, or the journal cannot say", {}};
    return Refused{digest, refusal->failure, std::move(refusal->message),
                   std::move(refusal->early)};
  }
  return CheckJournal(std::get<sign::VerifiedCommand>(std::move(verdict)));
}

// The certificate is an issuer's, the command names it and its key signed the command: only the
// certificate's time can be wrong.
bool Admission::IsSignersOwn(const sign::Envelope& envelope, std::string_view cert_envelope) {
  const auto opened = sign::ParseEnvelope(cert_envelope, sign::kCertType);
  if (!opened.ok()) return false;
  const auto claimed = sign::ParseCert(opened.value().payload());
  if (!claimed.ok()) return false;
  const auto cert = sign::VerifyCert(crypto_, parts_.trust, cert_envelope,
                                     WallTime(claimed.value().not_before_ms()));
  if (!cert.ok()) return false;
  const auto key = PublicKey::From(cert.value().pubkey());
  if (!key || !sign::VerifySignedBy(crypto_, envelope, *key).ok()) return false;
  const auto command = sign::ParseCommand(envelope.payload());
  return command.ok() && command.value().operator_serial() == cert.value().serial();
}

Admission::Verdict Admission::CheckJournal(sign::VerifiedCommand command) {
  const auto refuse = [&](v1::CommandFailure failure, std::string message) -> Verdict {
    const Digest digest = command.digest;
    const bool is_journaled =
        failure != v1::COMMAND_FAILURE_ID_CONFLICT && failure != v1::COMMAND_FAILURE_NO_JOURNAL;
    Refused refused{digest, failure, std::move(message), std::nullopt};
    if (is_journaled) refused.command = std::move(command);
    return refused;
  };
  auto known = parts_.journal.FindId(command.command_id);
  if (!known.ok()) return refuse(v1::COMMAND_FAILURE_NO_JOURNAL, known.error().message);
  if (known.value()) {
    if (known.value()->digest == command.digest) return Dropped{"answered before", {}};
    return refuse(v1::COMMAND_FAILURE_ID_CONFLICT, "another command has this id");
  }
  if (command.command.has_cancel() || IsOwn(command.command)) {
    // Neither a full table nor a full spool keeps it out: it takes no room for output, and is what makes
    // room, or what keeps an intruder in who fills the disk. Above its own bound control asks again until others have
    // gone.
    if (CountRoomless() >= kMaxOpenCancels) return Dropped{"too many cancels are open", {}};
    return Admitted{std::move(command)};
  }
  if (CountOpen() >= kMaxOpenCommands) {
    return refuse(v1::COMMAND_FAILURE_TOO_MANY_OPEN,
                  std::to_string(kMaxOpenCommands) + " commands are open on this endpoint");
  }
  switch (parts_.spool.room()) {
    case Spool::Room::kEnough: break;
    case Spool::Room::kCapReached:
      return refuse(v1::COMMAND_FAILURE_SPOOL_FULL,
                    "results that nobody has fetched fill the spool");
    case Spool::Room::kDiskLow:
      return refuse(v1::COMMAND_FAILURE_SPOOL_FULL,
                    "the disk of the state directory is nearly full");
  }
  return Admitted{std::move(command)};
}

void Admission::Remember(const Refused& refused) {
  for (const Memory& memory : refused_) {
    if (memory.digest == refused.digest) return;
  }
  refused_[next_refused_] = {refused.digest, refused.failure};
  next_refused_ = (next_refused_ + 1) % kRememberedRefusals;
}

std::size_t Admission::CountOpen() const {
  return static_cast<std::size_t>(std::count_if(
      table_.begin(), table_.end(),
      [](const auto& command) { return !command->is_refusal && !IsRoomless(*command); }));
}

std::size_t Admission::CountRoomless() const {
  return static_cast<std::size_t>(std::count_if(
      table_.begin(), table_.end(), [](const auto& command) { return IsRoomless(*command); }));
}

}  // namespace holdfast::agent
