#include "backend/core/control_results.h"

#include <algorithm>
#include <utility>

#include "backend/core/control_result_check.h"

namespace holdfast::backend {

using Verdict = link::StreamReceiver::Verdict;

namespace {

// What a record that waits takes in memory, about.
std::size_t BytesOf(const link::v1::Up& up) {
  constexpr std::size_t kRecordBytes = 256;  // the parsed message itself
  return kRecordBytes + up.chunk().data().size() + up.final().envelope().size();
}

}  // namespace

// --- what comes in --------------------------------------------------------------------------------

// The stream of a delivery that targets this agent; nullptr if there is none, or it is over.
Results::Stream* Results::Open(const DeliveryKey& key, std::uint32_t attempt,
                               std::uint64_t agent_has) {
  const auto found = streams_.find(key);
  if (found != streams_.end()) return &found->second;
  const DeliveryRow* row = ports_.ledger.Find(key);
  std::optional<DeliveryRow> stored;
  if (row == nullptr) {
    Result<std::optional<DeliveryRow>> read = ports_.store.FindDelivery(key.digest, key.agent);
    if (!read.ok() || !read.value()) return nullptr;  // not a target of it, or no such command
    stored = std::move(read).value();
    row = &*stored;
  }
  if (row->stream_complete) {
    AckOut out{key.agent, {}};
    out.ack.set_digest(key.digest.str());
    out.ack.set_attempt(attempt);
    // Never beyond what it has numbered: an agent whose journal is new numbers from 0 again.
    out.ack.set_next_seq(attempt == row->attempt ? std::min(row->next_seq, agent_has) : 0);
    out.ack.set_window_bytes(static_cast<std::uint32_t>(window_bytes()));
    out.ack.set_complete(true);
    direct_.push_back(std::move(out));
    return nullptr;
  }
  const link::StreamReceiver::Position at{row->attempt, row->next_seq};
  return &streams_.emplace(key, Stream(at)).first->second;
}

void Results::OnUp(const AgentId& agent, link::v1::Up up, Moment now) {
  const auto digest = Digest::From(up.digest());
  if (!digest || !link::IsAttempt(up.attempt())) return;
  const DeliveryKey key{*digest, agent};
  Stream* stream = Open(key, up.attempt(), up.seq() + 1);
  if (stream == nullptr) return ForgetStrangeRefusal(key, up);
  if (now.at < stream->held_until) return;
  const std::size_t bytes = BytesOf(up);
  if (stream->waiting_bytes + bytes > options_.max_waiting_bytes ||
      stream->waiting.size() >= options_.max_waiting_records) {
    return;
  }
  stream->waiting_bytes += bytes;
  pending_bytes_ += bytes;
  if (ready_.empty()) {
    ready_since_ = now.at;
    only_receipts_ = true;
  }
  if (!up.has_received() && !up.has_started()) only_receipts_ = false;
  stream->waiting.push_back(std::move(up));
  if (!stream->job) ready_.insert(key);
}

// No command of ours targets this agent under this name.
bool Results::IsStrange(const DeliveryKey& key) const {
  if (ports_.ledger.Find(key) != nullptr) return false;
  const auto read = ports_.store.FindDelivery(key.digest, key.agent);
  return read.ok() && !read.value();
}

void Results::AckStrange(const DeliveryKey& key, std::uint32_t attempt, std::uint64_t next_seq,
                         bool complete) {
  AckOut out{key.agent, {}};
  out.ack.set_digest(key.digest.str());
  out.ack.set_attempt(attempt);
  out.ack.set_next_seq(next_seq);
  out.ack.set_window_bytes(static_cast<std::uint32_t>(window_bytes()));
  out.ack.set_rewind(!complete);
  out.ack.set_complete(complete);
  direct_.push_back(std::move(out));
}

// The agent refused what control never sent: somebody else writes to our streams. Nothing ran, so
// nothing is lost when the agent forgets it. Any other stream of an unknown command stays unanswered:
// a ledger restored from an older copy must not make agents drop results.
void Results::ForgetStrangeRefusal(const DeliveryKey& key, const link::v1::Up& up) {
  if (!up.has_final() || !IsStrange(key)) return;
  const AgentRow* agent = ports_.agents.Find(key.agent);
  if (agent == nullptr) return;
  const auto result =
      VerifyResult(ports_.crypto, agent->pubkey, {key, up.attempt()}, up.final().envelope());
  if (!result.ok() || result.value().outcome() != ::holdfast::command::v1::OUTCOME_REFUSED) return;
  ++strange_refusals_;
  AckStrange(key, up.attempt(), up.seq() + 1, true);
}

void Results::OnSync(const AgentId& agent, const link::v1::Sync& sync, Moment now) {
  for (const auto& ref : sync.streams()) {
    const auto digest = Digest::From(ref.digest());
    if (!digest || !link::IsAttempt(ref.attempt())) continue;
    const DeliveryKey key{*digest, agent};
    Stream* stream = Open(key, ref.attempt(), 0);
    if (stream == nullptr) {
      // If it is the refusal of a command that is not ours, its Final comes again, and is forgotten.
      if (IsStrange(key)) AckStrange(key, ref.attempt(), 0, false);
      continue;
    }
    ports_.dispatcher.OnAlive(key);
    stream->receiver.OnSync(ref.attempt());
    if (now.at < stream->held_until) continue;  // answered when the hold is over
    ackable_.insert(key);
  }
}

void Results::OnResumed(const AgentId& agent) {
  for (const Digest& digest : ports_.ledger.OpenOf(agent)) {
    const DeliveryKey key{digest, agent};
    if (ports_.ledger.Find(key)->sends > 0) Ask(key);
  }
}

void Results::Ask(const DeliveryKey& key) {
  const DeliveryRow* row = ports_.ledger.Find(key);
  if (row == nullptr) return;
  // Nothing came yet: the dispatcher sends it again, but the agent may have answered to one before us.
  const std::uint32_t attempt = std::max<std::uint32_t>(row->attempt, 1);
  Stream* stream = Open(key, attempt, 0);
  if (stream == nullptr || stream->job) return;
  stream->receiver.OnSync(attempt);
  ackable_.insert(key);
}

void Results::OnJournalLost(const AgentId& agent) {
  for (const Digest& digest : ports_.ledger.OpenOf(agent)) {
    const DeliveryKey key{digest, agent};
    const auto found = streams_.find(key);
    if (found != streams_.end() && found->second.job) found->second.job->doomed = true;
    if (ports_.ledger.Find(key)->attempt == 0) continue;
    DeliveryRow& row = ports_.ledger.ChangeRow(key);
    row.attempt = 0;
    row.next_seq = 0;
  }
}

void Results::OnOffline(const AgentId& agent) {
  for (auto& [key, stream] : streams_) {
    if (key.agent == agent) flowing_.erase(key);
  }
}

void Results::OnEnded(const DeliveryKey& key) {
  flowing_.erase(key);
  const auto found = streams_.find(key);
  if (found == streams_.end() || found->second.job || found->second.complete) return;
  DropWaiting(found->second);
  ready_.erase(key);
  ackable_.erase(key);
  held_.erase(key);
  streams_.erase(found);
}

void Results::SetAside(const DeliveryKey& key, Ending ending, Moment now) {
  if (!Ensure(key)) return;
  Stream* const stream = Open(key, 1, 0);
  if (stream == nullptr) return;  // it is over
  if (stream->job) stream->job->doomed = true;
  DropWaiting(*stream);
  ready_.erase(key);
  held_.erase(key);
  flowing_.erase(key);
  stream->touched = stream->complete = true;
  ackable_.insert(key);
  ports_.ledger.ChangeRow(key).stream_complete = true;
  ports_.ledger.End(key, std::move(ending), now);
  ports_.dispatcher.OnEnded(key);
  ports_.dispatcher.OnDue(key.agent);
}

// --- the turn -------------------------------------------------------------------------------------

bool Results::MayWait(Moment now) const {
  return !ready_.empty() && only_receipts_ && now.at - ready_since_ < options_.receipt_delay;
}

void Results::Advance(Moment now) {
  for (auto it = held_.begin(); it != held_.end();) {
    const auto found = streams_.find(*it);
    if (found != streams_.end() && now.at < found->second.held_until) {
      ++it;
      continue;
    }
    if (found != streams_.end()) ackable_.insert(*it);
    it = held_.erase(it);
  }
  if (ready_.empty()) return;
  const bool is_certain = IsCertain();
  for (const DeliveryKey& key : std::exchange(ready_, {})) {
    const auto found = streams_.find(key);
    if (found == streams_.end() || found->second.job) continue;
    if (!is_certain) {
      Rewind(key, found->second, now);
    } else if (Ensure(key)) {
      Process(key, found->second, now);
    } else {
      DropWaiting(found->second);
    }
  }
}

// The row is in memory: an ended delivery's is not, but its late stream still counts.
bool Results::Ensure(const DeliveryKey& key) {
  if (ports_.ledger.Find(key) != nullptr) return true;
  Result<std::optional<DeliveryRow>> read = ports_.store.FindDelivery(key.digest, key.agent);
  if (!read.ok() || !read.value()) return false;
  ports_.ledger.LoadLate(*std::move(read).value());
  return true;
}

void Results::Process(const DeliveryKey& key, Stream& stream, Moment now) {
  const AtHandScope at_hand(ports_.counters, key.agent, key.digest);
  ackable_.insert(key);
  while (!stream.waiting.empty() && !stream.complete) {
    const link::v1::Up& next = stream.waiting.front();
    const bool into_job = next.has_chunk() || next.has_final();
    if (stream.job && (!into_job || stream.job->ending || stream.job->bytes >= options_.job_bytes ||
                       next.attempt() != stream.job->attempt)) {
      break;  // after the job
    }
    link::v1::Up up = std::move(stream.waiting.front());
    stream.waiting.pop_front();
    stream.waiting_bytes -= BytesOf(up);
    pending_bytes_ -= BytesOf(up);
    const Verdict verdict = stream.receiver.OnRecord(up.attempt(), up.seq());
    if (verdict == Verdict::kStore || verdict == Verdict::kNewAttempt) {
      Take(key, stream, std::move(up), now);
    }
  }
  if (stream.complete) DropWaiting(stream);
  if (stream.job) StartJob(stream);
}

// Each receipt and start is a line of the audit, whose number an agent must not be able to choose.
bool Results::IsInPlace(const link::v1::Up& up, const DeliveryRow& before) const {
  if (up.attempt() > options_.max_attempts) return false;
  if (up.seq() == 0) return true;
  const bool follows_receipt = up.seq() == 1 && before.state != DeliveryState::kStarted;
  return up.has_started() && follows_receipt;
}

void Results::Take(const DeliveryKey& key, Stream& stream, link::v1::Up up, Moment now) {
  ports_.dispatcher.OnAlive(key);
  if (up.has_chunk()) return TakeChunk(key, stream, std::move(up), now);
  if (up.has_final()) return TakeFinal(key, stream, up, now);
  if (!IsInPlace(up, *ports_.ledger.Find(key))) {
    return Finish(key, stream, BadResult("a receipt or a start where none belongs"), now);
  }
  stream.touched = true;
  DeliveryRow& row = ports_.ledger.ChangeRow(key);
  row.attempt = up.attempt();
  row.next_seq = up.seq() + 1;
  if (up.has_started()) {
    DropOlderOutput(key, up.attempt());
    ports_.ledger.MarkStarted(key, up.attempt(), now);
  } else {
    ports_.ledger.MarkReceived(key, now);
  }
  ports_.dispatcher.OnDue(key.agent);  // a receipt makes room for the next
}

void Results::DropOlderOutput(const DeliveryKey& key, std::uint32_t attempt) {
  if (ports_.ledger.Find(key)->output_attempt == attempt) return;
  DeliveryRow& row = ports_.ledger.ChangeRow(key);
  if (row.place == OutputPlace::kInline) {
    (void)ports_.store.DropInline(key.digest, key.agent);  // a failure shows at the commit
  } else if (row.place == OutputPlace::kIncoming) {
    forget_.push_back({FileArea::kResults, row.output_name});
  }
  row.output_attempt = attempt;
  row.stored_bytes = 0;
  row.chunk_count = 0;
  row.place = OutputPlace::kNone;
}

void Results::TakeChunk(const DeliveryKey& key, Stream& stream, link::v1::Up up, Moment now) {
  if (!stream.job && ports_.ledger.Find(key)->output_attempt != up.attempt()) {
    stream.touched = true;
    DropOlderOutput(key, up.attempt());
  }
  flowing_.insert(key);
  const DeliveryRow& now_row = *ports_.ledger.Find(key);
  const std::uint64_t end = stream.job ? stream.job->stored_bytes : now_row.stored_bytes;
  if (up.chunk().offset() != end) {
    // A record never changes, so this stream can never become whole.
    if (stream.job) stream.job->doomed = true;
    return Finish(
        key, stream,
        BadResult("chunk " + std::to_string(up.seq()) + " starts at " +
                  std::to_string(up.chunk().offset()) + " instead of " + std::to_string(end)),
        now);
  }
  std::string data = std::move(*up.mutable_chunk()->mutable_data());
  const std::size_t size = data.size();
  const std::uint64_t max_output = MaxOutput(key.digest);
  if (end + size > max_output) {
    // An honest agent stops by itself: this one would fill our disk.
    if (stream.job) stream.job->doomed = true;
    return Finish(key, stream,
                  {::holdfast::command::v1::OUTCOME_FAILED,
                   ::holdfast::command::v1::COMMAND_FAILURE_OUTPUT_LIMIT,
                   "the agent sent more than " + std::to_string(max_output) + " bytes of output",
                   {}},
                  now);
  }
  const bool fits = !stream.job && now_row.place != OutputPlace::kIncoming &&
                    end + size <= options_.inline_bytes &&
                    now_row.chunk_count < options_.inline_chunks;
  if (fits) {
    stream.touched = true;
    DeliveryRow& row = ports_.ledger.ChangeRow(key);
    (void)ports_.store.AppendInline(key.digest, key.agent, end, data);
    row.place = OutputPlace::kInline;
    row.attempt = up.attempt();
    row.next_seq = up.seq() + 1;
    row.stored_bytes += size;
    ++row.chunk_count;
    stored_bytes_ += size;
    return;
  }
  Job& job = BuildJob(key, stream);
  job.attempt = up.attempt();
  job.next_seq = up.seq() + 1;
  job.stored_bytes += size;
  ++job.chunk_count;
  job.bytes += size;
  pending_bytes_ += size;
  job.work.pieces.push_back(std::move(data));
}

void Results::TakeFinal(const DeliveryKey& key, Stream& stream, const link::v1::Up& up,
                        Moment now) {
  const DeliveryRow& before = *ports_.ledger.Find(key);
  const bool own_output = stream.job || before.output_attempt == up.attempt();
  const bool into_job = stream.job || (own_output && before.place == OutputPlace::kIncoming);
  // What goes into a job counts as taken when the job is done: a crash before that must leave the agent
  // with a Final to send again.
  if (!into_job) {
    stream.touched = true;
    DeliveryRow& row = ports_.ledger.ChangeRow(key);
    row.attempt = up.attempt();
    row.next_seq = up.seq() + 1;
  }
  const AgentRow* agent = ports_.agents.Find(key.agent);
  const std::string& envelope = up.final().envelope();
  auto result = agent == nullptr
                    ? Error{Code::kDenied, "unknown agent"}
                    : VerifyResult(ports_.crypto, agent->pubkey, {key, up.attempt()}, envelope);
  if (!result.ok()) {
    if (stream.job) stream.job->doomed = true;
    return Finish(key, stream, BadResult(result.error().message), now);
  }
  const DeliveryRow& row = *ports_.ledger.Find(key);
  std::uint64_t stored_bytes = 0;
  std::uint64_t chunk_count = 0;
  if (stream.job) {
    stored_bytes = stream.job->stored_bytes;
    chunk_count = stream.job->chunk_count;
  } else if (own_output) {
    stored_bytes = row.stored_bytes;
    chunk_count = row.chunk_count;
  }
  const Status same = CompareLengths(result.value(), stored_bytes, chunk_count);
  if (!same.ok()) {
    if (stream.job) stream.job->doomed = true;
    return Finish(key, stream, BadResult(same.error().message), now);
  }
  const auto claimed = Digest::From(result.value().output_sha256());
  Ending ending = EndingOf(result.value(), envelope);
  if (into_job) {
    Job& job = BuildJob(key, stream);
    job.attempt = up.attempt();
    job.next_seq = up.seq() + 1;
    job.ending = std::move(ending);
    job.sha256 = claimed.value_or(Digest{});
    job.work.seal = job.sha256;
    return;
  }
  std::string output;
  if (own_output && row.place == OutputPlace::kInline) {
    auto read = ports_.store.ReadInline(key.digest, key.agent, 0, options_.inline_bytes);
    if (read.ok()) output = std::move(read).value();
  }
  if (!claimed || ports_.crypto.Sha256(output) != *claimed) {
    ending = BadResult("the stored output does not have the SHA-256 that the agent signed");
  }
  Finish(key, stream, std::move(ending), now);
}

void Results::Finish(const DeliveryKey& key, Stream& stream, Ending ending, Moment now) {
  stream.touched = true;
  stream.complete = true;
  flowing_.erase(key);
  DeliveryRow& row = ports_.ledger.ChangeRow(key);
  row.stream_complete = true;
  if (!row.ended()) {
    ports_.ledger.End(key, std::move(ending), now);
    ports_.dispatcher.OnEnded(key);
  } else if (row.result_envelope.empty()) {
    // Control had given up on it: the state stays, what the agent signed is kept.
    row.result_envelope = std::move(ending.result_envelope);
    ports_.audit.Append(
        {key.agent.hex(), "command.late_result", key.digest.str(), key.agent.str(), {}}, now);
  }
  ports_.dispatcher.OnDue(key.agent);
}

}  // namespace holdfast::backend
