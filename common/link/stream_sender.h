// StreamSender: the agent's end of one command's numbered stream of records.
//
// Knows numbers and sizes, not bytes: the spool keeps those. Decides which record goes out next,
// within the credit that control gave; forgets what control has on disk; after a cut asks where the
// stream stands (Sync) before it repeats anything; goes back when records got lost on the way.
//
//   OnRecord OnLinkUp OnLinkDown OnAck OnTick --> [StreamSender] --> NextRecord NextSync acked
//   complete
//
// Ordering:  records leave in order; after a rewind again from the acknowledged one.
// Limits:    Options::max_unacked_records sizes are kept (4 B each); OnRecord() refuses above it
// and
//            the caller stops reading from the worker. Credit: see Ack.window_bytes.
// Ownership: owns its index; borrows nothing.
// Threading: thread-compatible; loop thread only.
// Errors:    OnRecord(): kExhausted; kCancelled after complete(). OnAck(): kInvalid for an ack of
// what
//            was never recorded; nothing changed. An older ack than the last is dropped in silence:
//            the backend may repeat one. An Ack of another attempt is the caller's to drop.
// Design:    docs/protocol.md, "Streams"
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/link/limits.h"

namespace holdfast::link {

class StreamSender {
 public:
  struct Options {
    std::size_t max_unacked_records = 8192;  // 2 GiB of full chunks, 32 KiB of index
    Duration ack_timeout = kAckTimeout;
    Duration sync_timeout = kAckTimeout;  // a Sync without answer is asked again
  };

  // next_seq: the first record that control is not known to have (from the journal). The caller
  // then says OnRecord for each one that the spool holds, and OnLinkUp if the link is up.
  StreamSender(Options options, std::uint64_t next_seq);

  // A record with number last+1 is in the spool; `bytes` of payload (0 for Received, Started).
  Status OnRecord(std::uint32_t bytes);
  void OnLinkUp(TimePoint now);
  void OnLinkDown();
  struct Acked {
    std::uint64_t next_seq;
    std::uint32_t window_bytes;
    bool rewind;
    bool complete;
  };
  Status OnAck(const Acked& ack, TimePoint now);
  // True: no progress within the time; it goes back, or asks again.
  bool OnTick(TimePoint now);
  // For what is in flight and what will be; Options has the first.
  void set_ack_timeout(Duration timeout) { ack_timeout_ = timeout; }

  // Number of the record to send now, if the link is up and credit allows; calling it spends it.
  std::optional<std::uint64_t> NextRecord(TimePoint now);
  bool has_record() const;
  // Whether this stream must be named in a Sync frame now; calling it spends it.
  bool NextSync(TimePoint now);
  bool wants_sync() const;
  std::optional<TimePoint> NextDeadline() const;

  std::uint64_t acked() const { return acked_; }        // every record below is control's
  std::uint64_t recorded() const { return recorded_; }  // number the next OnRecord() gets
  bool complete() const { return complete_; }           // control has the whole stream
  std::uint64_t unacked_bytes() const { return unacked_bytes_; }

  // For who measures the path; "cost" is the payload and kRecordOverheadBytes for each record.
  bool has_unsent() const { return phase_ == Phase::kFlowing && next_ < recorded_; }
  std::uint64_t next_cost() const { return sizes_[next_ - acked_] + kRecordOverheadBytes; }
  std::uint64_t in_flight_cost() const {
    return in_flight_bytes_ + (next_ - acked_) * kRecordOverheadBytes;
  }
  std::uint64_t delivered_cost() const { return delivered_cost_; }  // acknowledged while in flight

 private:
  enum class Phase : std::uint8_t { kDown, kNeedSync, kSyncing, kFlowing };

  void GoBack();                    // to the first record that is not acknowledged
  void Forget(std::uint64_t upto);  // records below it
  bool IsConsistent() const;

  const Options options_;
  Phase phase_ = Phase::kDown;
  std::uint64_t acked_;
  std::uint64_t recorded_;
  std::uint64_t next_;                 // next to send
  std::deque<std::uint32_t> sizes_;    // of records acked_ .. recorded_-1
  std::uint64_t unacked_bytes_ = 0;    // sum of sizes_
  std::uint64_t in_flight_bytes_ = 0;  // sum over acked_ .. next_-1
  std::uint32_t window_bytes_ = kInitialWindowBytes;
  TimePoint progress_at_{};  // last ack that moved, or first send after idle
  std::uint64_t delivered_cost_ = 0;
  Duration ack_timeout_;
  bool complete_ = false;
};

}  // namespace holdfast::link
