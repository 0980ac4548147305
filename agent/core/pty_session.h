// PtySession: the agent's end of a terminal: seals what it shows, takes what was typed, and says when it is over.
//
// Runs in the worker. Without a terminal or a clock in it: the verb moves bytes between it, the terminal, the file of the
// recording and warden (agent/verbs/pty_verb.cc).
//
//   OnInput OnTerminal OnSize OnTick --> [PtySession] --> NextFrame NextKeys NextSize TakeCast over
//
// Ordering:  input is taken in the order of its numbers, each once; what comes early or again is dropped, and sent again by the
//            operator's tool. Output is sealed in the order it was shown.
// Limits:    Options. At window_bytes of output that the operator has not seen wants_terminal() says no; at
//            max_keys_bytes that the terminal did not take wants_input() does. Input that waits unread is not
//            held here but where it came from.
// Ownership: borrows sealing and crypto for its life.
// Threading: thread-compatible.
// Errors:    over(): why it ends; nothing goes on after it but NextFrame().
// Design:    docs/decisions/0110-terminals-are-sealed.md
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/time.h"
#include "common/pty/asciicast.h"
#include "common/pty/records.h"
#include "common/pty/session_keys.h"
#include "common/sign/crypto.h"
#include "common/sign/sealing.h"

namespace holdfast::agent {

class PtySession {
 public:
  struct Options {
    Duration idle{0};  // without a key
    // The tool says something every 10 s. A link that is cut is back within seconds, or the next server is tried.
    Duration silence = std::chrono::seconds(60);
    Duration wall{0};
    Duration warn =
        std::chrono::seconds(60);  // before idle or wall is over; of a short one a quarter
    // Ctrl-C ends what would be shown, not what was: more than a screenful makes it look dead on a slow path.
    std::uint64_t window_bytes = std::uint64_t{128} * 1024;
    std::size_t max_keys_bytes = std::size_t{64} * 1024;
    // Keys without an echo are acknowledged this much later, together.
    Duration taken_delay = std::chrono::milliseconds(20);
    std::uint64_t max_cast_bytes = 0;
  };
  enum class Over : std::uint8_t {
    kHungUp,    // by the operator
    kIdle,      // Options::idle
    kGone,      // Options::silence
    kWall,      // Options::wall
    kForged,    // input that nobody sealed for this place
    kCastFull,  // Options::max_cast_bytes
  };
  struct Start {
    pty::Size size;
    std::string term;
    std::string title;  // of the recording
    std::uint64_t unix_s = 0;
  };
  PtySession(const sign::Crypto& crypto, const sign::Sealing& sealing, pty::SessionKeys keys,
             Options options, const Start& start, TimePoint now);

  // One numbered piece of what was typed.
  void OnInput(std::uint64_t seq, std::string_view sealed, TimePoint now);
  // At most pty::kMaxOutputBytes.
  void OnTerminal(std::string_view bytes, std::uint64_t now_us);
  void OnSize(pty::Size size, std::uint64_t now_us);  // it took hold
  void OnKeysWritten(std::size_t bytes) { keys_.erase(0, bytes); }
  void OnTick(TimePoint now);

  // A whole frame for the output.
  std::optional<std::string> NextFrame();
  const std::string& keys() const { return keys_; }  // to be written to the terminal
  std::optional<pty::Size> NextSize();
  std::string TakeCast();  // to be appended to the file
  // The last of the recording; then its facts are final.
  void Close();
  Digest cast_sha256() const { return cast_sha256_; }
  std::uint64_t cast_bytes() const { return cast_bytes_; }

  bool wants_terminal() const;
  bool wants_input() const { return !over_ && keys_.size() < options_.max_keys_bytes; }
  const std::optional<Over>& over() const { return over_; }
  TimePoint NextDeadline() const;

 private:
  void Take(const pty::InputRecord& record, TimePoint now);
  void Emit(pty::OutputKind kind, std::string_view data);
  void Record(std::string_view text);
  void Warn(TimePoint now);
  Duration WarnBefore(Duration limit) const { return std::min(options_.warn, limit / 4); }

  const sign::Sealing& sealing_;
  const pty::SessionKeys keys_of_;
  const Options options_;
  pty::Asciicast cast_;
  std::unique_ptr<sign::Hasher> cast_hash_;
  Digest cast_sha256_;
  std::uint64_t cast_bytes_ = 0;
  std::string cast_text_;  // not yet in the file
  std::uint64_t at_us_ = 0;

  std::uint64_t next_input_ = 0;
  std::optional<TimePoint> tell_taken_at_;
  std::uint64_t next_output_ = 0;
  std::deque<std::string> frames_;
  std::string keys_;
  std::optional<pty::Size> size_;
  std::uint64_t shown_bytes_ = 0;  // of kOutput
  std::uint64_t seen_bytes_ = 0;   // by the operator

  TimePoint began_;
  TimePoint heard_;
  TimePoint typed_;
  bool warned_idle_ = false;
  bool warned_wall_ = false;
  std::optional<Over> over_;
};

}  // namespace holdfast::agent
