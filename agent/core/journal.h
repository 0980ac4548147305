// Journal: what the agent must not forget, and the only proof that a command has not run before.
//
// A port: agent/adapters/sqlite implements it on a disk, tests/support/fake_journal.h in memory
// with a disk that forgets. Every change is on stable storage when the call returns Ok, and not at
// all visible later when it does not: callers acknowledge, run and send only after Ok.
//
//   Received -> Started -> Done -> Forgotten (a tombstone until not_after + 24 h)
//
// Ordering:  changes become durable in the order of the calls.
// Limits:    kMaxJournalRows; above it Insert() is refused.
// Threading: loop thread only.
// Errors:    kExists: the command id is there (Insert). kNotFound: no such row. kExhausted: too many rows,
//            or the disk is full; kUnavailable: it refuses otherwise. Nothing was written; the journal has
//            reopened and checked itself, or will at the next call. kCorrupt: see is_trustworthy().
// Design:    docs/decisions/0014-the-journal-seals-its-rows.md
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/time.h"

namespace holdfast::agent {

struct JournalMeta {
  Nonce16 incarnation;             // new whenever the journal had to be made anew
  WallTime birth{0};               // commands issued before it are refused: they may have run
  std::uint64_t epoch = 0;         // of the last Hello
  std::optional<Nonce16> contact;  // from the last Welcome
  WallTime time_floor{0};  // it is later than this: signed times that this clock had reached
  bool is_clean = false;   // the last thing written was that the agent ends in an orderly way
};

enum class CommandState : std::uint8_t { kReceived = 1, kStarted = 2, kDone = 3, kForgotten = 4 };

struct JournalCommand {
  Digest digest;
  CommandId command_id;
  CommandState state = CommandState::kReceived;
  std::uint32_t attempt = 1;
  WallTime received_at{0};
  WallTime started_at{0};  // of this attempt; 0 = not started
  WallTime not_after{0};
  std::uint64_t chunk_count = 0;  // Done: chunks before Final
  std::string envelope;           // as delivered; empty in a tombstone
  std::string cert_envelope;      // as delivered; empty in a tombstone
  std::string result_envelope;    // Done: the signed result; empty in a tombstone
  std::string inline_output;      // Done: a small output's unacknowledged chunks (AnswerStream)
  std::uint32_t recoveries = 0;   // starts after an unclean end that found it open
};

// What stays of a command whose answer is nobody's to ask for: that it was here.
inline void MakeTombstone(JournalCommand& row) {
  row.state = CommandState::kForgotten;
  row.envelope.clear();
  row.cert_envelope.clear();
  row.result_envelope.clear();
  row.inline_output.clear();
}

// When a journal that must be made anew begins: by the clock, but never before the program was built or
// the endpoint was enrolled. A clock that starts in 1970 would let in commands that ran before.
inline WallTime JournalBirth(WallTime clock, WallTime built, WallTime enrolled) {
  return WallTime(std::max({clock.get(), built.get(), enrolled.get()}));
}

class Journal {
 public:
  virtual ~Journal() = default;

  virtual const JournalMeta& meta() const = 0;
  // False once a stored byte failed its check: every call fails from then on, and the program must
  // end.
  virtual bool is_trustworthy() const = 0;
  // epoch + 1, durable before it is returned.
  virtual Result<std::uint64_t> NextEpoch() = 0;
  virtual Status SetContact(const Nonce16& contact) = 0;
  // A new incarnation without an open command, born at `birth`; the epoch goes on. What was here stays
  // known, as tombstones: it is the server who asks for this, and it must not make anything run twice.
  virtual Status BeginAnew(WallTime birth) = 0;
  // The agent is about to end; any other write takes it back.
  virtual Status StopCleanly() = 0;

  // kInternal: the row may be on the disk or not, and the next call that works takes it out. Until then
  // nothing may be said of the command: a restart may find it and run it.
  // A new row, Received or Started; raises the time floor to `floor` in the same write.
  virtual Status Insert(const JournalCommand& command, WallTime floor) = 0;
  // One more recovery of each, in one write.
  virtual Status CountRecovery(std::span<const Digest> commands) = 0;
  virtual Status SetStarted(const Digest& digest, std::uint32_t attempt, WallTime started_at) = 0;
  struct Done {
    std::uint32_t attempt = 1;  // a new one begins unstarted
    std::uint64_t chunk_count = 0;
    std::string_view result_envelope;
    std::string_view inline_output;
  };
  virtual Status SetDone(const Digest& digest, const Done& done) = 0;
  // Control has the whole answer: keep a tombstone.
  virtual Status SetForgotten(const Digest& digest) = 0;

  // By the id that the signer chose, and by the true name. Without envelopes and output.
  virtual Result<std::optional<JournalCommand>> FindId(const CommandId& id) = 0;
  virtual Result<std::optional<JournalCommand>> Find(const Digest& digest) = 0;
  // Everything but tombstones, oldest first, whole rows: read once, at start.
  virtual Result<std::vector<JournalCommand>> Open() = 0;
  // Drops tombstones of commands whose not_after + kTombstoneKeep lies before `floor`.
  virtual Status Purge(WallTime floor) = 0;
};

}  // namespace holdfast::agent
