// PathMeter: what the path to control carries, learnt from acknowledgements; and how much to send.
//
// A slow path hides behind the buffers of sockets, routers and proxies: they take whatever is sent, and
// what is sent later waits behind it. So no more is kept in flight than the path needs: the most that
// arrived in one round trip, times the shortest round trip, and a little; both of the last seconds. Every
// few seconds less is sent for a moment, so that a queue of our own making drains and the true round trip
// shows. The same rate says in which pieces output is numbered: a piece is sent whole.
//
//   OnLinkUp OnLinkDown OnSent OnAcked OnTimeout --> [PathMeter] --> window_bytes chunk_bytes
//                                                                    read_ahead_bytes patience
//
// Ordering:  acknowledgements are taken to come in the order of what was sent. Where they do not (several
//            streams, records sent again) a sample comes late, and the rate is taken for lower.
// Limits:    kMaxMarks sends in flight are timed; further ones are not.
// Threading: thread-compatible; loop thread only.
// Errors:    none.
// Design:    docs/decisions/0035-chunks-by-measured-rate.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "common/base/time.h"
#include "common/link/limits.h"

namespace holdfast::link {

class PathMeter {
 public:
  void OnLinkUp();  // perhaps over another path: nothing is known
  void OnLinkDown();
  struct Sent {
    std::uint64_t bytes;
    std::uint64_t in_flight;  // not acknowledged, `bytes` included
    bool has_more;            // more was there to be sent: the path is what limits the rate
  };
  void OnSent(const Sent& sent, TimePoint now);
  void OnAcked(std::uint64_t bytes, TimePoint now);
  // No progress within patience(): what is known is no longer true.
  void OnTimeout();

  // Bytes per second; nullopt until something was acknowledged on this link.
  std::optional<std::uint64_t> rate() const;
  // How much may be in flight. The caller always allows one record.
  std::uint64_t window_bytes() const;
  // In pieces of which size to number output now: a power of two, kMinChunkBytes to kMaxChunkBytes.
  std::size_t chunk_bytes() const;
  // How much of an output may be numbered and not acknowledged: its pieces stay as they are.
  std::uint64_t read_ahead_bytes() const;
  // How long to wait for progress with this much in flight.
  Duration patience(std::uint64_t in_flight) const;

 private:
  static constexpr std::size_t kMaxMarks = 128;  // 4 MiB in messages of 32 KiB
  enum class State : std::uint8_t { kDown, kUnknown, kStalled, kMeasured };
  struct Mark {
    std::uint64_t bytes;
    std::uint64_t end;        // acknowledged when delivered_ is here
    std::uint64_t delivered;  // when it was sent
    TimePoint delivered_at;   // when that was reached: from ack to ack, whole pieces are counted
    TimePoint at;
    bool has_more;
  };
  // The best value of the last one to two spans of time.
  template <typename T>
  struct Recent {
    T current;
    T before;
    TimePoint since;
  };

  void Forget();
  void Take(const Mark& mark, TimePoint now);
  void TakeRate(const Mark& mark, TimePoint now);
  void TakeRoundTrip(const Mark& mark, TimePoint now);
  Duration round_trip() const;
  Duration span() const;
  std::uint64_t Over(Duration time) const;  // bytes, at the rate

  State state_ = State::kDown;
  std::size_t last_chunk_bytes_ = kUnmeasuredChunkBytes;  // of the link before
  std::uint64_t delivered_ = 0;
  TimePoint delivered_at_{};
  std::deque<Mark> marks_;
  std::optional<Recent<std::uint64_t>> rates_;   // most bytes per second
  std::optional<Recent<Duration>> round_trips_;  // shortest
  bool is_of_pieces_ = false;                    // round_trips_
  TimePoint drained_at_{};                       // when the path last held no queue of ours
  std::optional<TimePoint> draining_since_;
};

}  // namespace holdfast::link
