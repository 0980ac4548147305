// AnswerStream: the numbered records that answer one command, from memory or spool to frames.
//
//   attempt 1:  Received  [Started  Chunk*]  Final         a refusal:     Final
//   attempt n:  Started  Chunk*  Final                     interrupted:   Final
//
// Received, Started and Final are made from what the journal holds; chunks come from the spool, or,
// while the whole output is small, from memory (and then go into the journal with the result: no
// file and no fsync of its own for the rows of a small query).
//
// Ordering:  Final is last. What a record holds never changes.
// Limits:    kInlineBytes of output in memory; kMaxUnackedRecords: wants_output() says when to
//            stop. Restore() takes all that the spool holds, acknowledged or not.
// Ownership: owns its index; borrows the spool.
// Threading: thread-compatible; loop thread only.
// Errors:    AddChunk(): the spool's. Fill(): the spool's: the output is lost.
// Design:    docs/protocol.md, "Streams"; docs/decisions/0015-the-spool-is-segment-files.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "agent/core/journal.h"
#include "agent/core/limits.h"
#include "agent/core/spool.h"
#include "common/link/codec.h"
#include "common/link/stream_sender.h"

namespace holdfast::agent {

class AnswerStream {
 public:
  // Four pages: nearly every query's rows; with 64 commands at most 1 MiB.
  static constexpr std::size_t kInlineBytes = std::size_t{16} * 1024;

  AnswerStream(StreamKey key, Spool& spool);
  // A stream whose Final is in the journal. kCorrupt: chunks of it are missing.
  static Result<std::unique_ptr<AnswerStream>> Restore(const JournalCommand& row, Spool& spool);

  Status AddReceived(WallTime at);
  Status AddStarted(WallTime at);
  // In pieces as the pace has it. If the spool refuses one, those before it are in: output_bytes() says.
  Status AddChunk(std::string_view data);
  Status AddFinal(std::string envelope);

  // What the journal keeps beside the result: the chunks not yet acknowledged, if they are in
  // memory.
  std::string InlineOutput() const;
  // Makes chunks that are in the spool and not acknowledged survive the machine.
  Status Sync();
  // Room for one more full message of a worker, by this stream's own bounds.
  bool wants_output() const;
  struct Pace {
    std::size_t chunk_bytes = link::kUnmeasuredChunkBytes;
    std::uint64_t read_ahead_bytes = kMaxUnackedBytes;
  };
  // For output that comes from now on; what is numbered stays as it is.
  void set_pace(const Pace& pace) { pace_ = pace; }

  void OnLinkUp(TimePoint now);
  void OnLinkDown();
  bool is_linked() const { return is_linked_; }
  // An Ack for this digest; those of earlier attempts say that control has nothing of this one.
  Status OnAck(const ::holdfast::link::v1::Ack& ack, TimePoint now);
  // The record with this number as a frame's Up.
  Status Fill(std::uint64_t seq, ::holdfast::link::v1::Up& up);

  link::StreamSender& sender() { return sender_; }
  const link::StreamSender& sender() const { return sender_; }
  const StreamKey& key() const { return key_; }
  std::uint64_t chunks() const { return chunks_; }
  std::uint64_t output_bytes() const { return output_bytes_; }
  bool has_final() const { return final_.has_value(); }
  // Small so far: its records go before those of large outputs.
  bool is_interactive() const { return output_bytes_ <= kInteractiveBytes; }

 private:
  static constexpr std::uint64_t kInteractiveBytes = 256 * 1024;  // one full chunk
  struct InlineChunk {
    SpoolChunk chunk;
    std::string data;
  };
  AnswerStream(StreamKey key, Spool& spool, std::uint64_t next_seq, std::size_t restored_chunks);
  std::uint64_t base() const { return (received_at_ ? 1U : 0U) + (started_at_ ? 1U : 0U); }
  Status AddPiece(std::string_view data);
  Status MoveToSpool();
  Status RestoreInline(std::string_view bytes);
  void ForgetAcked();

  const StreamKey key_;
  Spool& spool_;
  link::StreamSender sender_;
  std::optional<WallTime> received_at_;
  std::optional<WallTime> started_at_;
  std::optional<std::string> final_;
  std::uint64_t chunks_ = 0;
  std::uint64_t output_bytes_ = 0;
  bool is_linked_ = false;
  bool in_spool_ = false;
  std::deque<InlineChunk> inline_;  // chunks first_inline_ .. chunks_-1 while not in_spool_
  std::uint64_t first_inline_ = 0;
  std::size_t inline_bytes_ = 0;
  Pace pace_;
};

}  // namespace holdfast::agent
