// SimAgent, second part: commands and their answers.
#include <algorithm>
#include <utility>

#include "backend/fleet/moments.h"
#include "backend/fleet/sim_agent.h"
#include "common/base/crc32c.h"
#include "common/link/limits.h"
#include "common/sign/envelope.h"
#include "holdfast/command/v1/update.pb.h"

namespace holdfast::fleet {

namespace lp = ::holdfast::link::v1;
namespace cp = ::holdfast::command::v1;

std::uint64_t SimAgent::Stream::chunks() const {
  return (output.size() + link::kMaxChunkBytes - 1) / link::kMaxChunkBytes;
}

void SimAgent::OnDeliver(const lp::Deliver& deliver, TimePoint now) {
  auto verdict =
      shared_.commands.Check(deliver.envelope(), deliver.cert_envelope(),
                             shared_.identities.at(identity_index()).id, WallTime{WallMs()});
  if (const auto* refusal = std::get_if<sign::Refusal>(&verdict)) {
    shared_.figures.Add(Figure::kRefused);
    if (!refusal->digest || (has_streams() && streams_->contains(*refusal->digest))) return;
    fleet::Answer answer;
    answer.result.set_outcome(cp::OUTCOME_REFUSED);
    answer.result.set_failure(refusal->failure);
    answer.result.set_message(refusal->message);
    Answer(*refusal->digest, std::move(answer), now);
    return;
  }
  const KnownCommand& known = *std::get<std::shared_ptr<const KnownCommand>>(verdict);
  const Digest& digest = known.verified.digest;
  if (has_ended(digest) || (has_streams() && streams_->contains(digest))) {
    shared_.figures.Add(Figure::kRepeated);
    return;
  }
  fleet::Answer answer;
  if (has_streams() && streams_->size() >= kMaxOpenStreams) {
    shared_.figures.Add(Figure::kRefused);
    answer.result.set_outcome(cp::OUTCOME_REFUSED);
    answer.result.set_failure(cp::COMMAND_FAILURE_TOO_MANY_OPEN);
  } else {
    shared_.figures.Add(Figure::kCommands);
    const cp::Command& command = known.verified.command;
    answer = command.has_update() ? Update(command) : AnswerOf(command, hostname(), number());
  }
  if (is_lost_) return;
  Answer(digest, std::move(answer), now);
}

// The papers are the operator's tool's to check: this is a model of what becomes of agents, not of what they refuse.
fleet::Answer SimAgent::Update(const cp::Command& command) {
  fleet::Answer answer;
  const auto envelope = sign::ParseEnvelope(command.update().release(), sign::kReleaseType);
  cp::Release release;
  if (!envelope.ok() || !release.ParseFromString(envelope.value().payload())) {
    answer.result.set_outcome(cp::OUTCOME_FAILED);
    answer.result.set_failure(cp::COMMAND_FAILURE_REFUSED_CONTENT);
    return answer;
  }
  switch (UpdateEndOf(shared_.mix, number())) {
    case UpdateEnd::kHolds:
      version_ = std::make_unique<std::string>(release.version());
      answer.result.set_outcome(cp::OUTCOME_DONE);
      answer.result.set_message("runs " + release.version());
      break;
    case UpdateEnd::kRolledBack:
      answer.result.set_outcome(cp::OUTCOME_FAILED);
      answer.result.set_failure(cp::COMMAND_FAILURE_ROLLED_BACK);
      answer.result.set_message("it ended 3 times before it had proven itself");
      break;
    case UpdateEnd::kSilent: is_lost_ = true; break;
  }
  cuts_ = true;  // its program ends; what it says comes with the next link
  return answer;
}

void SimAgent::Answer(const Digest& digest, fleet::Answer answer, TimePoint now) {
  auto stream = std::make_unique<Stream>(
      Stream{digest, link::StreamSender(link::StreamSender::Options(), 0), "", "", false});
  stream->was_refused = answer.result.outcome() == cp::OUTCOME_REFUSED;
  stream->output = std::move(answer.output);
  stream->final_envelope = SignResult(digest, *stream, answer);
  const std::uint64_t records = stream->records();
  for (std::uint64_t seq = 0; seq < records; ++seq) {
    const std::uint64_t first_chunk = 2;
    const bool is_chunk = !stream->was_refused && seq >= first_chunk && seq + 1 < records;
    const std::size_t at = is_chunk ? (seq - first_chunk) * link::kMaxChunkBytes : 0;
    const std::size_t size =
        is_chunk ? std::min(link::kMaxChunkBytes, stream->output.size() - at) : 0;
    if (!stream->sender.OnRecord(static_cast<std::uint32_t>(size)).ok()) return;
  }
  stream->sender.OnLinkUp(now);
  if (streams_ == nullptr) streams_ = std::make_unique<Streams>();
  streams_->emplace(digest, std::move(stream));
  dialer_.OnBusy(true, now);
}

std::string SimAgent::SignResult(const Digest& digest, const Stream& stream,
                                 fleet::Answer& answer) const {
  cp::Result& result = answer.result;
  result.set_command_digest(digest.str());
  result.set_agent_id(shared_.identities.at(identity_index()).id.str());
  result.set_incarnation(shared_.identities.IncarnationOf(identity_index()).str());
  result.set_attempt(1);
  if (!stream.was_refused) result.set_started_at_ms(WallMs());
  result.set_ended_at_ms(WallMs());
  result.set_output_bytes(stream.output.size());
  result.set_chunk_count(stream.chunks());
  result.set_output_sha256(shared_.crypto.Sha256(stream.output).str());
  result.set_policy_version(shared_.trust.policy.version());
  const auto key = shared_.identities.KeyOf(identity_index());
  if (!key.ok()) return {};
  auto envelope = sign::SignEnvelope(shared_.crypto, *key.value(), sign::kResultType,
                                     result.SerializeAsString());
  return envelope.ok() ? std::move(envelope).value() : std::string();
}

void SimAgent::OnAck(const lp::Ack& ack, TimePoint now) {
  const auto digest = Digest::From(ack.digest());
  if (!digest || !has_streams() || ack.attempt() != 1) return;
  const auto found = streams_->find(*digest);
  if (found == streams_->end()) return;
  const link::StreamSender::Acked acked{ack.next_seq(), ack.window_bytes(), ack.rewind(),
                                        ack.complete()};
  if (!found->second->sender.OnAck(acked, now).ok()) {
    dialer_.OnHangUp(lp::CLOSE_REASON_UNEXPECTED_FRAME);
    return;
  }
  if (!found->second->sender.complete()) return;
  shared_.figures.Add(Figure::kCompleted);
  if (tombstones_.size() >= kMaxTombstones) tombstones_.erase(tombstones_.begin());
  tombstones_.push_back(*digest);
  streams_->erase(found);
  if (streams_->empty()) streams_.reset();
  dialer_.OnBusy(has_streams(), now);
}

void SimAgent::AddSyncs(link::LinkMessage& out, TimePoint now) {
  lp::Sync* sync = nullptr;
  for (auto& [digest, stream] : *streams_) {
    if (!stream->sender.NextSync(now)) continue;
    if (sync == nullptr) sync = out.add_frames()->mutable_sync();
    lp::StreamRef* ref = sync->add_streams();
    ref->set_digest(digest.str());
    ref->set_attempt(1);
  }
}

void SimAgent::AddRecords(link::LinkMessage& out, TimePoint now) {
  bool has_chunk = false;  // one full chunk is what a message has room for
  for (auto& [digest, stream] : *streams_) {
    while (!has_chunk && out.frames().size() < link::kMaxFramesPerMessage) {
      const auto seq = stream->sender.NextRecord(now);
      if (!seq) break;
      link::Frame& frame = *out.add_frames();
      FillRecord(*stream, *seq, frame);
      has_chunk = frame.up().has_chunk() && frame.up().chunk().data().size() > 16 * 1024;
    }
  }
}

void SimAgent::FillRecord(const Stream& stream, std::uint64_t seq, link::Frame& frame) const {
  lp::Up& up = *frame.mutable_up();
  up.set_digest(stream.digest.str());
  up.set_attempt(1);
  up.set_seq(seq);
  if (seq + 1 == stream.records()) {
    up.mutable_final()->set_envelope(stream.final_envelope);
  } else if (seq == 0) {
    up.mutable_received()->set_at_ms(WallMs());
  } else if (seq == 1) {
    up.mutable_started()->set_at_ms(WallMs());
  } else {
    const std::size_t offset = static_cast<std::size_t>(seq - 2) * link::kMaxChunkBytes;
    lp::Chunk& chunk = *up.mutable_chunk();
    chunk.set_offset(offset);
    chunk.set_data(stream.output.substr(offset, link::kMaxChunkBytes));
    chunk.set_crc32c(Crc32c(chunk.data()));
  }
}

}  // namespace holdfast::fleet
