// Running: what happens to a command once it is journaled: fetch, wait, run, end.
//
// isolate and release are Isolation's to do; they wait for no place among the workers. An update is fetched and looked at by
// a worker like others, and then Updates': before the program is replaced what runs is waited for, and nothing begins.
// Starts workers, feeds their output into the answer, keeps their limits, ends them, and signs and
// journals the outcome.
//
//   Accept Cancel OnWorker* OnBlob OnTick --> [Running] --> Workers, Journal, AnswerStream
//
// Ordering:  a worker is spawned only after STARTED is durable; a Final exists only after its
// result is
//            durable; CANCELLED only after every process of the worker is gone.
// Limits:    kMaxRunningWorkers at once, and kMaxTerminals beside them, each with at most one chunk in memory; wall and output limits of
//            each command.
// Ownership: borrows Parts, Identity, the table and the log.
// Threading: thread-compatible; loop thread only.
// Errors:    a journal or spool that refuses is asked again every kRetry while a command waits for it.
//            A full disk pauses a running command: its worker is not read until there is room. The wall
//            limit goes on meanwhile.
// Design:    docs/protocol.md 4; agent/core/open_command.h has the phases
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "agent/core/identity.h"
#include "agent/core/isolation.h"
#include "agent/core/log_queue.h"
#include "agent/core/moment.h"
#include "agent/core/open_command.h"
#include "agent/core/updates.h"
#include "agent/core/worker_messages.h"
#include "holdfast/link/v1/link.pb.h"

namespace holdfast::agent {

class Running {
 public:
  static constexpr Duration kRetry = std::chrono::seconds(2);  // a full disk is not freed faster

  Running(const Parts& parts, const Identity& identity, CommandTable& table, Isolation& isolation,
          Updates& updates, LogQueue& log)
      : parts_(parts),
        identity_(identity),
        table_(table),
        isolation_(isolation),
        updates_(updates),
        log_(log) {}

  // Whether Accept() would start it in the same breath: then one commit says Received and Started.
  bool BeginsAtOnce(const ::holdfast::command::v1::Command& parsed) const;
  // Received is durable and in the stream, and Started if `is_begun`: goes on from there.
  void Accept(OpenCommand& command, const ::holdfast::command::v1::Command& parsed, Moment at);
  // Ends a command that has no live worker.
  void End(OpenCommand& command, Ending ending, Moment at);
  // The same under a new attempt without output: what was sent of this one cannot be continued.
  void EndAnew(OpenCommand& command, Ending ending, Moment at);
  // The stream's output can no longer be read: report that instead of it.
  void LoseOutput(OpenCommand& command, const Error& why, Moment at);
  // Control has ended it by itself and takes nothing more of it: nobody will read what it still says. Its Final
  // is made all the same, and answered like any that is repeated.
  void StopUnheard(OpenCommand& command);
  // Control has more of it than this journal, up to `attempt`: it ran in a time that was taken back.
  void LosePlace(OpenCommand& command, std::uint32_t attempt, Moment at);

  // What was typed into a terminal; dropped if it has no room or does not run: it is sent again.
  void OnPtyInput(const ::holdfast::link::v1::PtyInput& input);

  void OnWorkerMessage(WorkerId id, WorkerMessageType type, std::string_view payload, Moment at);
  // The worker broke the framing of its pipe.
  void OnWorkerBroken(WorkerId id, const Error& why);
  void OnWorkerGone(WorkerId id, const WorkerEnd& end, Moment at);
  void OnBlob(OpenCommand& command, Moment at);  // its fetch has changed state
  // Ends what Isolation or Updates have a verdict on.
  void TakeVerdicts(Moment at);
  void OnTick(Moment at);

  bool WantsOutput(WorkerId id) const;
  std::optional<TimePoint> NextDeadline() const;

 private:
  void StartQueued(Moment at);
  bool EndIfExpired(OpenCommand& command, Moment at);
  bool Start(OpenCommand& command, Moment at);
  bool HasPlaceFor(const OpenCommand& command) const;
  bool HasPlace(bool is_pty) const;
  void StartOwn(OpenCommand& command, Moment at);
  void AcceptUpdate(OpenCommand& command, const ::holdfast::command::v1::Command& parsed,
                    Moment at);
  void BeginFetch(OpenCommand& command, const BlobFetch::Blob& blob, Moment at);
  void PushUpdate(Moment at);
  bool IsOnTrial(const OpenCommand& command) const {
    return command.is_update && updates_.is_on_trial() && updates_.has_ended_us(command.digest);
  }
  void Cancel(OpenCommand& canceller, Moment at);
  void Stop(OpenCommand& command, Ending ending);
  void ReplaceStream(OpenCommand& command, Ending ending, Moment at);
  void TakeOutput(OpenCommand& command, std::string_view data, Moment at);
  void TakeHeldOutput(OpenCommand& command, Moment at);
  void DropHeldOutput(OpenCommand& command);
  bool IsHeldBack() const;
  void RecordEnd(OpenCommand& command, Moment at);
  Status WriteEnd(OpenCommand& command);
  OpenCommand* FindWorker(WorkerId id) const;
  void TakeSessionKey(OpenCommand& command, std::string_view key, Moment at);
  std::size_t CountRunning() const;
  std::size_t CountTerminals() const;

  const Parts& parts_;
  const Identity& identity_;
  CommandTable& table_;
  Isolation& isolation_;
  Updates& updates_;
  LogQueue& log_;
  std::uint32_t next_worker_ = 1;
  TimePoint looked_at_{};  // for room, of the last tick
};

}  // namespace holdfast::agent
