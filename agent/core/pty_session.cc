#include "agent/core/pty_session.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace holdfast::agent {
namespace {

std::string InWords(Duration duration) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration).count();
  constexpr int kPerMinute = 60;
  if (seconds % kPerMinute != 0 || seconds == 0) return std::to_string(seconds) + " s";
  return std::to_string(seconds / kPerMinute) + " min";
}

}  // namespace

PtySession::PtySession(const sign::Crypto& crypto, const sign::Sealing& sealing,
                       pty::SessionKeys keys, Options options, const Start& start, TimePoint now)
    : sealing_(sealing),
      keys_of_(keys),
      options_(options),
      cast_hash_(crypto.NewSha256()),
      began_(now),
      heard_(now),
      typed_(now) {
  Record(pty::Asciicast::Begin({start.size, start.unix_s, start.term, start.title}));
  Emit(pty::OutputKind::kBegin, pty::EncodeNumber(start.unix_s));
}

void PtySession::OnInput(std::uint64_t seq, std::string_view sealed, TimePoint now) {
  if (over_ || seq != next_input_) return;
  const auto opened = sealing_.Open(keys_of_.input, seq, sealed);
  const auto record = opened.ok() ? pty::ParseInputRecord(opened.value())
                                  : Result<pty::InputRecord>(opened.error());
  if (!record.ok()) {
    // An honest tool cannot have made it, and TLS would not have let it be damaged on its way.
    over_ = Over::kForged;
    return;
  }
  ++next_input_;
  heard_ = now;
  Take(record.value(), now);
  if (!tell_taken_at_) tell_taken_at_ = now + options_.taken_delay;
}

void PtySession::Take(const pty::InputRecord& record, TimePoint now) {
  switch (record.kind) {
    case pty::InputKind::kKeys:
      typed_ = now;
      warned_idle_ = false;
      keys_ += record.data;
      return;
    case pty::InputKind::kSize: size_ = pty::ParseSize(record.data).value(); return;
    case pty::InputKind::kSeen:
      seen_bytes_ = std::clamp(pty::ParseNumber(record.data).value(), seen_bytes_, shown_bytes_);
      return;
    case pty::InputKind::kHangUp: over_ = Over::kHungUp; return;
  }
}

void PtySession::OnTerminal(std::string_view bytes, std::uint64_t now_us) {
  HF_CHECK(bytes.size() <= pty::kMaxOutputBytes);
  at_us_ = std::max(at_us_, now_us);
  shown_bytes_ += bytes.size();
  Emit(pty::OutputKind::kOutput, bytes);
}

void PtySession::OnSize(pty::Size size, std::uint64_t now_us) {
  at_us_ = std::max(at_us_, now_us);
  Emit(pty::OutputKind::kSize, pty::EncodeSize(size));
}

void PtySession::Emit(pty::OutputKind kind, std::string_view data) {
  const pty::OutputRecord record{kind, next_input_, at_us_, std::string(data)};
  tell_taken_at_.reset();
  Record(cast_.Add(record));
  auto sealed = sealing_.Seal(keys_of_.output, next_output_++, pty::Encode(record));
  HF_CHECK(sealed.ok());  // it fails only for want of memory
  std::string frame;
  pty::AppendFrame(frame, pty::FrameType::kSealed, sealed.value());
  frames_.push_back(std::move(frame));
}

void PtySession::Record(std::string_view text) {
  cast_hash_->Update(text);
  cast_bytes_ += text.size();
  cast_text_ += text;
  if (cast_bytes_ > options_.max_cast_bytes && !over_) over_ = Over::kCastFull;
}

void PtySession::Close() {
  Record(cast_.End());
  cast_sha256_ = cast_hash_->Finish();
}

std::string PtySession::TakeCast() { return std::exchange(cast_text_, {}); }

std::optional<std::string> PtySession::NextFrame() {
  if (frames_.empty()) return std::nullopt;
  std::string frame = std::move(frames_.front());
  frames_.pop_front();
  return frame;
}

std::optional<pty::Size> PtySession::NextSize() { return std::exchange(size_, std::nullopt); }

bool PtySession::wants_terminal() const {
  return shown_bytes_ - seen_bytes_ < options_.window_bytes;
}

void PtySession::OnTick(TimePoint now) {
  if (over_) return;
  // While nothing is read of what comes, silence is ours.
  if (!wants_input()) heard_ = now;
  if (now - heard_ >= options_.silence) over_ = Over::kGone;
  if (now - typed_ >= options_.idle) over_ = Over::kIdle;
  if (now - began_ >= options_.wall) over_ = Over::kWall;
  if (over_) return;
  Warn(now);
  if (tell_taken_at_ && now >= *tell_taken_at_) {
    Emit(pty::OutputKind::kTaken, {});  // resets it
  }
}

void PtySession::Warn(TimePoint now) {
  const auto elapsed_us = std::chrono::duration_cast<std::chrono::microseconds>(now - began_);
  at_us_ = std::max(at_us_, static_cast<std::uint64_t>(elapsed_us.count()));
  const Duration idle = now - typed_;
  if (!warned_idle_ && idle + WarnBefore(options_.idle) >= options_.idle) {
    warned_idle_ = true;
    Emit(pty::OutputKind::kNotice, "no key was pressed for " + InWords(idle) +
                                       ": this terminal ends in " + InWords(options_.idle - idle));
  }
  const Duration all = now - began_;
  if (!warned_wall_ && all + WarnBefore(options_.wall) >= options_.wall) {
    warned_wall_ = true;
    Emit(pty::OutputKind::kNotice,
         "its time is up: this terminal ends in " + InWords(options_.wall - all));
  }
}

TimePoint PtySession::NextDeadline() const {
  TimePoint soonest = began_ + options_.wall;
  soonest = std::min({soonest, typed_ + options_.idle, heard_ + options_.silence});
  if (!warned_idle_)
    soonest = std::min(soonest, typed_ + options_.idle - WarnBefore(options_.idle));
  if (!warned_wall_)
    soonest = std::min(soonest, began_ + options_.wall - WarnBefore(options_.wall));
  if (tell_taken_at_) soonest = std::min(soonest, *tell_taken_at_);
  return soonest;
}

}  // namespace holdfast::agent
