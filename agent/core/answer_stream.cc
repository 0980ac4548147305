#include "agent/core/answer_stream.h"

#include <algorithm>
#include <memory>

#include "agent/core/limits.h"
#include "common/base/crc32c.h"
#include "common/base/little_endian.h"

namespace holdfast::agent {
namespace {

// Inline output in the journal: u64le first chunk, then per chunk u32le length | u32le crc | u64le
// offset | bytes. The row's MAC covers it.
std::optional<std::uint64_t> TakeLe(std::string_view& in, std::size_t bytes) {
  if (in.size() < bytes) return std::nullopt;
  std::uint64_t value = 0;
  for (std::size_t i = bytes; i-- > 0;) {
    value = (value << 8) | static_cast<unsigned char>(in[i]);
  }
  in.remove_prefix(bytes);
  return value;
}

link::StreamSender::Options SenderOptions(std::size_t restored_chunks) {
  link::StreamSender::Options options;
  // Received, Started and Final beside the chunks. What is kept on the disk is taken up whole: the
  // spool frees files, so it may hold acknowledged chunks before those that wants_output() bounds.
  options.max_unacked_records = std::max(kMaxUnackedRecords, restored_chunks) + 8;
  return options;
}

}  // namespace

AnswerStream::AnswerStream(StreamKey key, Spool& spool) : AnswerStream(key, spool, 0, 0) {}

AnswerStream::AnswerStream(StreamKey key, Spool& spool, std::uint64_t next_seq,
                           std::size_t restored_chunks)
    : key_(key), spool_(spool), sender_(SenderOptions(restored_chunks), next_seq) {}

Result<std::unique_ptr<AnswerStream>> AnswerStream::Restore(const JournalCommand& row,
                                                            Spool& spool) {
  const StreamKey key{row.digest, row.attempt};
  const std::uint64_t base = (row.attempt == 1 && row.received_at.get() != 0 ? 1U : 0U) +
                             (row.started_at.get() != 0 ? 1U : 0U);
  std::uint64_t first = 0;  // chunk
  const SpooledStream* spooled = nullptr;
  const auto streams = spool.Streams();
  std::string_view inline_output = row.inline_output;
  if (!row.inline_output.empty()) {
    first = TakeLe(inline_output, 8).value_or(0);
  } else if (row.chunk_count > 0) {
    for (const SpooledStream& stream : streams) {
      if (stream.key == key) spooled = &stream;
    }
    if (spooled == nullptr || spooled->end != row.chunk_count) {
      return Error{Code::kCorrupt, "the spool does not hold the whole output"};
    }
    first = spooled->first;
  }
  // Chunks before the first one that is kept are control's, and so is all before them.
  const std::uint64_t next_seq = first > 0 ? base + first : 0;
  const std::size_t chunks = spooled != nullptr ? spooled->sizes.size() : 0;
  std::unique_ptr<AnswerStream> stream(new AnswerStream(key, spool, next_seq, chunks));
  const auto add = [&](std::uint64_t seq, std::size_t bytes) -> Status {
    if (seq < next_seq) return Ok();
    return stream->sender_.OnRecord(static_cast<std::uint32_t>(bytes));
  };
  std::uint64_t seq = 0;
  if (row.attempt == 1 && row.received_at.get() != 0) {
    stream->received_at_ = row.received_at;
    HF_TRY(add(seq++, 0));
  }
  if (row.started_at.get() != 0) {
    stream->started_at_ = row.started_at;
    HF_TRY(add(seq++, 0));
  }
  stream->first_inline_ = first;
  stream->chunks_ = first;
  if (!row.inline_output.empty()) {
    HF_TRY(stream->RestoreInline(inline_output));
  } else if (spooled != nullptr) {
    stream->in_spool_ = true;
    stream->chunks_ = spooled->end;
    for (const std::uint32_t size : spooled->sizes) {
      stream->output_bytes_ += size;  // of what is left: decides only who sends first
      HF_TRY(stream->sender_.OnRecord(size));
    }
  }
  if (stream->chunks_ != row.chunk_count) {
    return Error{Code::kCorrupt, "the journal does not hold the whole output"};
  }
  HF_TRY(stream->AddFinal(row.result_envelope));
  return stream;
}

Status AnswerStream::RestoreInline(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto length = TakeLe(bytes, 4);
    const auto crc = TakeLe(bytes, 4);
    const auto offset = TakeLe(bytes, 8);
    if (!length || !crc || !offset || *length > bytes.size()) {
      return Error{Code::kCorrupt, "inline output is cut"};
    }
    HF_TRY(sender_.OnRecord(static_cast<std::uint32_t>(*length)));
    inline_.push_back(
        {{*offset, static_cast<std::uint32_t>(*crc)}, std::string(bytes.substr(0, *length))});
    inline_bytes_ += *length;
    output_bytes_ = *offset + *length;
    bytes.remove_prefix(*length);
    ++chunks_;
  }
  return Ok();
}

Status AnswerStream::AddReceived(WallTime at) {
  HF_CHECK(sender_.recorded() == 0);
  HF_TRY(sender_.OnRecord(0));
  received_at_ = at;
  return Ok();
}

Status AnswerStream::AddStarted(WallTime at) {
  HF_CHECK(chunks_ == 0 && !final_ && !started_at_);
  HF_TRY(sender_.OnRecord(0));
  started_at_ = at;
  return Ok();
}

Status AnswerStream::AddChunk(std::string_view data) {
  HF_CHECK(!final_ && !data.empty() && data.size() <= link::kMaxChunkBytes);
  for (; !data.empty(); data.remove_prefix(std::min(data.size(), pace_.chunk_bytes))) {
    HF_TRY(AddPiece(data.substr(0, pace_.chunk_bytes)));
  }
  return Ok();
}

Status AnswerStream::AddPiece(std::string_view data) {
  const SpoolChunk chunk{output_bytes_, Crc32c(data)};
  if (!in_spool_ && inline_bytes_ + data.size() > kInlineBytes) HF_TRY(MoveToSpool());
  if (in_spool_) HF_TRY(spool_.Append(key_, chunks_, chunk, data));
  HF_TRY(sender_.OnRecord(static_cast<std::uint32_t>(data.size())));
  if (!in_spool_) {
    inline_.push_back({chunk, std::string(data)});
    inline_bytes_ += data.size();
  }
  ++chunks_;
  output_bytes_ += data.size();
  return Ok();
}

// From here on the stream lives in files. Acknowledged chunks are not written: the spool begins
// with the first that is still needed.
Status AnswerStream::MoveToSpool() {
  std::uint64_t number = first_inline_;
  for (const InlineChunk& chunk : inline_) {
    if (auto added = spool_.Append(key_, number, chunk.chunk, chunk.data); !added.ok()) {
      spool_.Remove(key_);  // all or none: the next attempt begins with the first again
      return added;
    }
    ++number;
  }
  in_spool_ = true;
  inline_.clear();
  inline_bytes_ = 0;
  return Ok();
}

Status AnswerStream::AddFinal(std::string envelope) {
  HF_CHECK(!final_);
  HF_TRY(sender_.OnRecord(static_cast<std::uint32_t>(envelope.size())));
  final_ = std::move(envelope);
  return Ok();
}

std::string AnswerStream::InlineOutput() const {
  if (in_spool_ || chunks_ == 0) return {};
  std::string out;
  out.reserve(8 + inline_bytes_ + 16 * inline_.size());
  AppendLittle(out, first_inline_, 8);
  for (const InlineChunk& chunk : inline_) {
    AppendLittle(out, chunk.data.size(), 4);
    AppendLittle(out, chunk.chunk.crc32c, 4);
    AppendLittle(out, chunk.chunk.offset, 8);
    out.append(chunk.data);
  }
  return out;
}

Status AnswerStream::Sync() { return in_spool_ ? spool_.Sync(key_) : Ok(); }

bool AnswerStream::wants_output() const {
  // A message of a worker may become this many pieces.
  constexpr std::uint64_t kMostPieces = link::kMaxChunkBytes / link::kMinChunkBytes;
  return sender_.unacked_bytes() < std::min(kMaxUnackedBytes, pace_.read_ahead_bytes) &&
         sender_.recorded() - sender_.acked() + kMostPieces <= kMaxUnackedRecords;
}

void AnswerStream::OnLinkUp(TimePoint now) {
  is_linked_ = true;
  sender_.OnLinkUp(now);
}

void AnswerStream::OnLinkDown() {
  is_linked_ = false;
  sender_.OnLinkDown();
}

Status AnswerStream::OnAck(const ::holdfast::link::v1::Ack& ack, TimePoint now) {
  if (ack.attempt() > key_.attempt) return Error{Code::kInvalid, "ack of an attempt to come"};
  if (ack.complete()) {
    // Also of an earlier attempt: control has an end of this command on disk.
    if (!final_) return Error{Code::kInvalid, "an end that was never sent"};
    return sender_.OnAck({sender_.recorded(), ack.window_bytes(), false, true}, now);
  }
  if (ack.attempt() < key_.attempt) {
    if (sender_.acked() > 0) return Ok();  // a late one
    return sender_.OnAck({0, ack.window_bytes(), true, false}, now);
  }
  HF_TRY(sender_.OnAck({ack.next_seq(), ack.window_bytes(), ack.rewind(), false}, now));
  ForgetAcked();
  return Ok();
}

void AnswerStream::ForgetAcked() {
  if (sender_.acked() <= base()) return;
  const std::uint64_t acked = std::min(sender_.acked() - base(), chunks_);
  if (in_spool_) {
    spool_.Forget(key_, acked);
    return;
  }
  while (first_inline_ < acked) {
    inline_bytes_ -= inline_.front().data.size();
    inline_.pop_front();
    ++first_inline_;
  }
}

Status AnswerStream::Fill(std::uint64_t seq, ::holdfast::link::v1::Up& up) {
  up.set_digest(key_.digest.data(), Digest::kSize);
  up.set_attempt(key_.attempt);
  up.set_seq(seq);
  std::uint64_t rest = seq;
  if (received_at_) {
    if (rest == 0) {
      up.mutable_received()->set_at_ms(received_at_->get());
      return Ok();
    }
    --rest;
  }
  if (started_at_) {
    if (rest == 0) {
      up.mutable_started()->set_at_ms(started_at_->get());
      return Ok();
    }
    --rest;
  }
  if (rest >= chunks_) {
    HF_CHECK(rest == chunks_ && final_);
    up.mutable_final()->set_envelope(*final_);
    return Ok();
  }
  auto& chunk = *up.mutable_chunk();
  SpoolChunk facts;
  if (in_spool_) {
    HF_ASSIGN_OR_RETURN(facts, spool_.Read(key_, rest, *chunk.mutable_data()));
  } else {
    HF_CHECK(rest >= first_inline_);
    const InlineChunk& kept = inline_[rest - first_inline_];
    facts = kept.chunk;
    chunk.set_data(kept.data);
  }
  chunk.set_offset(facts.offset);
  chunk.set_crc32c(facts.crc32c);
  return Ok();
}

}  // namespace holdfast::agent
