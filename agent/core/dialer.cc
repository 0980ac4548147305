#include "agent/core/dialer.h"

#include <algorithm>

#include "common/base/check.h"

namespace holdfast::agent {
namespace {

namespace pb = ::holdfast::link::v1;

// How a link ends that nobody meant to end.
bool IsCut(CloseReason reason) {
  return reason == pb::CLOSE_REASON_PEER_GONE || reason == pb::CLOSE_REASON_PEER_SILENT;
}

}  // namespace

Dialer::Dialer(Options options, std::uint32_t seed, TimePoint now)
    : options_(options), seed_(seed), backoff_(options.backoff, seed), dial_at_(now) {
  HF_CHECK(options_.servers > 0);
}

void Dialer::OnOpened(TimePoint now) {
  if (phase_ != Phase::kDialling) return;
  phase_ = Phase::kGreeting;
  greeting_by_ = now + options_.greeting;
  HF_CHECK(IsConsistent());
}

void Dialer::OnWelcomed(Duration idle, Duration busy, TimePoint now) {
  if (phase_ != Phase::kGreeting) return;
  phase_ = Phase::kUp;
  was_welcomed_ = true;
  welcomed_at_ = now;
  backoff_.OnOpened(now);
  link::Liveness::Options beats;
  // Liveness draws 10 % either way. What was asked for is the least here: then no minute sees two
  // beats, and an idle agent is woken at most twice a minute, by the beat and by its answer.
  const Duration most = beats_often_ ? link::kBeatAfterCut : options_.max_beat;
  beats.idle = std::clamp(idle, options_.min_beat, most) * 10 / 9;
  beats.busy = std::clamp(busy, options_.min_beat, options_.max_beat);
  beats.answer = options_.beat_answer;
  liveness_.emplace(beats, seed_ ^ static_cast<std::uint32_t>(now.time_since_epoch().count()), now);
  liveness_->SetBusy(busy_, now);
  HF_CHECK(IsConsistent());
}

void Dialer::OnHeard(TimePoint now) {
  if (liveness_) liveness_->OnHeard(now);
}

void Dialer::OnSpoke(TimePoint now) {
  if (liveness_) liveness_->OnSpoke(now);
}

void Dialer::OnBusy(bool busy, TimePoint now) {
  busy_ = busy;
  if (liveness_) liveness_->SetBusy(busy, now);
}

void Dialer::OnDraining(TimePoint now) {
  if (liveness_) liveness_->OnDraining(now);
}

void Dialer::OnWake(TimePoint now) {
  if (liveness_) liveness_->OnWake(now);
  backoff_.Forget();
  if (phase_ != Phase::kWaiting) return;
  dial_at_ =
      std::min(dial_at_, std::max(not_before_, now + backoff_.Within(options_.backoff.base)));
}

void Dialer::OnServerClose(CloseReason reason, Duration retry_after) {
  if (!is_connected() || server_reason_) return;
  server_reason_ = reason;
  server_delay_ = retry_after;
}

void Dialer::OnGoaway(Duration window, TimePoint now) {
  if (!is_connected() || leave_at_) return;  // the first one counts: repeats must not push it away
  leave_at_ = now + backoff_.Within(std::min(window, options_.max_delay));
}

void Dialer::OnHangUp(CloseReason reason) {
  if (!is_connected() && phase_ != Phase::kDialling) return;
  phase_ = Phase::kClosing;
  hang_up_ = reason;
  HF_CHECK(IsConsistent());
}

void Dialer::OnTick(TimePoint now) {
  if (phase_ == Phase::kWaiting && now >= dial_at_) phase_ = Phase::kDue;
  if (phase_ == Phase::kGreeting && now >= greeting_by_) {
    OnHangUp(pb::CLOSE_REASON_HANDSHAKE_TIMEOUT);
  }
  if (is_connected() && leave_at_ && now >= *leave_at_) OnHangUp(pb::CLOSE_REASON_GOING_AWAY);
  if (phase_ == Phase::kUp) {
    liveness_->OnTick(now);
    if (liveness_->dead()) OnHangUp(pb::CLOSE_REASON_PEER_SILENT);
  }
  HF_CHECK(IsConsistent());
}

CloseReason Dialer::OnClosed(CloseReason seen, Duration retry_after, TimePoint now) {
  const CloseReason reason = server_reason_ ? *server_reason_ : our_reason_.value_or(seen);
  const Duration delay = server_reason_ ? server_delay_ : retry_after;
  if (was_welcomed_) beats_often_ = IsForgottenFlow(reason, now);
  PlanDial(reason, delay, now);
  phase_ = Phase::kWaiting;
  was_welcomed_ = false;
  liveness_.reset();
  leave_at_.reset();
  hang_up_.reset();
  our_reason_.reset();
  server_reason_.reset();
  HF_CHECK(IsConsistent());
  return reason;
}

void Dialer::PlanDial(CloseReason reason, Duration retry_after, TimePoint now) {
  // We left on a Goaway, at the moment that we drew: the waiting is done.
  const bool has_stood = was_welcomed_ && now - welcomed_at_ >= options_.stood;
  const bool is_our_leave = our_reason_ == pb::CLOSE_REASON_GOING_AWAY && !server_reason_;
  if (is_our_leave && has_stood) {
    dial_at_ = now;
    return;
  }
  if (!was_welcomed_) server_ = (server_ + 1) % options_.servers;
  const Duration at_least = AtLeast(reason, retry_after);
  not_before_ = now + at_least;
  const bool is_leaving = reason == pb::CLOSE_REASON_GOING_AWAY;
  if (is_leaving && !is_our_leave && !busy_) {
    Duration spread = backoff_.Within(options_.after_going_away);
    if (leave_at_) spread = std::min(spread, std::max(*leave_at_ - now, Duration::zero()));
    dial_at_ = not_before_ + spread;
    if (!has_stood) dial_at_ = std::max(dial_at_, now + backoff_.OnClosed(now, at_least));
    return;
  }
  if (was_welcomed_ && busy_ && (is_leaving || IsCut(reason))) backoff_.Forget();
  dial_at_ = now + backoff_.OnClosed(now, at_least);
}

// NATs and proxies forget a flow that is quiet for about a minute. Then a beat has no answer, or a reset
// for an answer; some reset at once. A server that dies looks like this only to those who were quiet.
bool Dialer::IsForgottenFlow(CloseReason reason, TimePoint now) const {
  if (busy_ || !IsCut(reason)) return false;
  return liveness_->awaits_answer() || liveness_->quiet(now) >= link::kBeatAfterCut;
}

Duration Dialer::AtLeast(CloseReason reason, Duration retry_after) const {
  const Duration asked = std::clamp(retry_after, Duration::zero(), options_.max_delay);
  switch (reason) {
    case pb::CLOSE_REASON_SUPERSEDED: return std::max(asked, options_.after_superseded);
    case pb::CLOSE_REASON_CLONE:
    case pb::CLOSE_REASON_BAD_IDENTITY:
    case pb::CLOSE_REASON_NOT_ENROLLED:
    case pb::CLOSE_REASON_BAD_TOKEN:
    case pb::CLOSE_REASON_SERVER_UNTRUSTED:
    case pb::CLOSE_REASON_REVOKED:
    case pb::CLOSE_REASON_VERSION: return std::max(asked, options_.after_refusal);
    // About the way, not about us: what is next in the list may be a way that works.
    case pb::CLOSE_REASON_UPGRADE_BLOCKED:
      return server_ == 0 ? std::max(asked, options_.after_refusal) : asked;
    default: return asked;
  }
}

std::optional<std::size_t> Dialer::TakeDial() {
  if (phase_ != Phase::kDue) return std::nullopt;
  phase_ = Phase::kDialling;
  return server_;
}

bool Dialer::TakeBeat() { return phase_ == Phase::kUp && liveness_->TakeBeat(); }

std::optional<CloseReason> Dialer::TakeHangUp() {
  if (!hang_up_) return std::nullopt;
  our_reason_ = hang_up_;
  hang_up_.reset();
  return our_reason_;
}

std::optional<TimePoint> Dialer::NextDeadline() const {
  switch (phase_) {
    case Phase::kWaiting: return dial_at_;
    case Phase::kGreeting: return leave_at_ ? std::min(*leave_at_, greeting_by_) : greeting_by_;
    case Phase::kUp: {
      const std::optional<TimePoint> beat = liveness_->NextDeadline();
      return leave_at_ && beat ? std::min(*leave_at_, *beat) : leave_at_ ? leave_at_ : beat;
    }
    default: return std::nullopt;
  }
}

bool Dialer::IsConsistent() const {
  if (liveness_.has_value() != was_welcomed_) return false;
  if (phase_ == Phase::kUp && !was_welcomed_) return false;
  if (hang_up_ && phase_ != Phase::kClosing) return false;
  return server_ < options_.servers;
}

}  // namespace holdfast::agent
