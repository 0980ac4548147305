// OpenCommand: one command between its admission and the acknowledgement of its Final.
//
//   kFetching -> kQueued -> kRunning -> kStopping -> kEnding -> kAnswered
//                      `--> kJudging ------------------^
//
// kFetching: its blob is on the way. kQueued: waits for a worker's place (or the journal).
// kRunning: its worker lives. kStopping: the worker was told to end, or said its last word;
// processes may be left. kJudging: warden's own (isolate, release, and the last part of update), and Isolation or Updates
// have yet to say how it ended. kEnding: the outcome is known and signed, and not yet in the journal.
// kAnswered: the Final waits for control. Each may go to kEnding at once (cancel, expiry, failure
// to start).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/answer_stream.h"
#include "agent/core/blob_fetch.h"
#include "agent/core/limits.h"
#include "agent/core/workers.h"
#include "common/sign/crypto.h"
#include "holdfast/command/v1/result.pb.h"

namespace holdfast::agent {

// Limits of the command with defaults filled in.
struct RunLimits {
  Duration wall = kDefaultWall;
  Duration cpu = kDefaultCpu;
  std::uint64_t out_bytes = kDefaultOutBytes;
  std::uint64_t mem_bytes = kDefaultMemBytes;
  std::uint32_t processes = kDefaultProcesses;
};

// How a command ends, before it is signed.
struct Ending {
  ::holdfast::command::v1::Outcome outcome;
  ::holdfast::command::v1::CommandFailure failure;
  std::string message;
};

struct OpenCommand {
  enum class Phase : std::uint8_t {
    kFetching,
    kQueued,
    kRunning,
    kStopping,
    kJudging,
    kEnding,
    kAnswered
  };

  Digest digest;
  Phase phase = Phase::kQueued;
  bool is_refusal = false;   // never ran and never will: counts against kMaxOpenRefusals
  bool is_journaled = true;  // false: a refusal that lives in memory only
  bool is_idempotent = false;
  bool is_begun = false;  // kQueued: Started is in the journal already
  // From the journal, and control has not yet said what it has of it: until then it does not run, unless it may
  // run twice.
  bool awaits_ack = false;
  bool has_children = false;  // exec: starts other programs
  bool is_pty = false;        // takes input, and no place among the workers
  bool is_own = false;        // isolate, release: warden does it itself, and it waits for no place
  bool is_update = false;     // the program that its worker has looked at is Updates' to start
  std::string payload;        // serialized Command as signed; empty once the worker has it
  RunLimits limits;
  WallTime not_after{0};
  WallTime started_at{0};  // of the last attempt, for the result

  std::unique_ptr<AnswerStream> stream;
  std::unique_ptr<BlobFetch> blob;

  std::optional<WorkerId> worker;
  std::optional<TimePoint> expires_at;  // while it waits: when to look at not_after
  std::optional<TimePoint> wall_deadline;
  std::unique_ptr<sign::Hasher> hash;                        // of the output of this attempt
  std::optional<Ending> ending;                              // decided while processes are left
  std::optional<::holdfast::command::v1::Result> last_word;  // the worker's kExit
  bool is_truncated = false;
  bool output_lost = false;  // the spool failed, or control has another: report without it
  std::uint32_t attempt_elsewhere = 0;  // that control has heard of, and this journal has not
  std::string held;  // kRunning: output that found no room, <= a chunk; its worker waits

  std::string result_envelope;          // kEnding: signed, to be journaled
  std::optional<TimePoint> give_up_at;  // a refusal that nobody may acknowledge
  std::optional<TimePoint> retry_at;    // the journal or spool refused
  std::optional<Digest> cancels;        // this is a cancel of that command
  std::vector<Digest> cancelled_by;     // these wait for its end

  bool is_cancel() const { return cancels.has_value(); }
};

// At most kMaxOpenCommands + kMaxOpenCancels + kMaxOpenRefusals: a list that fits a page is searched faster than
// hashed.
using CommandTable = std::vector<std::unique_ptr<OpenCommand>>;

inline OpenCommand* FindCommand(const CommandTable& table, const Digest& digest) {
  for (const auto& command : table) {
    if (command->digest == digest) return command.get();
  }
  return nullptr;
}

}  // namespace holdfast::agent
