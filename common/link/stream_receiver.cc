#include "common/link/stream_receiver.h"

#include <algorithm>

namespace holdfast::link {

StreamReceiver::Verdict StreamReceiver::OnRecord(std::uint32_t attempt, std::uint64_t seq) {
  if (attempt < peer_attempt_) return Verdict::kStale;
  if (attempt > peer_attempt_) gap_told_ = false;  // another stream, another gap
  peer_attempt_ = attempt;

  const bool is_later = attempt > received_.attempt;
  const std::uint64_t expected = is_later ? 0 : received_.next_seq;
  if (seq < expected) {
    owe_ack_ = true;
    return Verdict::kDuplicate;
  }
  if (seq > expected) {
    if (!gap_told_) owe_ack_ = owe_rewind_ = gap_told_ = true;
    return Verdict::kGap;
  }
  const bool replaces = is_later && received_.attempt != 0;
  received_ = {attempt, expected + 1};
  gap_told_ = false;
  return replaces ? Verdict::kNewAttempt : Verdict::kStore;
}

void StreamReceiver::OnDurable() {
  if (durable_.attempt == received_.attempt && durable_.next_seq == received_.next_seq) return;
  durable_ = received_;
  owe_ack_ = true;
}

void StreamReceiver::OnSync(std::uint32_t attempt) {
  peer_attempt_ = std::max(peer_attempt_, attempt);
  owe_ack_ = owe_rewind_ = true;
  gap_told_ = false;
}

void StreamReceiver::OnLost() {
  received_ = durable_;
  owe_ack_ = owe_rewind_ = true;
  gap_told_ = true;
}

std::optional<StreamReceiver::Ack> StreamReceiver::TakeAck() {
  if (!owe_ack_ || peer_attempt_ == 0) return std::nullopt;
  const Ack ack = {
      .attempt = peer_attempt_,
      .next_seq = durable_.attempt == peer_attempt_ ? durable_.next_seq : 0,
      .rewind = owe_rewind_,
  };
  owe_ack_ = owe_rewind_ = false;
  return ack;
}

}  // namespace holdfast::link
