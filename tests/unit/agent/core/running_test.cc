#include "agent/core/running.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "agent/core/limits.h"
#include "common/pty/records.h"
#include "common/sign/envelope.h"
#include "common/sign/strict.h"
#include "tests/support/warden_rig.h"

namespace holdfast::agent {
namespace {

namespace pb = ::holdfast::command::v1;
using ::holdfast::testing::WardenRig;

TEST(RunningTest, KillsAWorkerAtItsWallLimitAndReportsWhenItIsGone) {
  WardenRig rig;
  rig.Open();
  auto command = rig.Query();
  command.mutable_limits()->set_wall_ms(5000);
  rig.Deliver(rig.Sign(command));
  rig.ups.clear();
  rig.Advance(std::chrono::milliseconds(4999));
  EXPECT_TRUE(rig.workers.killed.empty());
  rig.Advance(std::chrono::milliseconds(1));
  EXPECT_TRUE(rig.workers.was_killed(rig.LastWorker()));
  EXPECT_TRUE(rig.ups.empty());
  rig.Gone(rig.LastWorker(), {0, 9, false});
  EXPECT_EQ(rig.FinalOf(rig.ups.back()).failure(), pb::COMMAND_FAILURE_WALL_LIMIT);
  // It may have written what nobody has read.
  EXPECT_TRUE(rig.FinalOf(rig.ups.back()).truncated());
}

TEST(RunningTest, CutsTheOutputAtItsLimitAndSaysSo) {
  WardenRig rig;
  rig.Open();
  auto command = rig.Query();
  command.mutable_limits()->set_out_bytes(6);
  rig.Deliver(rig.Sign(command));
  rig.Output(rig.LastWorker(), "1234");
  rig.Output(rig.LastWorker(), "5678");
  rig.Output(rig.LastWorker(), "more");
  rig.Gone(rig.LastWorker(), {0, 9, false});
  const auto result = rig.FinalOf(rig.ups.back());
  EXPECT_EQ(result.failure(), pb::COMMAND_FAILURE_OUTPUT_LIMIT);
  EXPECT_TRUE(result.truncated());
  EXPECT_EQ(result.output_bytes(), 6U);
  EXPECT_EQ(result.output_sha256(), rig.crypto.Sha256("123456").str());
}

TEST(RunningTest, StopsWhatControlHasEndedAndForgetsItWithItsEnd) {
  WardenRig rig;
  rig.Open();
  const std::string envelope = rig.Sign(rig.Query());
  const Digest digest = rig.DigestOf(envelope);
  rig.Deliver(envelope);
  rig.Output(rig.LastWorker(), "rows that control does not take");
  ASSERT_FALSE(rig.ups.back().has_final());
  rig.Ack(digest, 1, 2, /*complete=*/true);
  ASSERT_TRUE(rig.workers.was_killed(rig.LastWorker()));
  rig.Ack(digest, 1, 2, true);  // whatever else was on its way
  EXPECT_EQ(rig.workers.killed.size(), 1U);
  rig.Gone(rig.LastWorker(), {0, 9, false});
  EXPECT_FALSE(rig.warden->is_idle());
  rig.Ack(digest, 1, 2, true);
  EXPECT_TRUE(rig.warden->is_idle());
  rig.ups.clear();
  rig.Deliver(envelope);  // it does not run again
  EXPECT_EQ(rig.workers.started.size(), 1U);
}

TEST(RunningTest, SaysHowAWorkerDied) {
  WardenRig rig;
  rig.Open();
  rig.Deliver(rig.Sign(rig.Query('1')));
  rig.Gone(rig.LastWorker(), {0, 11, false});
  EXPECT_EQ(rig.FinalOf(rig.ups.back()).failure(), pb::COMMAND_FAILURE_WORKER_DIED);
  rig.Deliver(rig.Sign(rig.Query('2')));
  rig.Gone(rig.LastWorker(), {0, 24, true});
  EXPECT_EQ(rig.FinalOf(rig.ups.back()).failure(), pb::COMMAND_FAILURE_CPU_LIMIT);
  WorkerEnd end;
  end.memory_limit = true;
  rig.Deliver(rig.Sign(rig.Query('4')));
  rig.Gone(rig.LastWorker(), end);
  EXPECT_EQ(rig.FinalOf(rig.ups.back()).failure(), pb::COMMAND_FAILURE_MEMORY_LIMIT);
  end.memory_limit = false;
  end.process_limit = true;
  rig.Deliver(rig.Sign(rig.Query('5')));
  rig.Gone(rig.LastWorker(), end);
  EXPECT_EQ(rig.FinalOf(rig.ups.back()).failure(), pb::COMMAND_FAILURE_PROCESS_LIMIT);
  rig.workers.refuse_next = 1;
  rig.Deliver(rig.Sign(rig.Query('3')));
  EXPECT_EQ(rig.FinalOf(rig.ups.back()).failure(), pb::COMMAND_FAILURE_WORKER_DIED);
}

TEST(RunningTest, SignsAResultWhateverAWorkersLastWordHolds) {
  WardenRig rig;
  rig.Open();
  const auto say = [&](char id, const pb::Result& said, const std::string& more = "") {
    rig.Deliver(rig.Sign(rig.Query(id)));
    rig.warden->OnWorkerMessage(rig.LastWorker(), WorkerMessageType::kExit,
                                said.SerializeAsString() + more, rig.at);
    rig.Gone(rig.LastWorker());
    return rig.FinalOf(rig.ups.back());
  };
  pb::Result good;
  good.set_outcome(pb::OUTCOME_DONE);
  pb::Result said = good;
  said.mutable_file()->set_path(std::string(200 * 1024, 'p'));
  EXPECT_EQ(say('1', said).failure(), pb::COMMAND_FAILURE_WORKER_DIED);
  said = good;
  said.mutable_file()->set_path("/p");
  said.set_rows(7);
  const auto result = say('2', said, "\xfa\x07\x80\x40" + std::string(8192, 'u'));  // field 127
  EXPECT_EQ(result.outcome(), pb::OUTCOME_DONE);
  EXPECT_EQ(result.rows(), 7U);
  EXPECT_EQ(result.file().path(), "/p");
  EXPECT_LT(result.ByteSizeLong(), 1024U);
  said = good;
  said.set_outcome(pb::OUTCOME_FAILED);
  said.set_failure(static_cast<pb::CommandFailure>(9999));
  EXPECT_EQ(say('3', said).failure(), pb::COMMAND_FAILURE_WORKER_DIED);
  said.set_failure(pb::COMMAND_FAILURE_IO);
  said.set_message(std::string(60 * 1024, 'm'));
  EXPECT_EQ(say('4', said).message().size(), kMaxResultMessageBytes);
}

TEST(RunningTest, ReportsCancelledOnlyWhenTheProcessesAreGone) {
  WardenRig rig;
  rig.Open();
  const std::string envelope = rig.Sign(rig.Query('1'));
  const Digest digest = rig.DigestOf(envelope);
  rig.Deliver(envelope);
  auto cancel = rig.Query('2');
  cancel.mutable_cancel()->set_digest(digest.str());
  const std::string cancel_envelope = rig.Sign(cancel);
  rig.ups.clear();
  rig.Deliver(cancel_envelope);
  EXPECT_TRUE(rig.workers.was_killed(rig.LastWorker()));
  EXPECT_EQ(rig.Story(rig.DigestOf(cancel_envelope)), "1.0:received");
  rig.Gone(rig.LastWorker(), {0, 9, false});
  const auto ups = rig.ups;
  EXPECT_EQ(rig.Story(digest), "1.2:CANCELLED");
  rig.ups = ups;
  EXPECT_EQ(rig.Story(rig.DigestOf(cancel_envelope)), "1.1:DONE");
}

TEST(RunningTest, CancelsACommandThatWaitsForItsTurn) {
  WardenRig rig;
  rig.Open();
  for (char id = 1; id <= 8; ++id) rig.Deliver(rig.Sign(rig.Query(id)));
  const std::string waiting = rig.Sign(rig.Query('w'));
  rig.Deliver(waiting);
  auto cancel = rig.Query('x');
  cancel.mutable_cancel()->set_digest(rig.DigestOf(waiting).str());
  rig.ups.clear();
  rig.Deliver(rig.Sign(cancel));
  EXPECT_EQ(rig.Story(rig.DigestOf(waiting)), "1.1:CANCELLED");
  EXPECT_EQ(rig.workers.started.size(), 8U);
}

TEST(RunningTest, SaysOfACancelOfWhatIsNotHereThatItIsDoneAndWhy) {
  WardenRig rig;
  rig.Open();
  auto cancel = rig.Query('1');
  cancel.mutable_cancel()->set_digest(std::string(32, 'z'));
  rig.Deliver(rig.Sign(cancel));
  EXPECT_EQ(rig.FinalOf(rig.ups.back()).outcome(), pb::OUTCOME_DONE);
  EXPECT_EQ(rig.FinalOf(rig.ups.back()).message(), "it is not here: nothing to cancel");
  // Control has all of it, and only a tombstone is left.
  const std::string ended = rig.Sign(rig.Query('2'));
  rig.Deliver(ended);
  rig.Exit(rig.LastWorker());
  rig.Ack(rig.DigestOf(ended), 1, 3, true);
  cancel.set_command_id(std::string(16, '3'));
  cancel.mutable_cancel()->set_digest(rig.DigestOf(ended).str());
  rig.Deliver(rig.Sign(cancel));
  EXPECT_EQ(rig.FinalOf(rig.ups.back()).outcome(), pb::OUTCOME_DONE);
  EXPECT_EQ(rig.FinalOf(rig.ups.back()).message(), "it had ended already");
}

// A bit of the spool has flipped: said once, in an answer that control can store, and never sent.
TEST(RunningTest, ReportsOutputThatTheSpoolHasDamagedOnceAndSendsNoneOfIt) {
  for (const bool is_running : {true, false}) {
    WardenRig rig;
    rig.Open();
    const std::string envelope = rig.Sign(rig.Query());
    const Digest digest = rig.DigestOf(envelope);
    rig.Deliver(envelope);
    rig.Close();
    for (int i = 0; i < 10; ++i) rig.Output(rig.LastWorker(), std::string(16'000, 'o'));
    if (!is_running) rig.Exit(rig.LastWorker());
    rig.spool_disk.streams.begin()->second.chunks[1].data[7] ^= 1;
    rig.ups.clear();
    rig.Open();
    rig.Ack(digest, 1, 2, false, true);
    rig.Ack(digest, 1, 3);
    if (is_running) {
      EXPECT_TRUE(rig.workers.was_killed(rig.LastWorker()));
      rig.Gone(rig.LastWorker(), {0, 9, false});
    }
    ASSERT_EQ(rig.ups.size(), 2U);
    EXPECT_EQ(rig.FinalOf(rig.ups.back()).failure(), pb::COMMAND_FAILURE_IO);
    EXPECT_EQ(rig.FinalOf(rig.ups.back()).output_bytes(), 0U);
    EXPECT_EQ(rig.Story(digest), "1.2:chunk 2.0:FAILED");
    const auto lost = std::count_if(rig.log.begin(), rig.log.end(), [](const std::string& line) {
      return line.find("output_lost") != std::string::npos;
    });
    EXPECT_EQ(lost, 1);
    rig.Close();
    rig.Open();
    rig.Ack(digest, 2, 1, true);
    EXPECT_TRUE(rig.warden->is_idle());
    EXPECT_TRUE(rig.spool_disk.streams.empty());
    EXPECT_EQ(rig.Story(digest), "");
  }
}

// EXPIRED would say that it did not run.
TEST(RunningTest, SaysOfACommandThatExpiresBeforeItRunsAgainThatItWasInterrupted) {
  for (const bool waits : {false, true}) {
    WardenRig rig;
    rig.Open();
    auto command = rig.Query();
    command.set_idempotent(true);
    command.set_not_after_ms(rig.at.wall.get() + 60'000);
    const std::string envelope = rig.Sign(command);
    rig.Deliver(envelope);
    ASSERT_EQ(rig.workers.started.size(), 1U);
    rig.ups.clear();
    const WallTime later(rig.at.wall.get() + 60'001);
    if (!waits) rig.at.wall = later;
    rig.disk.fail_next = waits ? 1000 : 0;  // it cannot say Started
    rig.Restart();
    rig.disk.fail_next = 0;
    rig.at.wall = later;
    rig.Advance(Running::kRetry);
    EXPECT_TRUE(rig.workers.started.empty());
    rig.Open();
    rig.Ack(rig.DigestOf(envelope), 1, 2, false, true);
    ASSERT_FALSE(rig.ups.empty());
    const auto result = rig.FinalOf(rig.ups.back());
    EXPECT_EQ(result.outcome(), pb::OUTCOME_INTERRUPTED) << waits;
    EXPECT_EQ(result.failure(), pb::COMMAND_FAILURE_INTERRUPTED);
  }
}

TEST(RunningTest, SleepsUntilAPlaceIsFreeWhenACommandThatTheJournalRefusedWaitsForOne) {
  WardenRig rig;
  rig.Open();
  for (char id = 1; id <= 8; ++id) rig.Deliver(rig.Sign(rig.Query(id)));
  rig.Deliver(rig.Sign(rig.Query('r')));
  rig.disk.crash_at = rig.disk.writes + 2;  // after DONE, of what makes room: STARTED
  rig.Exit(rig.LastWorker());
  rig.disk.is_crashed = false;
  rig.disk.crash_at.reset();
  ASSERT_EQ(rig.workers.started.size(), 8U);
  rig.Deliver(rig.Sign(rig.Query('n')));  // takes the place
  ASSERT_EQ(rig.workers.started.size(), 9U);
  rig.Advance(Running::kRetry);
  ASSERT_TRUE(rig.warden->NextDeadline().has_value());
  EXPECT_GT(*rig.warden->NextDeadline(), rig.at.now);
  rig.Exit(rig.LastWorker());
  EXPECT_EQ(rig.workers.started.size(), 10U);
}

// Small pieces that control has, kept in the same file as those that it has not.
TEST(RunningTest, KeepsAnEndThatIsOnTheDiskThroughARestartHoweverManyRecordsTheSpoolHolds) {
  WardenRig rig;
  rig.spool_disk.forget_every = 1'000'000;
  rig.Open();
  const std::string envelope = rig.Sign(rig.Query());
  const Digest digest = rig.DigestOf(envelope);
  rig.Deliver(envelope);
  std::string all(AnswerStream::kInlineBytes + 1, 'o');  // more than memory takes
  rig.Output(rig.LastWorker(), all);
  while (rig.spool_disk.streams.begin()->second.chunks.size() < kMaxUnackedRecords + 100) {
    rig.Output(rig.LastWorker(), "p");
    all += 'p';
    rig.Ack(digest, 1, 2 + rig.spool_disk.streams.begin()->second.chunks.size());
  }
  rig.Close();
  rig.Output(rig.LastWorker(), "tail");
  rig.Exit(rig.LastWorker());
  ASSERT_EQ(rig.disk.Row(digest)->state, CommandState::kDone);
  rig.Restart();
  rig.ups.clear();
  rig.Open();
  rig.Ack(digest, 1, 2 + kMaxUnackedRecords + 100, false, true);
  rig.TakeAll(digest);
  const auto result = rig.FinalOf(rig.ups.back());
  EXPECT_EQ(result.outcome(), pb::OUTCOME_DONE);
  EXPECT_EQ(result.output_sha256(), rig.crypto.Sha256(all + "tail").str());
}

// --- a disk without room -------------------------------------------------------------------------

TEST(RunningTest, PausesACommandWhileTheDiskIsFullAndGoesOnWithoutAHole) {
  WardenRig rig;
  rig.Open();
  const std::string envelope = rig.Sign(rig.Query());
  rig.Deliver(envelope);
  const WorkerId worker = rig.LastWorker();
  const std::string before(15'000, 'b');
  const std::string piece(50'000, 'p');
  rig.Output(worker, before);  // still in memory: the piece that is refused moves it to files
  rig.spool_disk.is_full = true;
  rig.Output(worker, piece);
  EXPECT_FALSE(rig.warden->WantsOutput(worker));
  EXPECT_TRUE(rig.spool_disk.streams.empty());
  for (int i = 0; i < 3; ++i) rig.Advance(Running::kRetry);
  EXPECT_TRUE(rig.workers.killed.empty());
  ASSERT_TRUE(rig.warden->NextDeadline().has_value());
  EXPECT_LE(*rig.warden->NextDeadline(), rig.at.now + Running::kRetry);
  rig.spool_disk.is_full = false;
  rig.Advance(Running::kRetry);
  EXPECT_TRUE(rig.warden->WantsOutput(worker));
  rig.Output(worker, "end");
  rig.Exit(worker);
  rig.TakeAll(rig.DigestOf(envelope));
  const auto result = rig.FinalOf(rig.ups.back());
  EXPECT_EQ(result.outcome(), pb::OUTCOME_DONE);
  EXPECT_FALSE(result.truncated());
  EXPECT_EQ(result.output_sha256(), rig.crypto.Sha256(before + piece + "end").str());
}

TEST(RunningTest, WaitsWithAPieceThatFoundTheDiskFullInTheMiddleOfMovingToIt) {
  WardenRig rig;
  rig.Open();
  const std::string envelope = rig.Sign(rig.Query());
  rig.Deliver(envelope);
  const WorkerId worker = rig.LastWorker();
  const std::string small(7'000, 's');
  rig.Output(worker, small);
  rig.Output(worker, small);
  rig.spool_disk.appends_left = 1;
  rig.Output(worker, small);
  EXPECT_FALSE(rig.warden->WantsOutput(worker));  // although the spool has room again
  rig.spool_disk.appends_left.reset();
  rig.Advance(Running::kRetry);
  EXPECT_TRUE(rig.warden->WantsOutput(worker));
  rig.Exit(worker);
  rig.TakeAll(rig.DigestOf(envelope));
  EXPECT_EQ(rig.FinalOf(rig.ups.back()).output_sha256(),
            rig.crypto.Sha256(small + small + small).str());
}

TEST(RunningTest, StopsAPausedCommandAtItsLimitAndSaysThatOutputIsMissing) {
  WardenRig rig;
  rig.Open();
  auto command = rig.Query();
  command.mutable_limits()->set_wall_ms(5000);
  const std::string envelope = rig.Sign(command);
  rig.Deliver(envelope);
  rig.spool_disk.is_full = true;
  rig.Output(rig.LastWorker(), std::string(50'000, 'p'));
  rig.Advance(std::chrono::seconds(5));
  EXPECT_TRUE(rig.workers.was_killed(rig.LastWorker()));
  EXPECT_TRUE(rig.warden->WantsOutput(rig.LastWorker()));  // drained, so that it can end
  rig.Gone(rig.LastWorker(), {0, 9, false});
  rig.TakeAll(rig.DigestOf(envelope));
  const auto result = rig.FinalOf(rig.ups.back());
  EXPECT_EQ(result.failure(), pb::COMMAND_FAILURE_WALL_LIMIT);
  EXPECT_TRUE(result.truncated());
  EXPECT_LE(result.output_bytes(), AnswerStream::kInlineBytes);  // what needed no disk
}

TEST(RunningTest, LooksForRoomAgainWhenItsWorkersAreHeldBackByOthers) {
  WardenRig rig;
  rig.Open();
  rig.Deliver(rig.Sign(rig.Query()));
  rig.Advance(std::chrono::seconds(1));
  rig.spool_disk.is_full = true;
  EXPECT_FALSE(rig.warden->WantsOutput(rig.LastWorker()));
  ASSERT_TRUE(rig.warden->NextDeadline().has_value());
  EXPECT_LE(*rig.warden->NextDeadline(), rig.at.now + Running::kRetry);
  rig.Advance(Running::kRetry);
  EXPECT_GT(*rig.warden->NextDeadline(), rig.at.now);  // no busy loop
}

TEST(RunningTest, EndsACommandOnlyWhenItsOutputIsOnTheDisk) {
  WardenRig rig;
  rig.Open();
  const std::string envelope = rig.Sign(rig.Query());
  rig.Deliver(envelope);
  rig.Output(rig.LastWorker(), std::string(50'000, 'p'));
  rig.spool_disk.fail_syncs = 2;
  rig.Exit(rig.LastWorker());
  rig.Advance(Running::kRetry);
  EXPECT_EQ(rig.disk.Row(rig.DigestOf(envelope))->state, CommandState::kStarted);
  rig.Advance(Running::kRetry);
  EXPECT_EQ(rig.disk.Row(rig.DigestOf(envelope))->state, CommandState::kDone);
  rig.TakeAll(rig.DigestOf(envelope));
  EXPECT_EQ(rig.FinalOf(rig.ups.back()).outcome(), pb::OUTCOME_DONE);
}

pb::Command Terminal(const WardenRig& rig, char id) {
  auto command = rig.Query(id);
  command.set_idempotent(false);
  command.mutable_pty()->set_operator_key(std::string(65, 'k'));
  return command;
}

TEST(RunningTest, SignsTheKeyOfATerminalAndNothingElseThatAWorkerMakes) {
  WardenRig rig;
  rig.Open();
  const std::string envelope = rig.Sign(Terminal(rig, '1'));
  const Digest digest = rig.DigestOf(envelope);
  rig.Deliver(envelope);
  const WorkerId worker = rig.LastWorker();
  EXPECT_TRUE(rig.workers.started.back().takes_input);
  EXPECT_TRUE(rig.workers.started.back().has_children);
  const std::string agent_key(PublicKey::kSize, 'a');
  rig.warden->OnWorkerMessage(worker, WorkerMessageType::kSessionKey, agent_key, rig.at);
  rig.Pump();
  pty::SealedFrames frames;
  frames.Push(rig.ups.back().chunk().data());
  const auto frame = frames.Next().value();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->type, pty::FrameType::kKey);
  const auto parsed = sign::ParseEnvelope(frame->payload, sign::kPtyKeyType);
  ASSERT_TRUE(sign::VerifySignedBy(rig.crypto, parsed.value(), rig.key->public_key()).ok());
  const auto key = sign::ParsePtyKey(parsed.value().payload()).value();
  EXPECT_EQ(key.command_digest(), digest.view());
  EXPECT_EQ(key.agent_id(), rig.fleet.agent.view());
  EXPECT_EQ(key.agent_key(), agent_key);
  // A second one is none; and a worker of another verb has no key to be signed.
  rig.warden->OnWorkerMessage(worker, WorkerMessageType::kSessionKey, agent_key, rig.at);
  EXPECT_TRUE(rig.workers.was_killed(worker));
  rig.Deliver(rig.Sign(rig.Query('2')));
  rig.warden->OnWorkerMessage(rig.LastWorker(), WorkerMessageType::kSessionKey, agent_key, rig.at);
  EXPECT_TRUE(rig.workers.was_killed(rig.LastWorker()));
}

TEST(RunningTest, HandsWhatIsTypedToTheTerminalItIsForAndDropsTheRest) {
  WardenRig rig;
  rig.Open();
  const std::string envelope = rig.Sign(Terminal(rig, '1'));
  rig.Deliver(envelope);
  const WorkerId worker = rig.LastWorker();
  const auto type = [&](const Digest& digest, std::uint64_t seq, const std::string& sealed) {
    ::holdfast::link::v1::Frame frame;
    frame.mutable_pty_input()->set_digest(digest.str());
    frame.mutable_pty_input()->set_seq(seq);
    frame.mutable_pty_input()->set_sealed(sealed);
    rig.Send(frame);
  };
  type(rig.DigestOf(envelope), 0x0102, std::string(17, 's'));
  ASSERT_EQ(rig.workers.inputs.size(), 1U);
  EXPECT_EQ(rig.workers.inputs[0].first, worker);
  EXPECT_EQ(rig.workers.inputs[0].second,
            std::string("\x19\0\0\0\x02\x01\0\0\0\0\0\0", 12) + std::string(17, 's'));
  // The largest that the link carries is written whole, or not at all.
  type(rig.DigestOf(envelope), 1, std::string(link::kMaxSealedInputBytes, 's'));
  EXPECT_LE(rig.workers.inputs.back().second.size(), kMaxInputFrameBytes);
  rig.workers.input_is_full = true;
  type(rig.DigestOf(envelope), 2, std::string(17, 's'));
  rig.workers.input_is_full = false;
  const std::string query = rig.Sign(rig.Query('2'));
  rig.Deliver(query);
  type(rig.DigestOf(query), 0, std::string(17, 's'));  // takes no input
  type(Digest(), 0, std::string(17, 's'));             // is not here
  rig.Exit(worker);
  type(rig.DigestOf(envelope), 3, std::string(17, 's'));  // has ended
  EXPECT_EQ(rig.workers.inputs.size(), 2U);
  EXPECT_TRUE(rig.warden->is_open());
}

TEST(RunningTest, TerminalsTakeNoPlaceFromOthersAndAreFew) {
  WardenRig rig;
  rig.Open();
  for (std::size_t i = 0; i < kMaxTerminals + 2; ++i) {
    rig.Deliver(rig.Sign(Terminal(rig, static_cast<char>('a' + i))));
  }
  EXPECT_EQ(rig.workers.started.size(), kMaxTerminals);
  const WorkerId first = rig.workers.started.front().id;
  for (std::size_t i = 0; i < kMaxRunningWorkers + 1; ++i) {
    rig.Deliver(rig.Sign(rig.Query(static_cast<char>('0' + i))));
  }
  EXPECT_EQ(rig.workers.started.size(), kMaxTerminals + kMaxRunningWorkers);
  rig.Exit(first);  // makes room for the one that waits, although a query waits too
  EXPECT_EQ(rig.workers.started.size(), kMaxTerminals + kMaxRunningWorkers + 1);
  EXPECT_TRUE(rig.workers.started.back().takes_input);
}

TEST(RunningTest, SignsWhatTheWorkerSaysOfItsRecording) {
  WardenRig rig;
  rig.Open();
  rig.Deliver(rig.Sign(Terminal(rig, '1')));
  pb::Result said;
  said.set_outcome(pb::OUTCOME_DONE);
  said.mutable_recording()->set_sha256(std::string(32, 'r'));
  said.mutable_recording()->set_size(99);
  rig.warden->OnWorkerMessage(rig.LastWorker(), WorkerMessageType::kExit, said.SerializeAsString(),
                              rig.at);
  rig.Gone(rig.LastWorker());
  const auto result = rig.FinalOf(rig.ups.back());
  EXPECT_EQ(result.recording().sha256(), std::string(32, 'r'));
  EXPECT_EQ(result.recording().size(), 99U);
}

}  // namespace
}  // namespace holdfast::agent
