// PtyClient: the operator's end of a terminal: opens what the agent sealed, seals what is typed, keeps it until it is taken.
//
// Knows nothing of sockets and terminals. The agent's half of the secret is believed only under the signature of the
// agent that the command names.
//
//   Type Resize HangUp OnOutput OnConnected OnTick --> [PtyClient] --> NextInput NextEvent TakeCast
//
// Ordering:  input leaves in order and again until it is taken, the same bytes each time. Events come in the order in which the
//            terminal showed them.
// Limits:    kMaxUntakenBytes typed and not taken: then wants_keys() says no. A record is sent again after two round
//            trips, 500 ms at least, twice as long each time up to 8 s.
// Ownership: owns its key; borrows crypto and sealing.
// Threading: thread-compatible.
// Errors:    OnOutput(): kDenied: not what this agent sealed; kCorrupt: what no agent says. Nothing goes on after it.
// Design:    docs/decisions/0110-terminals-are-sealed.md
#pragma once

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
#include "holdfast/api/v1/api.pb.h"

namespace holdfast::sdk {

class PtyClient {
 public:
  static constexpr std::size_t kMaxUntakenBytes = std::size_t{64} * 1024;
  static constexpr Duration kPresence = std::chrono::seconds(10);
  // The agent stops at four times this.
  static constexpr std::uint64_t kSeenEveryBytes = std::uint64_t{32} * 1024;
  static constexpr Duration kLeastPatience = std::chrono::milliseconds(500);
  static constexpr Duration kMostPatience = std::chrono::seconds(8);
  static constexpr int kMaxRecordsPerInput = 32;  // api.proto

  struct Session {
    Digest command;
    AgentId agent;
    pty::Size size;
    std::string term;
  };
  PtyClient(const sign::Crypto& crypto, const sign::Sealing& sealing,
            std::unique_ptr<sign::AgreementKey> key, Session session, TimePoint now);

  // The next bytes of the command's output.
  Status OnOutput(std::string_view bytes, TimePoint now);
  void Type(std::string_view keys);
  void Resize(pty::Size size);
  void HangUp();
  // The connection is there (again): what was not taken may have been lost.
  void OnConnected();
  void OnTick(TimePoint now);

  std::optional<::holdfast::api::v1::PtyInput> NextInput(TimePoint now);
  struct Event {
    bool is_notice = false;  // the agent's own words; else bytes for the terminal
    std::string data;
  };
  std::optional<Event> NextEvent();
  std::string TakeCast();  // to be appended to the recording
  void Close();            // the last of the recording

  bool is_open() const { return keys_.has_value(); }
  bool wants_keys() const { return untaken_bytes_ < kMaxUntakenBytes; }
  bool all_taken() const { return waiting_.empty(); }
  TimePoint NextDeadline() const;
  Digest cast_sha256() const { return cast_sha256_; }
  std::uint64_t cast_bytes() const { return cast_bytes_; }

 private:
  struct Waiting {
    pty::InputRecord record;
    std::string sealed;  // once it has been
    std::optional<TimePoint> sent_at;
    bool is_again = false;  // how long it took says nothing
  };
  Status OnKey(std::string_view envelope);
  Status OnRecord(std::string_view sealed, TimePoint now);
  void OnTaken(std::uint64_t taken, TimePoint now);
  void Add(pty::InputRecord record);
  void Record(std::string_view text);
  Duration Patience() const;

  const sign::Crypto& crypto_;
  const sign::Sealing& sealing_;
  const std::unique_ptr<sign::AgreementKey> key_;
  const Session session_;
  std::optional<pty::SessionKeys> keys_;
  pty::SealedFrames frames_;
  std::uint64_t next_output_ = 0;
  std::deque<Event> events_;
  pty::Asciicast cast_;
  std::unique_ptr<sign::Hasher> cast_hash_;
  Digest cast_sha256_;
  std::uint64_t cast_bytes_ = 0;
  std::string cast_text_;
  std::uint64_t shown_bytes_ = 0;
  std::uint64_t told_shown_bytes_ = 0;

  std::deque<Waiting> waiting_;   // from next_taken_ on
  std::uint64_t next_taken_ = 0;  // number of waiting_.front()
  std::size_t next_unsent_ = 0;   // in waiting_
  std::size_t untaken_bytes_ = 0;
  Duration patience_ = kLeastPatience;
  int doublings_ = 0;
  TimePoint said_at_;  // something, anything
};

}  // namespace holdfast::sdk
