#include "tests/support/sim_stream.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace holdfast::testing {

using Verdict = link::StreamReceiver::Verdict;

template <typename T>
std::optional<T> SimStream::Pop(std::deque<T>& queue) {
  if (queue.empty()) return std::nullopt;
  std::optional<T> front = std::move(queue.front());
  queue.pop_front();
  return front;
}

template <typename T>
std::optional<T> SimStream::Read(RedisStream<T>& stream) {
  std::optional<T> entry = Pop(stream.unread);
  if (!entry) return entry;
  stream.read.push_back(*entry);
  if (stream.read.size() > kUntrimmed) stream.read.pop_front();
  return entry;
}

// --- the agent -----------------------------------------------------------------------------------

void SimStream::StartAttempt(std::uint32_t attempt) {
  attempt_ = attempt;
  spool_.clear();
  journaled_acks_ = 0;
  agent_window_bytes_ = link::kInitialWindowBytes;
  sender_.emplace(link::StreamSender::Options{}, 0);
  if (connected_) sender_->OnLinkUp(now_);
}

void SimStream::Produce(bool final) {
  if (final_produced() || complete()) return;
  const bool has_payload = !final && !spool_.empty();
  const std::uint32_t bytes = has_payload ? 1 + Roll(256 * 1024) : 0;
  if (!sender_->OnRecord(bytes).ok()) return;
  spool_.push_back({attempt_, spool_.size(), bytes, final});
  made_[attempt_].push_back(spool_.back());
}

void SimStream::Connect() {
  if (connected_) return;
  connected_ = true;
  sender_->OnLinkUp(now_);
}

void SimStream::Cut() {
  connected_ = false;
  troubles_.cut_in_flight += static_cast<int>(socket_up_.size() + socket_down_.size());
  socket_up_.clear();
  socket_down_.clear();
  sender_->OnLinkDown();
}

void SimStream::RestartAgent() {
  if (complete()) return;
  ++troubles_.agent_restarts;
  Cut();
  agent_window_bytes_ = link::kInitialWindowBytes;
  sender_.emplace(link::StreamSender::Options{}, journaled_acks_);
  for (std::uint64_t seq = journaled_acks_; seq < spool_.size(); ++seq) {
    Expect(sender_->OnRecord(spool_[seq].bytes).ok(),
           "a rebuilt sender takes what its spool holds");
  }
}

void SimStream::RerunCommand() {
  if (final_produced() || complete()) return;
  ++troubles_.reruns;
  Cut();
  StartAttempt(attempt_ + 1);
}

int SimStream::LoadSocket() {
  if (!connected_) return 0;
  if (sender_->NextSync(now_)) {
    socket_up_.push_back(SyncFrame{attempt_});
    return 1;
  }
  const auto seq = sender_->NextRecord(now_);
  if (!seq) {
    const bool waits = sender_->NextDeadline() && !sender_->wants_sync();
    if (waits && sender_->unacked_bytes() > agent_window_bytes_) ++troubles_.window_stops;
    return 0;
  }
  std::uint64_t in_flight_bytes = 0;
  for (std::uint64_t i = sender_->acked(); i <= *seq; ++i) in_flight_bytes += spool_.at(i).bytes;
  Expect(in_flight_bytes <= agent_window_bytes_ || *seq == sender_->acked(),
         "no more than the window is under way, or one record");
  Expect(*seq >= sender_->acked(), "nothing acknowledged is sent again");
  socket_up_.push_back(spool_.at(*seq));
  return 1;
}

int SimStream::AgentReads() {
  const auto ack = Pop(socket_down_);
  if (!ack) return 0;
  if (ack->attempt != attempt_) return 1;  // the caller's to drop
  if (ack->acked.next_seq < sender_->acked()) {
    ++troubles_.stale_acks;
  } else {
    agent_window_bytes_ = ack->acked.window_bytes;
  }
  Expect(sender_->OnAck(ack->acked, now_).ok(), "control never acknowledges what was not recorded");
  const bool known = receiver_->durable().attempt == attempt_;
  Expect(sender_->acked() <= (known ? receiver_->durable().next_seq : 0),
         "the agent forgets only what is on control's disk");
  if (Roll(3) == 0) journaled_acks_ = sender_->acked();
  return 1;
}

void SimStream::TickSender() {
  const auto before = sender_->NextDeadline();
  sender_->OnTick(now_);
  if (before && now_ >= *before) ++troubles_.timeouts;
  const auto deadline = sender_->NextDeadline();
  Expect(!deadline || *deadline > now_, "a deadline lies ahead, or the loop would spin");
}

// --- Redis ---------------------------------------------------------------------------------------

void SimStream::FlushRedis() {
  troubles_.flushed += static_cast<int>(redis_up_.unread.size() + redis_down_.unread.size());
  redis_up_ = {};
  redis_down_ = {};
}

void SimStream::DropOne() {
  auto& unread = redis_up_.unread;
  if (unread.empty()) return;
  unread.erase(unread.begin() +
               static_cast<std::ptrdiff_t>(Roll(static_cast<std::uint32_t>(unread.size()))));
  ++troubles_.dropped;
}

void SimStream::RereadRedis() {
  troubles_.repeated += static_cast<int>(redis_up_.read.size() + redis_down_.read.size());
  redis_up_.unread.insert(redis_up_.unread.begin(), redis_up_.read.begin(), redis_up_.read.end());
  redis_up_.read.clear();
  redis_down_.unread.insert(redis_down_.unread.begin(), redis_down_.read.begin(),
                            redis_down_.read.end());
  redis_down_.read.clear();
}

// --- control -------------------------------------------------------------------------------------

int SimStream::ControlReads() {
  const auto up = Read(redis_up_);
  if (!up) return 0;
  OnUp(*up);
  return 1;
}

void SimStream::OnUp(const Up& up) {
  if (const auto* sync = std::get_if<SyncFrame>(&up)) {
    receiver_->OnSync(sync->attempt);
  } else {
    OnRecordAtControl(std::get<Record>(up));
  }
  SendAck();
}

void SimStream::OnRecordAtControl(const Record& record) {
  switch (receiver_->OnRecord(record.attempt, record.seq)) {
    case Verdict::kStore: pending_.push_back(record); break;
    case Verdict::kNewAttempt:
      pending_.clear();
      pending_.push_back(record);
      break;
    case Verdict::kDuplicate: ++troubles_.duplicates; break;
    case Verdict::kGap: ++troubles_.gaps; break;
    case Verdict::kStale: ++troubles_.stale; break;
  }
}

void SimStream::SendAck() {
  const auto ack = receiver_->TakeAck();
  if (!ack) return;
  const bool known = !stored_.empty() && stored_.back().attempt == ack->attempt;
  Expect(ack->next_seq <= (known ? stored_.size() : 0), "an ack covers only what is on the disk");
  redis_down_.unread.push_back({ack->attempt,
                                {.next_seq = ack->next_seq,
                                 .window_bytes = window_bytes_,
                                 .rewind = ack->rewind,
                                 .complete = known && stored_.back().final}});
}

void SimStream::Sync() {
  if (!pending_.empty() && !stored_.empty() &&
      pending_.front().attempt != stored_.front().attempt) {
    stored_.clear();
  }
  for (const Record& record : pending_) {
    const std::vector<Record>& made = made_[record.attempt];
    Expect(stored_.size() < made.size() && record == made[stored_.size()],
           "the disk holds a prefix of what the agent made: each once, in order, of its size");
    stored_.push_back(record);
  }
  pending_.clear();
  receiver_->OnDurable();
  SendAck();
}

void SimStream::FailSync() {
  if (!pending_.empty()) ++troubles_.failed_syncs;
  pending_.clear();
  receiver_->OnLost();
  SendAck();
}

void SimStream::CrashControl() {
  troubles_.crashed_records += static_cast<int>(pending_.size());
  pending_.clear();
  receiver_.emplace(link::StreamReceiver::Position{
      .attempt = stored_.empty() ? 0 : stored_.back().attempt, .next_seq = stored_.size()});
  RereadRedis();
}

// --- time ----------------------------------------------------------------------------------------

int SimStream::Step(int moves, Duration step) {
  int moved = 0;
  for (int i = 0; i < moves; ++i) {
    moved += ControlReads() + AgentReads() + LoadSocket();
    if (auto up = Pop(socket_up_)) {
      redis_up_.unread.push_back(*up);
      ++moved;
    }
    if (auto ack = Read(redis_down_)) {
      if (connected_) socket_down_.push_back(*ack);
      ++moved;
    }
  }
  now_ += step;
  TickSender();
  return moved;
}

void SimStream::Expect(bool holds, const char* promise) {
  if (!holds && broken_.empty()) broken_ = promise;
}

}  // namespace holdfast::testing
