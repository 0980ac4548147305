#include "tests/support/sim_uplink.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace holdfast::testing {
namespace {

using std::chrono::milliseconds;
using Verdict = link::StreamReceiver::Verdict;

// Payload that no other place of the output has: a gap or a swap shows.
std::string Piece(std::uint64_t offset, std::size_t bytes) {
  std::string out(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) {
    out[i] = static_cast<char>(((offset + i) * 2654435761U) >> 13);
  }
  return out;
}

Digest DigestOf(std::size_t number) {
  std::string bytes(Digest::kSize, 'd');
  bytes[0] = static_cast<char>(number & 0xFF);
  bytes[1] = static_cast<char>(number >> 8);
  return *Digest::From(bytes);
}

double Ms(TimePoint at) { return static_cast<double>(at.time_since_epoch().count()); }

}  // namespace

void SimUplink::Connect() {
  if (is_up_) return;
  is_up_ = true;
  outbox_.OnLinkUp(now_);
}

void SimUplink::Cut() {
  is_up_ = false;
  line_.clear();
  acks_.clear();
  line_free_at_ms_ = 0;
  outbox_.OnLinkDown();
}

std::size_t SimUplink::Begin(std::uint64_t bytes) {
  const std::size_t number = controls_.size();
  auto command = std::make_unique<agent::OpenCommand>();
  command->digest = DigestOf(number);
  command->stream =
      std::make_unique<agent::AnswerStream>(agent::StreamKey{command->digest, 1}, spool_);
  if (is_up_) command->stream->OnLinkUp(now_);
  HF_CHECK(command->stream->AddReceived(WallTime(1)).ok());
  HF_CHECK(command->stream->AddStarted(WallTime(1)).ok());
  table_.push_back(std::move(command));
  workers_.push_back({bytes, {}});
  controls_.emplace_back();
  controls_.back().sent_at = now_ - path_.one_way;
  return number;
}

void SimUplink::Step(Duration time) {
  for (const TimePoint end = now_ + time; now_ < end; now_ += step_) {
    Arrive();
    TakeAcks();
    outbox_.OnTick(now_);
    Send();
    Produce();
    Send();
  }
}

// One read of each worker in a turn, as warden does it.
void SimUplink::Produce() {
  for (const auto& command : table_) {
    Worker& worker = workers_[NumberOf(command->digest.str())];
    if (command->stream->has_final() || !command->stream->wants_output()) continue;
    const auto size = std::min<std::uint64_t>(worker.left, link::kMaxChunkBytes);
    if (size > 0) {
      const std::string piece = Piece(worker.said.size(), static_cast<std::size_t>(size));
      const std::uint64_t before = command->stream->chunks();
      HF_CHECK(command->stream->AddChunk(piece).ok());
      chunks_ += command->stream->chunks() - before;
      worker.said += piece;
      worker.left -= size;
      peak_spool_bytes_ = std::max(peak_spool_bytes_, spool_.bytes());
    }
    if (worker.left == 0) HF_CHECK(command->stream->AddFinal("final").ok());
  }
}

void SimUplink::Send() {
  std::optional<agent::Outbox::Lost> lost;
  while (is_up_ && outbox_.Fill(now_, lost)) {
    HF_CHECK(!lost);
    const link::LinkMessage& message = outbox_.message();
    const auto bytes = static_cast<double>(message.ByteSizeLong());
    sent_bytes_ += message.ByteSizeLong();
    for (const auto& frame : message.frames()) {
      if (!frame.has_up()) continue;
      Worker& worker = workers_[NumberOf(frame.up().digest())];
      if (frame.up().seq() < worker.sent_upto) repeated_bytes_ += frame.up().chunk().data().size();
      worker.sent_upto = std::max(worker.sent_upto, frame.up().seq() + 1);
    }
    const auto rate = static_cast<double>(path_.bytes_per_second);
    const double queue_ms = std::max(0.0, line_free_at_ms_ - Ms(now_));
    peak_queue_bytes_ =
        std::max(peak_queue_bytes_, static_cast<std::uint64_t>(queue_ms * rate / 1000));
    line_free_at_ms_ = Ms(now_) + queue_ms + bytes * 1000 / rate;
    const auto through = TimePoint(milliseconds(static_cast<std::int64_t>(line_free_at_ms_)));
    line_.push_back({through + path_.one_way, message});
  }
}

void SimUplink::Arrive() {
  while (!line_.empty() && line_.front().arrives <= now_) {
    const link::LinkMessage message = std::move(line_.front().message);
    line_.pop_front();
    for (const auto& frame : message.frames()) {
      if (frame.has_up()) OnUp(frame.up());
      for (const auto& ref : frame.sync().streams()) {
        const std::size_t number = NumberOf(ref.digest());
        controls_[number].receiver.OnSync(ref.attempt());
        SendAck(number);
      }
    }
  }
}

void SimUplink::OnUp(const ::holdfast::link::v1::Up& up) {
  const std::size_t number = NumberOf(up.digest());
  Control& control = controls_[number];
  const Verdict verdict = control.receiver.OnRecord(up.attempt(), up.seq());
  if (verdict == Verdict::kStore) {
    HF_CHECK(up.chunk().data().empty() || up.chunk().offset() == control.stored.size());
    control.stored += up.chunk().data();
    stored_bytes_ += up.chunk().data().size();
    if (up.has_final()) {
      control.has_final = true;
      control.completed_at = now_;
    }
  }
  control.receiver.OnDurable();
  SendAck(number);
}

void SimUplink::SendAck(std::size_t number) {
  Control& control = controls_[number];
  const auto owed = control.receiver.TakeAck();
  if (!owed) return;
  DownAck down{now_ + path_.commit + path_.one_way, number, {}};
  down.ack.set_digest(DigestOf(number).str());
  down.ack.set_attempt(owed->attempt);
  down.ack.set_next_seq(owed->next_seq);
  down.ack.set_window_bytes(path_.window_bytes);
  down.ack.set_rewind(owed->rewind);
  down.ack.set_complete(control.has_final);
  acks_.push_back(std::move(down));
}

void SimUplink::TakeAcks() {
  while (!acks_.empty() && acks_.front().arrives <= now_) {
    const DownAck down = std::move(acks_.front());
    acks_.pop_front();
    agent::OpenCommand* command = agent::FindCommand(table_, DigestOf(down.command));
    if (command == nullptr) continue;
    const std::uint64_t before = command->stream->sender().delivered_cost();
    HF_CHECK(command->stream->OnAck(down.ack, now_).ok());
    outbox_.OnAcked(command->stream->sender().delivered_cost() - before, now_);
    if (!command->stream->sender().complete()) continue;
    spool_.Remove(command->stream->key());
    std::erase_if(table_, [&](const auto& other) { return other.get() == command; });
  }
}

bool SimUplink::all_complete() const {
  return std::all_of(controls_.begin(), controls_.end(),
                     [](const Control& control) { return control.completed_at.has_value(); });
}

Duration SimUplink::took(std::size_t command) const {
  return *controls_[command].completed_at - controls_[command].sent_at;
}

bool SimUplink::is_exact(std::size_t command) const {
  return controls_[command].stored == workers_[command].said;
}

std::size_t SimUplink::NumberOf(const std::string& digest) const {
  return static_cast<std::uint8_t>(digest[0]) |
         static_cast<std::size_t>(static_cast<std::uint8_t>(digest[1])) << 8;
}

}  // namespace holdfast::testing
