// Results, third part: after the commit, or instead of it; what is acknowledged.
#include <algorithm>
#include <utility>

#include "backend/core/control_results.h"

namespace holdfast::backend {

void Results::Keep() {
  for (const FileName& file : std::exchange(forget_, {})) ports_.files.Forget(file);
  for (const DeliveryKey& key : ackable_) {
    const auto found = streams_.find(key);
    if (found == streams_.end()) continue;
    Stream& stream = found->second;
    stream.touched = false;
    if (stream.job) continue;
    stream.receiver.OnDurable();
    if (stream.waiting.empty()) continue;
    ready_.insert(key);
    only_receipts_ = false;  // may be more than that; and it has waited
  }
}

void Results::Undo(Moment now) {
  in_doubt_ = true;
  forget_.clear();
  for (const DeliveryKey& key : ackable_) {
    const auto found = streams_.find(key);
    if (found == streams_.end() || !found->second.touched) continue;
    Stream& stream = found->second;
    stream.touched = false;
    stream.complete = false;
    if (stream.job) {
      stream.job->doomed = true;  // it counts on top of what was undone
    } else {
      Rewind(key, stream, now);
    }
  }
}

// A commit whose answer was lost may have taken effect: a store elsewhere finds that out when it is reached again, and
// the process ends then. Until it is, no file may be cut back or deleted on the word of the rows here.
bool Results::IsCertain() {
  if (in_doubt_ && ports_.store.LastAudit().ok()) in_doubt_ = false;
  return !in_doubt_;
}

// Goes on from what the ledger has. Not from what the receiver last called durable: while a job ran,
// a turn may have committed records that came before those of the job.
void Results::Rewind(const DeliveryKey& key, Stream& stream, Moment now) {
  const DeliveryRow* row = ports_.ledger.Committed(key);
  std::optional<DeliveryRow> stored;
  if (row == nullptr) {
    auto read = ports_.store.FindDelivery(key.digest, key.agent);
    if (read.ok()) stored = std::move(read).value();
    if (stored) row = &*stored;
  }
  if (row != nullptr) {
    stream.receiver = link::StreamReceiver({row->attempt, row->next_seq});
    // Says where to go on, as after a new link.
    stream.receiver.OnSync(std::max<std::uint32_t>(1, row->attempt));
  }
  DropWaiting(stream);
  stream.held_until = now.at + options_.retry;
  ready_.erase(key);
  held_.insert(key);
}

void Results::DropWaiting(Stream& stream) {
  pending_bytes_ -= stream.waiting_bytes;
  stream.waiting_bytes = 0;
  stream.waiting.clear();
}

std::vector<Results::AckOut> Results::TakeAcks(Moment now) {
  std::vector<AckOut> out = std::exchange(direct_, {});
  for (const DeliveryKey& key : std::exchange(ackable_, {})) {
    const auto found = streams_.find(key);
    if (found == streams_.end()) continue;
    Stream& stream = found->second;
    if (stream.job || now.at < stream.held_until) continue;
    const auto owed = stream.receiver.TakeAck();
    if (owed) {
      AckOut ack{key.agent, {}};
      ack.ack.set_digest(key.digest.str());
      ack.ack.set_attempt(owed->attempt);
      ack.ack.set_next_seq(owed->next_seq);
      ack.ack.set_rewind(owed->rewind);
      ack.ack.set_window_bytes(static_cast<std::uint32_t>(window_bytes()));
      ack.ack.set_complete(stream.complete);
      out.push_back(std::move(ack));
    }
    if (stream.complete) {
      ready_.erase(key);
      streams_.erase(found);
      ports_.ledger.ForgetLate(key);  // read again for what came late
    }
  }
  return out;
}

std::size_t Results::window_bytes() const {
  const std::size_t share = options_.credit_bytes / std::max<std::size_t>(1, flowing_.size());
  return std::clamp(share, options_.min_window_bytes, options_.max_window_bytes);
}

}  // namespace holdfast::backend
