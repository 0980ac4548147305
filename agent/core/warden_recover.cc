// What warden does at its start with what the journal holds.
#include <algorithm>
#include <string>
#include <utility>

#include "agent/core/limits.h"
#include "agent/core/results.h"
#include "agent/core/warden.h"
#include "common/sign/envelope.h"
#include "common/sign/strict.h"

namespace holdfast::agent {

namespace v1 = ::holdfast::command::v1;

Status Warden::Recover(Moment at) {
  isolation_.Recover(at);  // the link process has not been started
  updates_.Recover(at);
  const bool was_orderly = parts_.journal.meta().is_clean;  // any write takes it back
  if (auto purged = parts_.journal.Purge(parts_.journal.meta().time_floor); !purged.ok()) {
    log_.Add(LogLine(LogLevel::kWarn, "journal_refuses").Err(purged.error()));  // the next one will
  }
  HF_ASSIGN_OR_RETURN(std::vector<JournalCommand> rows, parts_.journal.Open());
  // A new program that ends the agent is counted elsewhere, and what was open has nothing to do with it.
  const bool is_updates_doing = std::any_of(rows.begin(), rows.end(), [&](const auto& row) {
    return row.state != CommandState::kDone && updates_.has_ended_us(row.digest);
  });
  if (!was_orderly && !is_updates_doing) CountRecoveries(rows);
  for (const JournalCommand& row : rows) {
    if (row.state == CommandState::kDone) RecoverEnded(row, at);
  }
  for (const JournalCommand& row : rows) {
    if (row.state != CommandState::kDone) RecoverWaiting(row, at);
  }
  running_.TakeVerdicts(at);
  LookAfterReserve(at.now);
  for (const SpooledStream& stream : parts_.spool.Streams()) {
    const OpenCommand* command = FindCommand(table_, stream.key.digest);
    if (command == nullptr || command->stream->key() != stream.key) parts_.spool.Remove(stream.key);
  }
  return Ok();
}

// Before anything is done with them: whatever of it ended the agent is then counted. If that cannot be
// written, nothing of them can start either.
void Warden::CountRecoveries(std::vector<JournalCommand>& rows) {
  std::vector<Digest> open;
  for (JournalCommand& row : rows) {
    if (row.state == CommandState::kDone || row.received_at.get() == 0) continue;
    open.push_back(row.digest);
    ++row.recoveries;
  }
  if (auto counted = parts_.journal.CountRecovery(open); !counted.ok()) {
    log_.Add(LogLine(LogLevel::kError, "journal_refuses").Err(counted.error()));
  }
}

void Warden::RecoverEnded(const JournalCommand& row, Moment at) {
  OpenCommand& command = AddToTable(row.digest, row.attempt, at);
  command.started_at = row.started_at;
  command.not_after = row.not_after;
  command.is_refusal = row.received_at.get() == 0;
  auto stream = AnswerStream::Restore(row, parts_.spool);
  if (!stream.ok()) return running_.LoseOutput(command, stream.error(), at);
  command.stream = std::move(stream).value();
  command.phase = OpenCommand::Phase::kAnswered;
}

void Warden::RecoverWaiting(const JournalCommand& row, Moment at) {
  OpenCommand& command = AddToTable(row.digest, row.attempt, at);
  command.started_at = row.started_at;
  command.not_after = row.not_after;
  const Ending interrupted{v1::OUTCOME_INTERRUPTED, v1::COMMAND_FAILURE_INTERRUPTED,
                           "the agent ended while the command ran"};
  if (row.recoveries >= kMaxRecoveries) {
    return running_.EndAnew(
        command,
        {v1::OUTCOME_FAILED, v1::COMMAND_FAILURE_POISON,
         "the agent died " + std::to_string(row.recoveries) + " times while it was open"},
        at);
  }
  auto envelope = sign::ParseEnvelope(row.envelope, sign::kCommandType);
  if (!envelope.ok()) return running_.EndAnew(command, interrupted, at);
  auto parsed = sign::ParseCommand(envelope.value().payload());
  if (!parsed.ok()) return running_.EndAnew(command, interrupted, at);
  TakeFacts(command, parsed.value(), envelope.value().payload());
  command.awaits_ack = true;  // control may know that this journal is older than what was done here
  if (row.state == CommandState::kStarted) {
    if (!command.is_idempotent) return running_.EndAnew(command, interrupted, at);
    command.stream =
        std::make_unique<AnswerStream>(StreamKey{row.digest, row.attempt + 1}, parts_.spool);
    return running_.Accept(command, parsed.value(), at);
  }
  if (row.received_at.get() == 0) {  // a refusal whose result was not yet written
    command.is_refusal = true;
    return running_.End(
        command,
        {v1::OUTCOME_REFUSED, v1::COMMAND_FAILURE_TOO_MANY_OPEN, "there was no room for it"}, at);
  }
  HF_CHECK(command.stream->AddReceived(row.received_at).ok());
  running_.Accept(command, parsed.value(), at);
}

}  // namespace holdfast::agent
