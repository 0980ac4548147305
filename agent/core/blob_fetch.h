// BlobFetch: pulls one blob that a command names, range by range, and checks its SHA-256.
//
// Asks for ranges in order, a few ahead; takes answers in order only (a later one is dropped and
// comes again when the gap has timed out), so the hash runs along and the file only grows. Ranges are as
// large as the path brings in half a second: on a slow one larger ranges would time out and come twice, and
// what else comes down would wait behind them.
//
//   OnLinkUp OnLinkDown OnData OnTick --> [BlobFetch] --> NextRequest state NextDeadline
//
// Limits:    kMaxBlobRequests open, kMinBlobRangeBytes to kBlobRangeBytes each, repeated after
//            kBlobTimeout.
// Ownership: borrows the spool; owns the hash.
// Threading: thread-compatible; loop thread only.
// A full disk is waited for: the range is asked for again.
// Errors:    state() kMissing, kWrongBytes, kDisk: final; the command fails.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "agent/core/limits.h"
#include "agent/core/spool.h"
#include "common/base/time.h"
#include "common/link/codec.h"
#include "common/sign/crypto.h"

namespace holdfast::agent {

class BlobFetch {
 public:
  enum class State : std::uint8_t { kFetching, kComplete, kMissing, kWrongBytes, kDisk };

  struct Blob {
    Digest sha256;
    std::uint64_t size;  // bytes
  };

  BlobFetch(const sign::Crypto& crypto, Spool& spool, const Digest& command, const Blob& blob);

  void OnLinkUp();
  void OnLinkDown() { deadline_.reset(); }
  void OnData(const ::holdfast::link::v1::BlobData& data, TimePoint now);
  void OnTick(TimePoint now);
  std::optional<::holdfast::link::v1::BlobRequest> NextRequest(TimePoint now);
  bool has_request() const;

  State state() const { return state_; }
  // The disk did not take the last range.
  bool is_short_of_room() const { return is_short_of_room_; }
  std::optional<TimePoint> NextDeadline() const { return deadline_; }

 private:
  struct Open {  // a request without its answer
    std::uint64_t end;
    TimePoint at;
    std::uint64_t had;  // have_ then
  };
  void AskAgain();

  Spool& spool_;
  const Digest command_;
  const Digest sha256_;
  const std::uint64_t size_;
  std::unique_ptr<sign::Hasher> hash_;
  State state_ = State::kFetching;
  std::uint64_t have_ = 0;         // bytes in the spool
  std::uint64_t asked_ = 0;        // first byte not yet asked for on this link
  bool is_short_of_room_ = false;  // the disk did not take the last range: one at a time
  std::deque<Open> open_;
  std::uint64_t range_bytes_ = kFirstBlobRangeBytes;
  std::optional<TimePoint> deadline_;
};

}  // namespace holdfast::agent
