#include "agent/core/hello.h"

#include "common/link/limits.h"
#include "common/sign/envelope.h"

namespace holdfast::agent {
namespace {

using ::holdfast::command::v1::AgentHello;
using link::CloseReason;

bool SameHost(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

}  // namespace

void Greeting::OnOpened(std::string_view host, TimePoint now) {
  phase_ = Phase::kWaitChallenge;
  host_ = host;
  opened_at_ = now;
}

void Greeting::OnClosed() { phase_ = Phase::kDown; }

std::variant<link::Frame, HangUp> Greeting::OnChallenge(
    const ::holdfast::link::v1::Challenge& challenge) {
  if (phase_ != Phase::kWaitChallenge) {
    return HangUp{CloseReason::CLOSE_REASON_UNEXPECTED_FRAME, "a second challenge"};
  }
  if (challenge.protocol_version() != link::kProtocolVersion) {
    return HangUp{CloseReason::CLOSE_REASON_VERSION,
                  "protocol version " + std::to_string(challenge.protocol_version())};
  }
  // A relay that passes on another server's challenge would name that server.
  if (!SameHost(challenge.server_name(), host_)) {
    return HangUp{CloseReason::CLOSE_REASON_SERVER_UNTRUSTED,
                  "the server names itself differently"};
  }
  auto epoch = parts_.journal.NextEpoch();
  if (!epoch.ok() && MakesRoom(epoch.error())) epoch = parts_.journal.NextEpoch();
  if (!epoch.ok()) {
    return HangUp{CloseReason::CLOSE_REASON_TRY_LATER, "journal: " + epoch.error().message};
  }
  epoch_ = epoch.value();
  const JournalMeta& meta = parts_.journal.meta();
  AgentHello hello;
  hello.set_fleet_id(parts_.trust.fleet_id.str());
  hello.set_server_name(host_);
  hello.set_challenge(challenge.nonce());
  hello.set_agent_id(identity_.id.str());
  hello.set_pubkey(parts_.key.public_key().str());
  hello.set_incarnation(meta.incarnation.str());
  hello.set_conn_epoch(epoch_);
  hello.set_instance_nonce(identity_.instance.str());
  hello.set_fingerprint(identity_.fingerprint.str());
  if (meta.contact) hello.set_contact(meta.contact->str());
  hello.set_enrol_token(identity_.enrol_token);
  *hello.mutable_facts() = identity_.facts;
  auto envelope =
      sign::SignEnvelope(parts_.crypto, parts_.key, sign::kHelloType, hello.SerializeAsString());
  if (!envelope.ok()) {
    return HangUp{CloseReason::CLOSE_REASON_TRY_LATER, "signing: " + envelope.error().message};
  }
  phase_ = Phase::kWaitWelcome;
  link::Frame frame;
  frame.mutable_hello()->set_envelope(std::move(envelope).value());
  return frame;
}

bool Greeting::MakesRoom(const Error& refused) {
  return refused.code == Code::kExhausted && parts_.reserve.Release();
}

std::optional<HangUp> Greeting::OnWelcome(const ::holdfast::link::v1::Welcome& welcome, Moment at) {
  if (phase_ != Phase::kWaitWelcome || welcome.epoch() != epoch_) {
    return HangUp{CloseReason::CLOSE_REASON_UNEXPECTED_FRAME, "a welcome nobody asked for"};
  }
  const auto contact = Nonce16::From(welcome.contact());
  if (!contact) return HangUp{CloseReason::CLOSE_REASON_BAD_FRAME, "contact is not 16 bytes"};
  const bool is_reverted = welcome.journal_reverted();
  const auto store = [&] {
    if (!is_reverted) return parts_.journal.SetContact(*contact);
    // Never before what is known of the time: a reverted machine's clock may have been as well.
    const JournalMeta& meta = parts_.journal.meta();
    return parts_.journal.BeginAnew(JournalBirth(at.wall, meta.time_floor, meta.birth));
  };
  Status stored = store();
  if (!stored.ok() && MakesRoom(stored.error())) stored = store();
  if (!stored.ok()) {
    return HangUp{CloseReason::CLOSE_REASON_TRY_LATER, "journal: " + stored.error().message};
  }
  if (is_reverted) {
    return HangUp{CloseReason::CLOSE_REASON_GOING_AWAY, "the journal went back in time"};
  }
  phase_ = Phase::kOpen;
  return std::nullopt;
}

std::optional<TimePoint> Greeting::NextDeadline() const {
  if (phase_ == Phase::kDown || phase_ == Phase::kOpen) return std::nullopt;
  return opened_at_ + kTimeout;
}

}  // namespace holdfast::agent
