// Sessions, second part: who may have a session. docs/protocol.md 3.
#include <algorithm>
#include <utility>

#include "backend/core/control_hello.h"
#include "backend/core/control_sessions.h"
#include "common/base/utf8.h"

namespace holdfast::backend {

using ::holdfast::link::v1::CloseReason;

namespace {

// What an agent whose claim cannot be decided now is asked to wait: a full disk, a twin.
constexpr std::uint32_t kRetryAfterSeconds = 10;
// Two processes with one identity would take the session from each other without end.
constexpr Duration kTakeoverPause = std::chrono::seconds(10);

}  // namespace

void Sessions::OnClaim(const std::string& name, const route::v1::Claim& claim, Moment now) {
  Gateway* gateway = Heard(name, now);
  if (gateway == nullptr) return;
  InOrder(name, *gateway, claim.event_no(), now);
  auto hello = VerifyHello(crypto_, options_.fleet_id, claim.hello_envelope());
  if (!hello.ok()) {
    ProvedHello unknown;
    Deny(name, claim.link_ref(), unknown.agent, unknown.epoch,
         {CloseReason::CLOSE_REASON_BAD_IDENTITY});
    return;
  }
  const std::optional<Denial> denial = Decide(name, claim, hello.value(), now);
  if (denial) Deny(name, claim.link_ref(), hello.value().agent, hello.value().epoch, *denial);
}

void Sessions::Deny(const std::string& gateway, std::uint64_t link_ref, const AgentId& agent,
                    std::uint64_t epoch, Denial denial) {
  Answer answer{gateway, {}};
  auto& denied = *answer.message.mutable_claim_answer();
  denied.set_link_ref(link_ref);
  denied.set_agent_id(agent.str());
  denied.set_epoch(epoch);
  denied.set_reason(denial.reason);
  denied.set_retry_after_s(denial.retry_after_s);
  answers_.push_back(std::move(answer));
}

std::optional<Sessions::Denial> Sessions::Decide(const std::string& gateway,
                                                 const route::v1::Claim& claim,
                                                 const ProvedHello& hello, Moment now) {
  const AgentRow* row = agents_.Find(hello.agent);
  if (row == nullptr) {
    if (const auto denial = DecideUnknown(hello, now)) return denial;
    Grants(gateway, claim, hello, now);
    return std::nullopt;
  }
  if (row->removed) return Denial{CloseReason::CLOSE_REASON_REVOKED};
  if (hello.epoch <= row->epoch) return DecideOld(gateway, claim, hello, now);

  const LinkAt* link = FindLink(hello.agent);
  if (link != nullptr && hello.instance_nonce != row->instance_nonce &&
      now.at - link->since < kTakeoverPause) {
    return Denial{CloseReason::CLOSE_REASON_TRY_LATER, kRetryAfterSeconds};
  }
  const bool journal_lost = hello.incarnation != row->incarnation;
  if (!journal_lost && hello.contact != row->contact && hello.contact != row->prev_contact) {
    // It does not know what we last told it: its journal went back in time, or it is a copy.
    SuspectClone(hello.agent, "contact does not match", now);
    // It may have forgotten what it ran: sent again, that would run twice.
    lost_journals_.push_back(hello.agent);
  }
  Grants(gateway, claim, hello, now);
  return std::nullopt;
}

std::optional<Sessions::Denial> Sessions::DecideUnknown(const ProvedHello& hello, Moment now) {
  if (hello.token.empty()) return Denial{CloseReason::CLOSE_REASON_NOT_ENROLLED};
  // Made-up tokens take nobody's turn.
  if (const Status good = tokens_.Check(hello.token, now);
      !good.ok() && good.error().code == Code::kDenied) {
    return Denial{CloseReason::CLOSE_REASON_BAD_TOKEN};
  }
  if (const auto denial = AdmitEnrolment(now)) return denial;
  Result<Labels> labels = tokens_.Spend(hello.token, now);
  if (!labels.ok()) {
    if (labels.error().code == Code::kDenied) return Denial{CloseReason::CLOSE_REASON_BAD_TOKEN};
    return Denial{CloseReason::CLOSE_REASON_TRY_LATER, kRetryAfterSeconds};
  }
  AgentRow row;
  row.id = hello.agent;
  row.pubkey = hello.pubkey;
  row.labels = std::move(labels).value();
  row.enrolled_ms = now.wall_ms();
  row.incarnation = hello.incarnation;
  agents_.Insert(std::move(row));
  audit_.Append({hello.agent.hex(), "agent.enrolled", {}, hello.agent.str(), {}}, now);
  return std::nullopt;
}

std::optional<Sessions::Denial> Sessions::AdmitEnrolment(Moment now) {
  constexpr Duration kSecond = std::chrono::seconds(1);
  if (enrolment_second_ == TimePoint{} || now.at - enrolment_second_ >= kSecond) {
    enrolment_second_ = now.at;
    enrolments_ = 0;
  }
  if (enrolments_ < options_.max_enrolments_per_second) {
    ++enrolments_;
    return std::nullopt;
  }
  // They come back spread as thin as they may come in.
  const auto share = kSecond / static_cast<Duration::rep>(options_.max_enrolments_per_second);
  enrolment_queue_until_ = std::min(std::max(enrolment_queue_until_, now.at + kSecond) + share,
                                    now.at + options_.max_enrolment_delay);
  const auto delay = std::chrono::ceil<std::chrono::seconds>(enrolment_queue_until_ - now.at);
  return Denial{CloseReason::CLOSE_REASON_TRY_LATER, static_cast<std::uint32_t>(delay.count())};
}

// An epoch that was granted before, or is below one that was.
std::optional<Sessions::Denial> Sessions::DecideOld(const std::string& gateway,
                                                    const route::v1::Claim& claim,
                                                    const ProvedHello& hello, Moment now) {
  const AgentRow& row = *agents_.Find(hello.agent);
  if (hello.instance_nonce != row.instance_nonce || hello.fingerprint != row.fingerprint) {
    SuspectClone(hello.agent, "epoch of another instance", now);
    return Denial{CloseReason::CLOSE_REASON_CLONE};
  }
  const LinkAt* link = FindLink(hello.agent);
  const bool same_link =
      link == nullptr ||
      (link->gateway() == gateway && (link->link_ref == 0 || link->link_ref == claim.link_ref()));
  if (hello.epoch < row.epoch || !same_link) return Denial{CloseReason::CLOSE_REASON_SUPERSEDED};
  // The claim came twice: the answer got lost, or the control before us died over it. An agent that has
  // confirmed its contact was answered, and is not told anything new.
  const bool is_confirmed = row.prev_contact == row.contact;
  grants_.push_back({gateway, claim.link_ref(), hello.agent, hello.epoch, row.contact, false,
                     !is_confirmed && hello.contact != row.prev_contact});
  return std::nullopt;
}

void Sessions::Grants(const std::string& gateway, const route::v1::Claim& claim,
                      const ProvedHello& hello, Moment now) {
  AgentRow& row = agents_.Change(hello.agent);
  const bool journal_lost = row.epoch > 0 && hello.incarnation != row.incarnation;
  if (journal_lost) {
    lost_journals_.push_back(hello.agent);
    audit_.Append({hello.agent.hex(), "agent.journal_lost", {}, hello.agent.str(), {}}, now);
  }
  // After a restore its incarnation is not known here, and stays so until it has heard that its journal begins anew:
  // a Welcome may get lost, and what it shows meanwhile is what it had before, of which we know nothing.
  const bool is_of_before = row.incarnation == Nonce16() && hello.contact != row.contact &&
                            hello.contact != row.prev_contact;
  // Not confirmed ones in between do not push out the contact that the agent really has.
  if (hello.contact == row.contact || (journal_lost && !is_of_before)) {
    row.prev_contact = hello.contact;
  }
  row.contact = crypto_.RandomBytes<Nonce16>();
  row.epoch = hello.epoch;
  row.instance_nonce = hello.instance_nonce;
  row.fingerprint = hello.fingerprint;
  if (!is_of_before) row.incarnation = hello.incarnation;
  row.facts = hello.facts;
  constexpr std::size_t kMaxAddressBytes = 64;  // "[IPv6%scope]:port"
  row.address = Utf8Prefix(claim.peer_address(), kMaxAddressBytes);
  row.last_seen_ms = now.wall_ms();
  // What it had when it dialled is now the one before, unless it was none of ours.
  grants_.push_back({gateway, claim.link_ref(), hello.agent, hello.epoch, row.contact, journal_lost,
                     hello.contact != row.prev_contact});
}

void Sessions::SuspectClone(const AgentId& agent, std::string detail, Moment now) {
  if (agents_.Find(agent)->clone_suspected) return;
  agents_.Change(agent).clone_suspected = true;
  audit_.Append({"control", "agent.clone", {}, agent.str(), std::move(detail)}, now);
}

}  // namespace holdfast::backend
