// StreamReceiver: control's end of one command's numbered stream of records.
//
// Says of each record whether to store it, and what to acknowledge once it is stored. One object
// per open (command, agent); rebuilt from the ledger row after a restart.
//
//   OnRecord OnDurable OnSync --> [StreamReceiver] --> TakeAck
//
// A gap asks for a rewind once, until it closes: further records of the same flight would only ask
// for the same again. If that one Ack is lost, the sender goes back by itself after kAckTimeout.
//
// Ordering:  kStore only for the next number; an Ack covers only what OnDurable() said. The caller
// adds
//            `complete` to the Ack that covers the Final, and to every later one of that stream.
// Limits:    holds no bytes; at most `window` of records can be between kStore and OnDurable().
// Threading: thread-compatible; loop thread only.
// Errors:    none: what a peer does wrong is a verdict.
// Design:    docs/protocol.md, "Streams"
#pragma once

#include <cstdint>
#include <optional>

namespace holdfast::link {

class StreamReceiver {
 public:
  enum class Verdict : std::uint8_t {
    kStore,       // the next record: store it, then OnDurable()
    kNewAttempt,  // first record of a later attempt: drop what was stored of the one before, store
                  // it
    kDuplicate,   // seen: nothing to do, an ack is owed
    kGap,         // one before it is missing: drop it, an ack with rewind is owed
    kStale,       // of an earlier attempt: drop it
  };
  struct Position {
    std::uint32_t attempt = 0;   // 0: nothing received yet
    std::uint64_t next_seq = 0;  // first record not on disk
  };
  struct Ack {
    std::uint32_t attempt;
    std::uint64_t next_seq;
    bool rewind;
  };

  explicit StreamReceiver(Position durable)
      : durable_(durable), received_(durable), peer_attempt_(durable.attempt) {}

  Verdict OnRecord(std::uint32_t attempt, std::uint64_t seq);
  // Everything that kStore and kNewAttempt were said of is on disk.
  void OnDurable();
  // The agent asks where the stream stands. Answered even if nothing is new.
  void OnSync(std::uint32_t attempt);
  // Records not yet durable are gone (a failed write): expect them again.
  void OnLost();
  // The Ack owed now, if any; calling it spends it.
  std::optional<Ack> TakeAck();

  Position durable() const { return durable_; }

 private:
  Position durable_;
  Position received_;
  std::uint32_t peer_attempt_;  // the latest that the agent spoke of
  bool owe_ack_ = false;
  bool owe_rewind_ = false;
  bool gap_told_ = false;  // a rewind was asked for and nothing was stored since
};

}  // namespace holdfast::link
