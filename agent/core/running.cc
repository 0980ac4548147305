#include "agent/core/running.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "agent/core/limits.h"
#include "agent/core/results.h"
#include "common/sign/strict.h"

namespace holdfast::agent {
namespace {

using ::holdfast::command::v1::Command;
using Phase = OpenCommand::Phase;
namespace v1 = ::holdfast::command::v1;

Ending Failed(v1::CommandFailure failure, std::string message) {
  return {v1::OUTCOME_FAILED, failure, std::move(message)};
}

Ending Cancelled() {
  return {v1::OUTCOME_CANCELLED, v1::COMMAND_FAILURE_CANCELLED, "cancelled by an operator"};
}

// As control words it when it is the one who notices (docs/decisions/0042).
Ending SetBack() {
  return {v1::OUTCOME_INTERRUPTED, v1::COMMAND_FAILURE_JOURNAL_LOST,
          "the agent's journal was set back: what it did with the command is not known"};
}

bool IsWaiting(const OpenCommand& command) {
  const bool has_not_begun = command.phase == Phase::kFetching || command.phase == Phase::kQueued;
  return has_not_begun && !command.cancels;
}

bool HasLiveWorker(const OpenCommand& command) {
  return command.phase == Phase::kRunning || command.phase == Phase::kStopping;
}

// What the worker's end means when warden did not bring it about.
Ending EndingOf(const OpenCommand& command, const WorkerEnd& end) {
  if (command.last_word) {
    const auto& said = *command.last_word;
    if (said.outcome() == v1::OUTCOME_DONE && said.failure() == v1::COMMAND_FAILURE_UNSPECIFIED) {
      return {v1::OUTCOME_DONE, said.failure(), said.message()};
    }
    if (said.outcome() == v1::OUTCOME_FAILED && said.failure() != v1::COMMAND_FAILURE_UNSPECIFIED) {
      return Failed(said.failure(), said.message());
    }
    return Failed(v1::COMMAND_FAILURE_WORKER_DIED, "the worker's last word made no sense");
  }
  if (end.memory_limit) {
    return Failed(v1::COMMAND_FAILURE_MEMORY_LIMIT, "its programs together took more than " +
                                                        std::to_string(command.limits.mem_bytes) +
                                                        " bytes of memory");
  }
  if (end.process_limit) {
    return Failed(v1::COMMAND_FAILURE_PROCESS_LIMIT,
                  "more than " + std::to_string(command.limits.processes) + " processes at once");
  }
  if (end.cpu_limit) {
    return Failed(v1::COMMAND_FAILURE_CPU_LIMIT,
                  "more than " + std::to_string(command.limits.cpu.count()) + " ms of CPU");
  }
  if (end.signal != 0) {
    return Failed(v1::COMMAND_FAILURE_WORKER_DIED,
                  "the worker was ended by signal " + std::to_string(end.signal));
  }
  return Failed(v1::COMMAND_FAILURE_WORKER_DIED,
                "the worker exited with status " + std::to_string(end.exit_status));
}

// The content that must be here before the verb can run.
bool NeedsBlob(const Command& parsed) {
  return (parsed.has_put() || parsed.has_run() || parsed.has_scan()) && parsed.blobs_size() > 0;
}

}  // namespace

void Running::Accept(OpenCommand& command, const Command& parsed, Moment at) {
  if (parsed.has_cancel()) {
    command.cancels = Digest::From(parsed.cancel().digest());
    return Cancel(command, at);
  }
  command.phase = Phase::kQueued;
  if (parsed.has_update()) return AcceptUpdate(command, parsed, at);
  if (NeedsBlob(parsed)) {
    const auto& blob = parsed.blobs(0);
    const auto sha256 = Digest::From(blob.sha256());
    if (!sha256 || blob.size() > kMaxBlobBytes) {
      return End(command, Failed(v1::COMMAND_FAILURE_BAD_ARGUMENT, "the blob is too large"), at);
    }
    return BeginFetch(command, {*sha256, blob.size()}, at);
  }
  StartQueued(at);
  if (IsWaiting(command)) EndIfExpired(command, at);
}

void Running::BeginFetch(OpenCommand& command, const BlobFetch::Blob& blob, Moment at) {
  command.phase = Phase::kFetching;
  command.blob = std::make_unique<BlobFetch>(parts_.crypto, parts_.spool, command.digest, blob);
  if (EndIfExpired(command, at)) return;
  OnBlob(command, at);
}

void Running::AcceptUpdate(OpenCommand& command, const Command& parsed, Moment at) {
  const WallTime wall{std::max(at.wall.get(), parts_.journal.meta().time_floor.get())};
  auto answer = updates_.Consider(command.digest, parsed, wall);
  if (auto* ending = std::get_if<Ending>(&answer)) return End(command, std::move(*ending), at);
  if (const auto* fetch = std::get_if<Updates::Fetch>(&answer)) {
    // A server that lets it trickle must not keep an endpoint from the next one.
    command.wall_deadline = at.now + command.limits.wall;
    return BeginFetch(command, {fetch->sha256, fetch->size}, at);
  }
  // The program is here already, and is what runs: its time to begin is no question any more.
  command.not_after = WallTime(std::numeric_limits<std::uint64_t>::max());
  StartQueued(at);
}

// Before the program is replaced what runs here ends, in its time.
void Running::PushUpdate(Moment at) {
  const auto staged = updates_.staged();
  OpenCommand* update = staged ? FindCommand(table_, *staged) : nullptr;
  if (update == nullptr) return;
  bool is_busy = false;
  bool may_not_end = false;
  for (const auto& command : table_) {
    const bool is_under_way = HasLiveWorker(*command) || command->phase == Phase::kJudging ||
                              command->phase == Phase::kEnding;
    if (!is_under_way || command.get() == update) continue;
    is_busy = true;
    may_not_end = may_not_end || !command->is_idempotent;
  }
  if (is_busy && at.now < updates_.patience_until()) return;
  if (may_not_end) {
    return End(
        *update,
        Failed(v1::COMMAND_FAILURE_BUSY, "a command that may not run twice did not end within " +
                                             std::to_string(kUpdatePatience.count() / 1000) + " s"),
        at);
  }
  if (auto begun = updates_.BeginTrial(); !begun.ok()) {
    End(*update, Failed(v1::COMMAND_FAILURE_IO, begun.error().message), at);
  }
}

void Running::OnBlob(OpenCommand& command, Moment at) {
  if (command.phase != Phase::kFetching) return;
  switch (command.blob->state()) {
    case BlobFetch::State::kFetching:
      // Others wait for room; an agent that is to be replaced says at once why it is not.
      if (!command.is_update || !command.blob->is_short_of_room()) return;
      return End(command,
                 Failed(v1::COMMAND_FAILURE_IO,
                        "no room for the new program on the disk of the state directory"),
                 at);
    case BlobFetch::State::kComplete: command.phase = Phase::kQueued; return StartQueued(at);
    case BlobFetch::State::kMissing:
      return End(command, Failed(v1::COMMAND_FAILURE_BLOB_MISSING, "control lacks the blob"), at);
    case BlobFetch::State::kWrongBytes:
      return End(command, Failed(v1::COMMAND_FAILURE_BLOB_CORRUPT, "the blob has another SHA-256"),
                 at);
    case BlobFetch::State::kDisk:
      return End(command, Failed(v1::COMMAND_FAILURE_IO, "cannot write the blob to disk"), at);
  }
}

// Also while it fetches or waits for a place: nobody is served by it any longer.
bool Running::EndIfExpired(OpenCommand& command, Moment at) {
  const std::uint64_t wall = std::max(at.wall.get(), parts_.journal.meta().time_floor.get());
  if (wall > command.not_after.get()) {
    // EXPIRED says that it did not run: an attempt before this one did.
    const bool has_run = command.stream->key().attempt > 1;
    End(command,
        has_run ? Ending{v1::OUTCOME_INTERRUPTED, v1::COMMAND_FAILURE_INTERRUPTED,
                         "interrupted, and expired before it could run again"}
                : Ending{v1::OUTCOME_EXPIRED, v1::COMMAND_FAILURE_EXPIRED,
                         "expired before it could start"},
        at);
    return true;
  }
  // An hour at most: the wall clock may be set meanwhile.
  const std::uint64_t left = std::min<std::uint64_t>(command.not_after.get() - wall + 1, 3'600'000);
  command.expires_at = at.now + Duration(static_cast<std::int64_t>(left));
  return false;
}

bool Running::BeginsAtOnce(const Command& parsed) const {
  if (IsOwn(parsed)) return true;
  if (parsed.has_update() || updates_.staged() || updates_.wants_restart()) return false;
  // A terminal that waits for a place keeps no worker's place.
  return !parsed.has_cancel() && !NeedsBlob(parsed) && HasPlace(parsed.has_pty()) &&
         std::none_of(table_.begin(), table_.end(), [&](const auto& command) {
           return command->phase == Phase::kQueued && command->is_pty == parsed.has_pty();
         });
}

void Running::StartQueued(Moment at) {
  PushUpdate(at);
  for (const auto& command : table_) {
    if (command->phase != Phase::kQueued || command->cancels || !HasPlaceFor(*command)) continue;
    if (command->awaits_ack && !command->is_idempotent) continue;
    if (command->retry_at && at.now < *command->retry_at) continue;
    if (!Start(*command, at)) return;
  }
}

bool Running::HasPlaceFor(const OpenCommand& command) const {
  if (command.is_own || IsOnTrial(command)) return true;
  if (updates_.staged() || updates_.wants_restart()) return false;
  return HasPlace(command.is_pty);
}

bool Running::HasPlace(bool is_pty) const {
  return is_pty ? CountTerminals() < kMaxTerminals : CountRunning() < kMaxRunningWorkers;
}

// False: the journal refuses, and will refuse the next one too.
bool Running::Start(OpenCommand& command, Moment at) {
  command.retry_at.reset();
  const auto attempt = command.stream->key().attempt;
  if (!command.is_begun) {
    if (EndIfExpired(command, at)) return true;
    if (auto stored = parts_.journal.SetStarted(command.digest, attempt, at.wall); !stored.ok()) {
      log_.Add(LogLine(LogLevel::kError, "journal_refuses").Err(stored.error()));
      command.retry_at = at.now + kRetry;
      return false;
    }
  }
  command.started_at = at.wall;
  HF_CHECK(command.stream->AddStarted(at.wall).ok());
  command.hash = parts_.crypto.NewSha256();
  if (command.is_own || IsOnTrial(command)) {
    StartOwn(command, at);
    return true;
  }
  WorkerStart start;
  start.id = WorkerId(next_worker_++);
  start.command = std::exchange(command.payload, {});
  if (command.blob) start.blob_path = parts_.spool.BlobPath(command.digest);
  start.cpu = command.limits.cpu;
  start.mem_bytes = command.limits.mem_bytes;
  start.processes = command.limits.processes;
  start.has_children = command.has_children;
  start.takes_input = command.is_pty;
  if (auto spawned = parts_.workers.Spawn(start); !spawned.ok()) {
    End(command,
        Failed(v1::COMMAND_FAILURE_WORKER_DIED,
               "cannot start a worker: " + spawned.error().message),
        at);
    return true;
  }
  command.worker = start.id;
  command.phase = Phase::kRunning;
  command.wall_deadline = at.now + command.limits.wall;
  log_.Add(LogLine(LogLevel::kInfo, "command_started")
               .Id("digest", command.digest.hex())
               .Num("attempt", attempt));
  return true;
}

// Started is in its stream and not yet on its way: what control acknowledges of it was sent under the rules.
void Running::StartOwn(OpenCommand& command, Moment at) {
  command.phase = Phase::kJudging;
  const auto parsed = sign::ParseCommand(std::exchange(command.payload, {}));
  HF_CHECK(parsed.ok());  // it was parsed before it came here
  if (parsed.value().has_update()) {
    // Its verdict comes with the proof.
  } else if (parsed.value().has_isolate()) {
    isolation_.Isolate(command.digest, parsed.value().isolate(), at);
  } else {
    isolation_.Release(command.digest, at);
  }
  TakeVerdicts(at);
}

void Running::TakeVerdicts(Moment at) {
  const auto take = [&](std::pair<Digest, Ending> verdict) {
    OpenCommand* command = FindCommand(table_, verdict.first);
    if (command != nullptr && command->phase == Phase::kJudging) {
      End(*command, std::move(verdict.second), at);
    }
  };
  while (auto verdict = isolation_.NextVerdict()) take(*std::move(verdict));
  while (auto verdict = updates_.NextVerdict()) take(*std::move(verdict));
}

void Running::Cancel(OpenCommand& canceller, Moment at) {
  canceller.phase = Phase::kQueued;  // not for a worker: waits for the other's end
  const auto done = [&](std::string message) {
    End(canceller, {v1::OUTCOME_DONE, v1::COMMAND_FAILURE_UNSPECIFIED, std::move(message)}, at);
  };
  if (!canceller.cancels) {
    return End(canceller, Failed(v1::COMMAND_FAILURE_BAD_ARGUMENT, "it names no command"), at);
  }
  OpenCommand* target = FindCommand(table_, *canceller.cancels);
  if (target == nullptr) {
    // Nothing of it runs here, which is what was asked for.
    const auto known = parts_.journal.Find(*canceller.cancels);
    const bool has_ended = known.ok() && known.value();
    return done(has_ended ? "it had ended already" : "it is not here: nothing to cancel");
  }
  if (target->phase == Phase::kEnding || target->phase == Phase::kAnswered) {
    return done("it had ended already");
  }
  target->cancelled_by.push_back(canceller.digest);
  if (HasLiveWorker(*target)) return Stop(*target, Cancelled());
  End(*target, Cancelled(), at);
}

void Running::Stop(OpenCommand& command, Ending ending) {
  if (!command.ending) command.ending = std::move(ending);
  command.phase = Phase::kStopping;
  command.wall_deadline.reset();
  DropHeldOutput(command);
  // What it had written and we had not read goes with it.
  if (!command.last_word) command.is_truncated = true;
  parts_.workers.Kill(*command.worker);
}

void Running::StopUnheard(OpenCommand& command) {
  if (command.phase != Phase::kRunning) return;
  log_.Add(LogLine(LogLevel::kWarn, "ended_by_control").Id("digest", command.digest.hex()));
  Stop(command, {v1::OUTCOME_INTERRUPTED, v1::COMMAND_FAILURE_INTERRUPTED, "control had ended it"});
}

void Running::OnWorkerMessage(WorkerId id, WorkerMessageType type, std::string_view payload,
                              Moment at) {
  OpenCommand* command = FindWorker(id);
  if (command == nullptr || command->phase != Phase::kRunning || command->last_word) return;
  HF_CHECK(command->held.empty());  // WantsOutput() said no
  if (type == WorkerMessageType::kOutput) {
    TakeOutput(*command, payload, at);
    if (command->held.empty()) return;
    log_.Add(LogLine(LogLevel::kWarn, "output_waits_for_room").Id("digest", command->digest.hex()));
    return;
  }
  if (type == WorkerMessageType::kSessionKey) return TakeSessionKey(*command, payload, at);
  auto said = LastWordFrom(payload);
  if (!said) {
    return Stop(*command, Failed(v1::COMMAND_FAILURE_WORKER_DIED, "a last word that is no result"));
  }
  command->last_word = std::move(said);
}

void Running::TakeOutput(OpenCommand& command, std::string_view data, Moment at) {
  const std::uint64_t before = command.stream->output_bytes();
  const std::uint64_t room = command.limits.out_bytes - before;
  const bool is_over = data.size() > room;
  const auto wanted =
      data.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(room, data.size())));
  const Status added = wanted.empty() ? Ok() : command.stream->AddChunk(wanted);
  const auto taken = static_cast<std::size_t>(command.stream->output_bytes() - before);
  command.hash->Update(wanted.substr(0, taken));
  if (!added.ok() && added.error().code == Code::kExhausted) {
    command.held = data.substr(taken);
    command.retry_at = at.now + kRetry;
    return;
  }
  if (!added.ok()) {
    command.is_truncated = true;
    return Stop(command, Failed(v1::COMMAND_FAILURE_IO, "spool: " + added.error().message));
  }
  if (!is_over) return;
  command.is_truncated = true;
  Stop(command,
       Failed(v1::COMMAND_FAILURE_OUTPUT_LIMIT,
              "more than " + std::to_string(command.limits.out_bytes) + " bytes of output"));
}

void Running::TakeHeldOutput(OpenCommand& command, Moment at) {
  const std::string held = std::exchange(command.held, {});
  command.retry_at.reset();
  TakeOutput(command, held, at);
  if (!command.held.empty()) return;
  log_.Add(LogLine(LogLevel::kInfo, "output_goes_on").Id("digest", command.digest.hex()));
}

// The command ends before there was room for it.
void Running::DropHeldOutput(OpenCommand& command) {
  if (command.held.empty()) return;
  command.held = {};
  command.retry_at.reset();
  command.is_truncated = true;
}

void Running::OnWorkerBroken(WorkerId id, const Error& why) {
  OpenCommand* command = FindWorker(id);
  if (command == nullptr || command->phase != Phase::kRunning) return;
  Stop(*command, Failed(v1::COMMAND_FAILURE_WORKER_DIED, "the worker's pipe: " + why.message));
}

void Running::OnWorkerGone(WorkerId id, const WorkerEnd& end, Moment at) {
  OpenCommand* command = FindWorker(id);
  if (command == nullptr) return;
  command->worker.reset();
  command->wall_deadline.reset();
  DropHeldOutput(*command);
  Ending ending = command->ending ? *command->ending : EndingOf(*command, end);
  if (command->output_lost) return EndAnew(*command, std::move(ending), at);
  if (command->is_update && ending.outcome == v1::OUTCOME_DONE) {
    command->phase = Phase::kJudging;
    command->blob.reset();  // a copy of it has its place
    parts_.spool.BlobRemove(command->digest);
    updates_.OnStaged(command->digest, at);
    return StartQueued(at);
  }
  End(*command, std::move(ending), at);
}

void Running::EndAnew(OpenCommand& command, Ending ending, Moment at) {
  parts_.spool.Remove(command.stream->key());
  const std::uint32_t last = std::max(command.stream->key().attempt, command.attempt_elsewhere);
  const StreamKey key{command.digest, last + 1};
  const bool was_linked = command.stream->is_linked();
  command.stream = std::make_unique<AnswerStream>(key, parts_.spool);
  if (was_linked) command.stream->OnLinkUp(at.now);
  command.hash.reset();
  End(command, std::move(ending), at);
}

void Running::LoseOutput(OpenCommand& command, const Error& why, Moment at) {
  if (command.output_lost) return;
  log_.Add(LogLine(LogLevel::kError, "output_lost").Id("digest", command.digest.hex()).Err(why));
  ReplaceStream(command,
                Failed(v1::COMMAND_FAILURE_IO, "the output was lost on disk: " + why.message), at);
}

void Running::LosePlace(OpenCommand& command, std::uint32_t attempt, Moment at) {
  if (command.output_lost) return;
  command.attempt_elsewhere = attempt;
  ReplaceStream(command, SetBack(), at);
}

void Running::ReplaceStream(OpenCommand& command, Ending ending, Moment at) {
  command.output_lost = true;
  if (command.phase == Phase::kRunning) return Stop(command, std::move(ending));
  if (command.phase == Phase::kStopping) {
    command.ending = std::move(ending);
    return;
  }
  EndAnew(command, std::move(ending), at);
}

void Running::End(OpenCommand& command, Ending ending, Moment at) {
  HF_CHECK(!command.worker);
  if (command.phase == Phase::kJudging) isolation_.Withdraw(command.digest, at);
  if (command.is_update) updates_.Withdraw(command.digest);
  command.wall_deadline.reset();
  if (!command.hash) command.hash = parts_.crypto.NewSha256();
  const Digest sha256 = command.hash->Finish();
  command.hash.reset();
  auto envelope = SignResult(parts_, command, {identity_.id, ending, sha256, at.wall});
  // The key is in memory and was tried at start: signing fails only if memory does.
  HF_CHECK(envelope.ok());
  command.result_envelope = std::move(envelope).value();
  command.phase = Phase::kEnding;
  command.payload = {};
  command.blob.reset();
  parts_.spool.BlobRemove(command.digest);
  log_.Add(LogLine(LogLevel::kInfo, "command_ended")
               .Id("digest", command.digest.hex())
               .Num("outcome", ending.outcome)
               .Num("failure", ending.failure)
               .Num("bytes", static_cast<std::int64_t>(command.stream->output_bytes()))
               .Text("message", Untrusted(ending.message)));
  RecordEnd(command, at);
}

Status Running::WriteEnd(OpenCommand& command) {
  if (!command.is_journaled) return Ok();
  const std::string inline_output = command.stream->InlineOutput();
  return parts_.journal.SetDone(command.digest,
                                {command.stream->key().attempt, command.stream->chunks(),
                                 command.result_envelope, inline_output});
}

void Running::RecordEnd(OpenCommand& command, Moment at) {
  if (const Status synced = command.is_journaled ? command.stream->Sync() : Ok(); !synced.ok()) {
    if (synced.error().code == Code::kCorrupt) return LoseOutput(command, synced.error(), at);
    log_.Add(LogLine(LogLevel::kError, "spool_refuses").Err(synced.error()));
    command.retry_at = at.now + kRetry;
    return;
  }
  if (auto written = WriteEnd(command); !written.ok()) {
    log_.Add(LogLine(LogLevel::kError, "journal_refuses").Err(written.error()));
    // A refusal is said at once all the same: its row alone keeps it from ever running.
    if (!command.is_refusal) {
      command.retry_at = at.now + kRetry;
      return;
    }
  }
  command.retry_at.reset();
  HF_CHECK(command.stream->AddFinal(std::exchange(command.result_envelope, {})).ok());
  command.phase = Phase::kAnswered;
  for (const Digest& digest : std::exchange(command.cancelled_by, {})) {
    OpenCommand* canceller = FindCommand(table_, digest);
    if (canceller == nullptr || canceller->phase != Phase::kQueued) continue;
    End(*canceller, {v1::OUTCOME_DONE, v1::COMMAND_FAILURE_UNSPECIFIED, "cancelled"}, at);
  }
  StartQueued(at);
}

void Running::OnTick(Moment at) {
  looked_at_ = at.now;
  for (const auto& command : table_) {
    if (command->wall_deadline && at.now >= *command->wall_deadline) {
      const std::string most = std::to_string(command->limits.wall.count()) + " ms";
      if (HasLiveWorker(*command)) {
        Stop(*command, Failed(v1::COMMAND_FAILURE_WALL_LIMIT, "ran longer than " + most));
      } else {
        End(*command,
            Failed(v1::COMMAND_FAILURE_WALL_LIMIT, "its content did not come within " + most), at);
        continue;
      }
    }
    if (IsWaiting(*command) && EndIfExpired(*command, at)) continue;
    if (command->phase == Phase::kEnding && command->retry_at && at.now >= *command->retry_at) {
      RecordEnd(*command, at);
    }
    if (!command->held.empty() && at.now >= *command->retry_at) TakeHeldOutput(*command, at);
  }
  StartQueued(at);
}

bool Running::WantsOutput(WorkerId id) const {
  const OpenCommand* command = FindWorker(id);
  if (command == nullptr || command->phase != Phase::kRunning) return true;  // drained, dropped
  return command->held.empty() && command->stream->wants_output() && !parts_.spool.full();
}

// Output would be taken if the spool had room.
bool Running::IsHeldBack() const {
  return std::any_of(table_.begin(), table_.end(), [&](const auto& command) {
    return command->phase == Phase::kRunning && command->stream->wants_output() &&
           parts_.spool.full();
  });
}

std::optional<TimePoint> Running::NextDeadline() const {
  std::optional<TimePoint> soonest;
  const auto consider = [&](const std::optional<TimePoint>& at) {
    if (at && (!soonest || *at < *soonest)) soonest = at;
  };
  for (const auto& command : table_) {
    consider(command->wall_deadline);
    // One that waits for a place is not looked at before there is one.
    if (command->phase != Phase::kQueued || HasPlaceFor(*command)) consider(command->retry_at);
    consider(command->give_up_at);
    if (IsWaiting(*command)) consider(command->expires_at);
  }
  // Room comes back without a word when it is others who make it.
  if (IsHeldBack()) consider(looked_at_ + kRetry);
  return soonest;
}

OpenCommand* Running::FindWorker(WorkerId id) const {
  for (const auto& command : table_) {
    if (command->worker == id) return command.get();
  }
  return nullptr;
}

std::size_t Running::CountRunning() const {
  return static_cast<std::size_t>(std::count_if(
      table_.begin(), table_.end(), [](const auto& c) { return HasLiveWorker(*c) && !c->is_pty; }));
}

}  // namespace holdfast::agent
