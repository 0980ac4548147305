#include "common/link/stream_sender.h"

namespace holdfast::link {

StreamSender::StreamSender(Options options, std::uint64_t next_seq)
    : options_(options),
      acked_(next_seq),
      recorded_(next_seq),
      next_(next_seq),
      ack_timeout_(options.ack_timeout) {}

Status StreamSender::OnRecord(std::uint32_t bytes) {
  if (complete_) return Error{Code::kCancelled, "control has ended this stream"};
  if (sizes_.size() >= options_.max_unacked_records) {
    return Error{Code::kExhausted, "too many records without acknowledgement"};
  }
  sizes_.push_back(bytes);
  unacked_bytes_ += bytes;
  ++recorded_;
  HF_CHECK(IsConsistent());
  return Ok();
}

void StreamSender::OnLinkUp(TimePoint now) {
  OnLinkDown();
  // A stream that never had a record has nothing to ask about. Any other may have had some in
  // flight when the last link, or our last process, ended.
  phase_ = recorded_ == 0 || complete_ ? Phase::kFlowing : Phase::kNeedSync;
  progress_at_ = now;
  HF_CHECK(IsConsistent());
}

void StreamSender::OnLinkDown() {
  phase_ = Phase::kDown;
  GoBack();
  HF_CHECK(IsConsistent());
}

Status StreamSender::OnAck(const Acked& ack, TimePoint now) {
  if (ack.next_seq > recorded_) {
    return Error{Code::kInvalid, "an ack of what was never recorded"};
  }
  // Acks may come twice and late (the backend repeats): one that is older changes nothing.
  if (complete_ || (ack.next_seq < acked_ && !ack.complete)) return Ok();

  const std::uint64_t upto = ack.complete ? recorded_ : ack.next_seq;
  if (upto > acked_) progress_at_ = now;
  Forget(upto);
  complete_ = ack.complete;
  window_bytes_ = ack.window_bytes;
  if (phase_ == Phase::kSyncing) {
    phase_ = Phase::kFlowing;  // everything beyond the ack goes out again
    progress_at_ = now;
  } else if (ack.rewind) {
    GoBack();
    progress_at_ = now;
  }
  if (complete_ && phase_ != Phase::kDown) phase_ = Phase::kFlowing;
  HF_CHECK(IsConsistent());
  return Ok();
}

bool StreamSender::OnTick(TimePoint now) {
  const auto deadline = NextDeadline();
  if (!deadline || now < *deadline) return false;
  if (phase_ == Phase::kSyncing) {
    phase_ = Phase::kNeedSync;
  } else {
    GoBack();
  }
  progress_at_ = now;
  HF_CHECK(IsConsistent());
  return true;
}

bool StreamSender::has_record() const {
  if (phase_ != Phase::kFlowing || next_ == recorded_) return false;
  if (next_ == acked_) return true;  // one is always allowed
  return in_flight_bytes_ + sizes_[next_ - acked_] <= window_bytes_;
}

std::optional<std::uint64_t> StreamSender::NextRecord(TimePoint now) {
  if (!has_record()) return std::nullopt;
  if (next_ == acked_) progress_at_ = now;  // the wait for an ack begins here
  in_flight_bytes_ += sizes_[next_ - acked_];
  const std::uint64_t seq = next_++;
  HF_CHECK(IsConsistent());
  return seq;
}

bool StreamSender::wants_sync() const { return phase_ == Phase::kNeedSync; }

bool StreamSender::NextSync(TimePoint now) {
  if (!wants_sync()) return false;
  phase_ = Phase::kSyncing;
  progress_at_ = now;
  return true;
}

std::optional<TimePoint> StreamSender::NextDeadline() const {
  if (phase_ == Phase::kSyncing) return progress_at_ + options_.sync_timeout;
  if (phase_ == Phase::kFlowing && next_ > acked_) return progress_at_ + ack_timeout_;
  return std::nullopt;
}

void StreamSender::GoBack() {
  next_ = acked_;
  in_flight_bytes_ = 0;
}

void StreamSender::Forget(std::uint64_t upto) {
  for (; acked_ < upto; ++acked_) {
    const std::uint32_t bytes = sizes_.front();
    sizes_.pop_front();
    unacked_bytes_ -= bytes;
    if (next_ > acked_) {
      in_flight_bytes_ -= bytes;
      delivered_cost_ += bytes + kRecordOverheadBytes;
    } else {
      ++next_;  // acknowledged before it was sent again
    }
  }
}

bool StreamSender::IsConsistent() const {
  return acked_ <= next_ && next_ <= recorded_ && sizes_.size() == recorded_ - acked_ &&
         in_flight_bytes_ <= unacked_bytes_ && (next_ > acked_ || in_flight_bytes_ == 0) &&
         (phase_ == Phase::kFlowing || next_ == acked_) && (!complete_ || acked_ == recorded_);
}

}  // namespace holdfast::link
