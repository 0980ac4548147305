#include "common/link/path_meter.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace holdfast::link {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();
// How long a piece may take; what comes next waits for it.
constexpr Duration kPieceTime = milliseconds(250);
// In flight beyond 1.25 round trips: control acknowledges what it commits together, so acks come in lumps. A commit is part of
// a round trip: where that is shorter, less will do, and small answers wait less.
constexpr Duration kLeastLumpTime = milliseconds(20);
constexpr Duration kMostLumpTime = milliseconds(80);
constexpr std::uint64_t kUnknownWindowBytes = 16 * 1024;  // as TCP begins (RFC 6928)
constexpr std::uint64_t kUnknownReadAheadBytes = 128 * 1024;
// Pieces of up to this size suit any path; of larger ones no more than a few seconds' worth is made.
constexpr std::size_t kHarmlessChunkBytes = 64 * 1024;
constexpr Duration kReadAhead = seconds(4);
// Paths change. BBR looks back 10 s or 10 round trips; here it is one to two spans.
constexpr Duration kLeastSpan = seconds(5);
constexpr int kSpanRoundTrips = 10;
// What is assumed of a path that nothing is known of: 64 kbit/s.
constexpr std::uint64_t kSlowRate = 8 * 1024;
constexpr Duration kMostPatience = seconds(60);

std::uint64_t PerSecond(std::uint64_t bytes, Duration time) {
  return bytes * 1000 / static_cast<std::uint64_t>(std::max(time, milliseconds(1)).count());
}

}  // namespace

void PathMeter::OnLinkUp() {
  Forget();
  state_ = State::kUnknown;
}

void PathMeter::OnLinkDown() {
  if (state_ == State::kMeasured) last_chunk_bytes_ = chunk_bytes();
  Forget();
  state_ = State::kDown;
}

void PathMeter::OnTimeout() {
  if (state_ == State::kDown) return;
  Forget();
  state_ = State::kStalled;
}

void PathMeter::Forget() {
  marks_.clear();
  rates_.reset();
  round_trips_.reset();
  draining_since_.reset();
}

void PathMeter::OnSent(const Sent& sent, TimePoint now) {
  if (state_ == State::kDown) return;
  if (marks_.empty()) {
    drained_at_ = delivered_at_ = now;
  } else if (state_ == State::kMeasured && !draining_since_ && now - drained_at_ >= span()) {
    draining_since_ = now;
  }
  const Mark mark{sent.bytes,   delivered_ + sent.in_flight, delivered_, delivered_at_, now,
                  sent.has_more};
  // Those that end behind it were lost.
  while (!marks_.empty() && marks_.back().end >= mark.end) marks_.pop_back();
  if (marks_.size() < kMaxMarks) marks_.push_back(mark);
}

void PathMeter::OnAcked(std::uint64_t bytes, TimePoint now) {
  if (bytes == 0) return;
  delivered_ += bytes;
  delivered_at_ = now;
  std::optional<Mark> last;
  while (!marks_.empty() && marks_.front().end <= delivered_) {
    last = marks_.front();
    marks_.pop_front();
  }
  if (last) Take(*last, now);
}

void PathMeter::Take(const Mark& mark, TimePoint now) {
  TakeRoundTrip(mark, now);
  TakeRate(mark, now);
  state_ = State::kMeasured;
  if (draining_since_ && mark.at >= *draining_since_) {
    draining_since_.reset();
    drained_at_ = now;
  }
}

// The round trip of a piece: the line is busy with it for a while, and less in flight than that would leave
// the line idle. Small answers only tell until the first piece does.
void PathMeter::TakeRoundTrip(const Mark& mark, TimePoint now) {
  const Duration took = now - mark.at;
  const bool is_piece = mark.bytes >= kMinChunkBytes;
  if (!round_trips_ || (is_piece && !is_of_pieces_)) {
    round_trips_ = {took, took, now};
    is_of_pieces_ = is_piece;
  } else if (is_piece != is_of_pieces_) {
    return;
  } else if (now - round_trips_->since >= span()) {
    round_trips_ = {took, round_trips_->current, now};
  } else {
    round_trips_->current = std::min(round_trips_->current, took);
  }
}

void PathMeter::TakeRate(const Mark& mark, TimePoint now) {
  const std::uint64_t rate = PerSecond(delivered_ - mark.delivered, now - mark.delivered_at);
  if (!rates_) {
    rates_ = {rate, rate, now};
  } else if (mark.has_more && now - rates_->since >= span()) {
    rates_ = {rate, rates_->current, now};
  } else {
    // Where there was no more to send, the path may carry more than this, not less.
    rates_->current = std::max(rates_->current, rate);
  }
}

Duration PathMeter::round_trip() const {
  return std::min(round_trips_->current, round_trips_->before);
}

Duration PathMeter::span() const { return std::max(kLeastSpan, kSpanRoundTrips * round_trip()); }

std::optional<std::uint64_t> PathMeter::rate() const {
  if (state_ != State::kMeasured) return std::nullopt;
  return std::max(rates_->current, rates_->before);
}

std::uint64_t PathMeter::Over(Duration time) const {
  return *rate() * static_cast<std::uint64_t>(time.count()) / 1000;
}

std::uint64_t PathMeter::window_bytes() const {
  switch (state_) {
    case State::kDown: return 0;
    case State::kUnknown: return kUnknownWindowBytes;
    case State::kStalled: return kMinChunkBytes;
    case State::kMeasured: break;
  }
  if (draining_since_) return Over(round_trip() * 3 / 4);
  // On a slow path a few pieces fill it: room for one more, or it would never show that it carries it.
  const std::uint64_t piece = chunk_bytes() + 2 * kRecordOverheadBytes;
  const std::uint64_t pieces = std::max(Over(round_trip()), piece) + piece;
  const Duration lump = std::clamp(round_trip(), kLeastLumpTime, kMostLumpTime);
  return std::max(Over(round_trip() * 5 / 4 + lump), pieces);
}

std::size_t PathMeter::chunk_bytes() const {
  switch (state_) {
    case State::kDown: return std::min(last_chunk_bytes_, kHarmlessChunkBytes);
    case State::kUnknown:
    case State::kStalled: return kMinChunkBytes;
    case State::kMeasured: break;
  }
  const auto bytes = std::bit_floor(Over(kPieceTime));
  return static_cast<std::size_t>(std::clamp<std::uint64_t>(bytes, kMinChunkBytes, kMaxChunkBytes));
}

std::uint64_t PathMeter::read_ahead_bytes() const {
  if (state_ == State::kUnknown) return kUnknownReadAheadBytes;
  if (state_ != State::kMeasured || chunk_bytes() <= kHarmlessChunkBytes) return kNoLimit;
  return Over(kReadAhead);
}

Duration PathMeter::patience(std::uint64_t in_flight) const {
  const std::uint64_t at = std::max<std::uint64_t>(rate().value_or(kSlowRate), 1);
  // A slow path has at most a record and a window in flight: no overflow.
  const auto twice = milliseconds(2 * in_flight * 1000 / at);
  return std::clamp<Duration>(twice, kAckTimeout, kMostPatience);
}

}  // namespace holdfast::link
