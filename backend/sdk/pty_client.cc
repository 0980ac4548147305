#include "backend/sdk/pty_client.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/sign/envelope.h"
#include "common/sign/strict.h"

namespace holdfast::sdk {
namespace {

constexpr int kMaxDoublings = 4;

Error NotSealed(const std::string& what) {
  return {Code::kDenied, "not what the endpoint sent: " + what};
}

}  // namespace

PtyClient::PtyClient(const sign::Crypto& crypto, const sign::Sealing& sealing,
                     std::unique_ptr<sign::AgreementKey> key, Session session, TimePoint now)
    : crypto_(crypto),
      sealing_(sealing),
      key_(std::move(key)),
      session_(std::move(session)),
      cast_hash_(crypto.NewSha256()),
      said_at_(now) {}

// --- output ---------------------------------------------------------------------------------------

Status PtyClient::OnOutput(std::string_view bytes, TimePoint now) {
  frames_.Push(bytes);
  for (;;) {
    HF_ASSIGN_OR_RETURN(const auto frame, frames_.Next());
    if (!frame) return Ok();
    if (frame->type == pty::FrameType::kKey) {
      HF_TRY(OnKey(frame->payload));
    } else {
      HF_TRY(OnRecord(frame->payload, now));
    }
  }
}

Status PtyClient::OnKey(std::string_view bytes) {
  if (keys_) return NotSealed("a second key");
  HF_ASSIGN_OR_RETURN(const auto envelope, sign::ParseEnvelope(bytes, sign::kPtyKeyType));
  // Which key it is signed with stands inside; that it is the agent's is in the agent's id.
  HF_ASSIGN_OR_RETURN(const auto binding, sign::ParsePtyKey(envelope.payload()));
  const auto identity = PublicKey::From(binding.pubkey());
  const auto theirs = PublicKey::From(binding.agent_key());
  if (!identity || !theirs || sign::AgentIdOf(crypto_, *identity) != session_.agent ||
      binding.agent_id() != session_.agent.view()) {
    return NotSealed("a key of another agent");
  }
  HF_TRY(sign::VerifySignedBy(crypto_, envelope, *identity));
  if (binding.command_digest() != session_.command.view()) {
    return NotSealed("a key for another terminal");
  }
  HF_ASSIGN_OR_RETURN(const auto secret, key_->Agree(*theirs));
  keys_ = pty::DeriveSessionKeys(crypto_, secret,
                                 {session_.command, session_.agent, key_->public_key(), *theirs});
  return Ok();
}

Status PtyClient::OnRecord(std::string_view sealed, TimePoint now) {
  if (!keys_) return NotSealed("output before its key");
  auto opened = sealing_.Open(keys_->output, next_output_, sealed);
  if (!opened.ok()) return NotSealed(opened.error().message);
  HF_ASSIGN_OR_RETURN(pty::OutputRecord record, pty::ParseOutputRecord(opened.value()));
  const bool is_first = next_output_++ == 0;
  if (is_first != (record.kind == pty::OutputKind::kBegin)) return NotSealed("a false start");
  if (record.taken > next_taken_ + waiting_.size()) return NotSealed("it took what was not typed");
  OnTaken(record.taken, now);
  if (is_first) {
    Record(pty::Asciicast::Begin({session_.size, pty::ParseNumber(record.data).value(),
                                  session_.term, "holdfast pty " + session_.command.hex()}));
  }
  Record(cast_.Add(record));
  if (record.kind == pty::OutputKind::kOutput) {
    shown_bytes_ += record.data.size();
    events_.push_back({false, std::move(record.data)});
  } else if (record.kind == pty::OutputKind::kNotice) {
    events_.push_back({true, std::move(record.data)});
  }
  if (shown_bytes_ - told_shown_bytes_ >= kSeenEveryBytes) {
    told_shown_bytes_ = shown_bytes_;
    Add({pty::InputKind::kSeen, pty::EncodeNumber(shown_bytes_)});
  }
  return Ok();
}

void PtyClient::OnTaken(std::uint64_t taken, TimePoint now) {
  while (next_taken_ < taken) {
    const Waiting& first = waiting_.front();
    if (first.sent_at && !first.is_again) {
      const Duration took = now - *first.sent_at;
      patience_ = std::clamp(2 * took, kLeastPatience, kMostPatience);
    }
    doublings_ = 0;
    untaken_bytes_ -= first.record.data.size();
    waiting_.pop_front();
    ++next_taken_;
    if (next_unsent_ > 0) --next_unsent_;
  }
}

std::optional<PtyClient::Event> PtyClient::NextEvent() {
  if (events_.empty()) return std::nullopt;
  Event event = std::move(events_.front());
  events_.pop_front();
  return event;
}

void PtyClient::Record(std::string_view text) {
  cast_hash_->Update(text);
  cast_bytes_ += text.size();
  cast_text_ += text;
}

std::string PtyClient::TakeCast() { return std::exchange(cast_text_, {}); }

void PtyClient::Close() {
  Record(cast_.End());
  cast_sha256_ = cast_hash_->Finish();
}

// --- input ----------------------------------------------------------------------------------------

void PtyClient::Add(pty::InputRecord record) {
  untaken_bytes_ += record.data.size();
  waiting_.push_back({std::move(record), {}, {}, false});
}

void PtyClient::Type(std::string_view keys) {
  while (!keys.empty()) {
    const bool joins = next_unsent_ < waiting_.size() && waiting_.back().sealed.empty() &&
                       waiting_.back().record.kind == pty::InputKind::kKeys &&
                       waiting_.back().record.data.size() < pty::kMaxInputBytes;
    if (!joins) Add({pty::InputKind::kKeys, {}});
    std::string& data = waiting_.back().record.data;
    const std::size_t room = pty::kMaxInputBytes - data.size();
    const std::string_view piece = keys.substr(0, room);
    data += piece;
    untaken_bytes_ += piece.size();
    keys.remove_prefix(piece.size());
  }
}

void PtyClient::Resize(pty::Size size) { Add({pty::InputKind::kSize, pty::EncodeSize(size)}); }

void PtyClient::HangUp() { Add({pty::InputKind::kHangUp, {}}); }

void PtyClient::OnConnected() {
  for (std::size_t i = 0; i < next_unsent_; ++i) waiting_[i].is_again = true;
  next_unsent_ = 0;
  doublings_ = 0;
}

void PtyClient::OnTick(TimePoint now) {
  if (!keys_) return;
  if (now - said_at_ >= kPresence) {
    told_shown_bytes_ = shown_bytes_;
    Add({pty::InputKind::kSeen, pty::EncodeNumber(shown_bytes_)});
    said_at_ = now;
  }
  const bool is_late =
      next_unsent_ > 0 && waiting_.front().sent_at && now - *waiting_.front().sent_at >= Patience();
  if (!is_late) return;
  const int doublings = std::min(doublings_ + 1, kMaxDoublings);
  OnConnected();
  doublings_ = doublings;
}

std::optional<::holdfast::api::v1::PtyInput> PtyClient::NextInput(TimePoint now) {
  if (!keys_ || next_unsent_ >= waiting_.size()) return std::nullopt;
  ::holdfast::api::v1::PtyInput input;
  input.set_digest(session_.command.str());
  input.set_agent_id(session_.agent.str());
  for (int count = 0; count < kMaxRecordsPerInput && next_unsent_ < waiting_.size(); ++count) {
    Waiting& next = waiting_[next_unsent_];
    const std::uint64_t seq = next_taken_ + next_unsent_;
    if (next.sealed.empty()) {
      auto sealed = sealing_.Seal(keys_->input, seq, pty::Encode(next.record));
      HF_CHECK(sealed.ok());  // it fails only for want of memory
      next.sealed = std::move(sealed).value();
    }
    next.sent_at = now;
    auto& record = *input.add_records();
    record.set_seq(seq);
    record.set_sealed(next.sealed);
    ++next_unsent_;
  }
  said_at_ = now;
  return input;
}

Duration PtyClient::Patience() const {
  return std::min(patience_ * (1 << doublings_), kMostPatience);
}

TimePoint PtyClient::NextDeadline() const {
  if (!keys_) return TimePoint::max();
  TimePoint soonest = said_at_ + kPresence;
  if (next_unsent_ > 0 && waiting_.front().sent_at) {
    soonest = std::min(soonest, *waiting_.front().sent_at + Patience());
  }
  return soonest;
}

}  // namespace holdfast::sdk
