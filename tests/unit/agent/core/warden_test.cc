#include "agent/core/warden.h"

#include <string>

#include <gtest/gtest.h>

#include "agent/core/limits.h"
#include "tests/support/warden_rig.h"

namespace holdfast::agent {
namespace {

namespace pb = ::holdfast::command::v1;
using ::holdfast::testing::kHourMs;
using ::holdfast::testing::WardenRig;

// --- link ----------------------------------------------------------------------------------------

TEST(WardenLinkTest, AnswersAChallengeWithASignedHelloWhoseEpochIsOnDisk) {
  WardenRig rig;
  rig.Dial();
  ASSERT_EQ(rig.others.size(), 1U);
  const auto envelope =
      sign::ParseEnvelope(rig.others[0].hello().envelope(), sign::kHelloType).value();
  EXPECT_TRUE(sign::VerifySignedBy(rig.crypto, envelope, rig.key->public_key()).ok());
  const auto hello = sign::ParseHello(envelope.payload()).value();
  EXPECT_EQ(hello.conn_epoch(), 1U);
  EXPECT_EQ(rig.disk.meta.epoch, 1U);
  EXPECT_EQ(hello.challenge(), std::string(32, 'n'));
  EXPECT_EQ(hello.server_name(), "host");
}

TEST(WardenLinkTest, SaysNoHelloWhenTheEpochCannotBeWritten) {
  WardenRig rig;
  rig.disk.fail_next = 1;
  rig.Dial();
  EXPECT_TRUE(rig.others.empty());
  EXPECT_EQ(rig.told.back().first, LinkMessageType::kHangUp);
}

TEST(WardenLinkTest, HangsUpOnAServerThatNamesItselfDifferently) {
  WardenRig rig;
  rig.Dial("elsewhere");
  EXPECT_TRUE(rig.others.empty());
  EXPECT_EQ(rig.warden->last_close()->reason, link::CloseReason::CLOSE_REASON_SERVER_UNTRUSTED);
}

TEST(WardenLinkTest, StillKnowsWhyItWasTurnedAwayWhenItIsStopped) {
  WardenRig rig;
  rig.Dial();
  ::holdfast::link::v1::Frame close;
  close.mutable_close()->set_reason(link::CloseReason::CLOSE_REASON_BAD_TOKEN);
  rig.Send(close, 0);
  rig.Close();
  rig.warden->Stop();
  EXPECT_EQ(rig.warden->last_close()->reason, link::CloseReason::CLOSE_REASON_BAD_TOKEN);
}

TEST(WardenLinkTest, HangsUpOnAServerOfAnotherProtocolVersion) {
  WardenRig rig;
  rig.Dial("host", 2);
  EXPECT_TRUE(rig.others.empty());
  EXPECT_EQ(rig.warden->last_close()->reason, link::CloseReason::CLOSE_REASON_VERSION);
}

TEST(WardenLinkTest, TellsTheServerThatItStops) {
  WardenRig rig;
  rig.Open();
  rig.warden->Stop();
  rig.Pump();
  ASSERT_EQ(rig.told.back().first, LinkMessageType::kHangUp);
  EXPECT_EQ(rig.told.back().second[0],
            static_cast<char>(link::CloseReason::CLOSE_REASON_AGENT_STOPPING));
}

TEST(WardenLinkTest, KeepsTheContactForTheNextHello) {
  WardenRig rig;
  rig.Open();
  EXPECT_TRUE(rig.warden->is_open());
  rig.Close();
  rig.others.clear();
  rig.Dial();
  const auto envelope =
      sign::ParseEnvelope(rig.others[0].hello().envelope(), sign::kHelloType).value();
  const auto hello = sign::ParseHello(envelope.payload()).value();
  EXPECT_EQ(hello.contact(), std::string(16, 'k'));
  EXPECT_EQ(hello.conn_epoch(), 2U);
}

TEST(WardenLinkTest, HangsUpOnACommandBeforeTheWelcome) {
  WardenRig rig;
  rig.Dial();
  rig.Deliver(rig.Sign(rig.Query()));
  EXPECT_EQ(rig.warden->last_close()->reason, link::CloseReason::CLOSE_REASON_UNEXPECTED_FRAME);
  EXPECT_TRUE(rig.disk.rows.empty());
}

TEST(WardenLinkTest, DropsMessagesOfAnOlderEpoch) {
  WardenRig rig;
  rig.Open();
  rig.Close();
  rig.Open();
  ::holdfast::link::v1::Frame frame;
  frame.mutable_deliver()->set_envelope(rig.Sign(rig.Query()));
  frame.mutable_deliver()->set_cert_envelope(rig.cert);
  rig.Send(frame, 1);
  EXPECT_TRUE(rig.disk.rows.empty());
  rig.Send(frame, 2);
  EXPECT_EQ(rig.disk.rows.size(), 1U);
}

TEST(WardenLinkTest, HangsUpOnBytesThatAreNoMessage) {
  WardenRig rig;
  rig.Open();
  rig.warden->OnLinkMessage(LinkMessageType::kFromServer, "\xff\xff\xff", rig.at);
  EXPECT_EQ(rig.warden->last_close()->reason, link::CloseReason::CLOSE_REASON_BAD_FRAME);
}

TEST(WardenLinkTest, GivesUpOnAServerThatDoesNotWelcome) {
  WardenRig rig;
  rig.Dial();
  ASSERT_TRUE(rig.warden->NextDeadline().has_value());
  rig.Advance(std::chrono::seconds(21));
  EXPECT_EQ(rig.warden->last_close()->reason, link::CloseReason::CLOSE_REASON_HANDSHAKE_TIMEOUT);
  EXPECT_FALSE(rig.warden->NextDeadline().has_value());
}

TEST(WardenLinkTest, HasNoTimerWhileNothingIsOpen) {
  WardenRig rig;
  rig.Open();
  EXPECT_FALSE(rig.warden->NextDeadline().has_value());
}

// --- a command's life ----------------------------------------------------------------------------

TEST(WardenTest, RunsACommandAndForgetsItWhenControlHasEverything) {
  WardenRig rig;
  rig.Open();
  const std::string envelope = rig.Sign(rig.Query());
  const Digest digest = rig.DigestOf(envelope);
  rig.Deliver(envelope);
  EXPECT_EQ(rig.Story(digest), "1.0:received 1.1:started");
  ASSERT_EQ(rig.workers.started.size(), 1U);
  EXPECT_EQ(rig.disk.Row(digest)->state, CommandState::kStarted);
  rig.Output(rig.LastWorker(), "rows");
  rig.Exit(rig.LastWorker());
  const auto result = rig.FinalOf(rig.ups.back());
  EXPECT_EQ(result.output_bytes(), 4U);
  EXPECT_EQ(result.chunk_count(), 1U);
  EXPECT_EQ(result.output_sha256(), rig.crypto.Sha256("rows").str());
  EXPECT_EQ(rig.Story(digest), "1.2:chunk 1.3:DONE");
  rig.Ack(digest, 1, 4, true);
  EXPECT_TRUE(rig.warden->is_idle());
  EXPECT_EQ(rig.disk.Row(digest)->state, CommandState::kForgotten);
  EXPECT_FALSE(rig.warden->NextDeadline().has_value());
}

TEST(WardenTest, RunsARepeatedDeliveryOnce) {
  WardenRig rig;
  rig.Open();
  const std::string envelope = rig.Sign(rig.Query());
  for (int i = 0; i < 3; ++i) rig.Deliver(envelope);
  EXPECT_EQ(rig.workers.started.size(), 1U);
  const Digest digest = rig.DigestOf(envelope);
  rig.Exit(rig.LastWorker());
  rig.Ack(digest, 1, 3, true);
  rig.Deliver(envelope);
  EXPECT_EQ(rig.workers.started.size(), 1U);
  EXPECT_TRUE(rig.warden->is_idle());
}

TEST(WardenTest, RefusesAnotherCommandUnderTheSameId) {
  WardenRig rig;
  rig.Open();
  rig.Deliver(rig.Sign(rig.Query()));
  auto other = rig.Query();
  other.mutable_query()->set_sql("SELECT 2");
  const std::string envelope = rig.Sign(other);
  rig.Deliver(envelope);
  EXPECT_EQ(rig.workers.started.size(), 1U);
  EXPECT_EQ(rig.FinalOf(rig.ups.back()).failure(), pb::COMMAND_FAILURE_ID_CONFLICT);
  EXPECT_EQ(rig.Story(rig.DigestOf(envelope)), "1.0:REFUSED");
}

TEST(WardenTest, RefusesWhatIsNotSignedAndJournalsNothing) {
  WardenRig rig;
  rig.Open();
  std::string envelope = rig.Sign(rig.Query());
  auto forged = sign::ParseEnvelope(envelope, sign::kCommandType).value();
  forged.mutable_sigs(0)->set_rs(std::string(64, 'x'));
  rig.Deliver(forged.SerializeAsString());
  EXPECT_TRUE(rig.workers.started.empty());
  EXPECT_TRUE(rig.disk.rows.empty());
  EXPECT_TRUE(rig.ups.empty());
  EXPECT_TRUE(rig.warden->is_idle());
  EXPECT_NE(rig.log.back().find("delivery_forged"), std::string::npos) << rig.log.back();
  // Nor does it stand in the way of the command whose name it bears.
  rig.Deliver(envelope);
  EXPECT_EQ(rig.workers.started.size(), 1U);
}

TEST(WardenTest, DoesNotLetAnAlteredOrStrangeCertificateAnswerForACommand) {
  WardenRig rig;
  rig.Open();
  const std::string envelope = rig.Sign(rig.Query());
  const std::string cert = rig.cert;
  auto altered = sign::ParseEnvelope(cert, sign::kCertType).value();
  altered.mutable_sigs(0)->set_rs(std::string(64, 'x'));
  auto expired = rig.fleet.GoodCert();  // genuine, of the same key, and not the one that is named
  expired.set_serial(std::string(16, 'o'));
  expired.set_not_before_ms(1);
  expired.set_not_after_ms(2);
  for (const std::string& other : {altered.SerializeAsString(), rig.fleet.Sign(expired)}) {
    rig.cert = other;
    rig.Deliver(envelope);
  }
  EXPECT_TRUE(rig.ups.empty());
  rig.cert = cert;
  rig.Deliver(envelope);
  EXPECT_EQ(rig.workers.started.size(), 1U);
}

TEST(WardenTest, SaysThatTheSignersOwnCertificateHasExpired) {
  WardenRig rig;
  rig.Open();
  auto expired = rig.fleet.GoodCert();
  expired.set_not_before_ms(1);
  expired.set_not_after_ms(2);
  rig.cert = rig.fleet.Sign(expired);
  rig.Deliver(rig.Sign(rig.Query()));
  ASSERT_FALSE(rig.ups.empty());
  EXPECT_EQ(rig.FinalOf(rig.ups.back()).failure(), pb::COMMAND_FAILURE_BAD_CERT);
}

TEST(WardenTest, LetsRefusalsGoThatNobodyAcknowledges) {
  WardenRig rig;
  rig.Open();
  for (std::size_t i = 0; i < 3 * kMaxOpenRefusals; ++i) {
    auto command = rig.Query();
    command.set_fleet_id(std::string(16, 'x'));
    command.set_reason(std::to_string(i));
    rig.Deliver(rig.Sign(command));
  }
  EXPECT_EQ(rig.ups.size(), 3 * kMaxOpenRefusals);
  EXPECT_EQ(rig.FinalOf(rig.ups.back()).failure(), pb::COMMAND_FAILURE_WRONG_FLEET);
  EXPECT_FALSE(rig.warden->is_idle());
  rig.Advance(kRefusalKeep);
  EXPECT_TRUE(rig.warden->is_idle());
  EXPECT_FALSE(rig.warden->NextDeadline().has_value());
}

TEST(WardenTest, RefusesARepeatedDeliveryForTheSameReasonAgain) {
  WardenRig rig;
  rig.Open();
  auto command = rig.Query();
  command.set_issued_at_ms(rig.at.wall.get() + kHourMs);
  command.set_not_after_ms(rig.at.wall.get() + 2 * kHourMs);
  const std::string envelope = rig.Sign(command);
  rig.Deliver(envelope);
  rig.Advance(std::chrono::minutes(58));  // by now it would be valid
  rig.Deliver(envelope);
  rig.Restart();
  rig.ups.clear();
  rig.Open();
  rig.Ack(rig.DigestOf(envelope), 1, 0, false, true);
  rig.Deliver(envelope);
  ASSERT_FALSE(rig.ups.empty());
  EXPECT_EQ(rig.FinalOf(rig.ups.back()).failure(), pb::COMMAND_FAILURE_NOT_YET_VALID);
  EXPECT_TRUE(rig.workers.started.empty());
}

TEST(WardenTest, DoesNotLetAlteredBytesAnswerForAnOpenCommand) {
  WardenRig rig;
  rig.Open();
  const std::string envelope = rig.Sign(rig.Query());
  rig.Deliver(envelope);
  rig.ups.clear();
  auto forged = sign::ParseEnvelope(envelope, sign::kCommandType).value();
  forged.mutable_sigs(0)->set_rs(std::string(64, 'x'));
  rig.Deliver(forged.SerializeAsString());
  EXPECT_TRUE(rig.ups.empty());
}

TEST(WardenTest, ReportsAnExpiredCommandAsExpiredAndNeverRunsItLater) {
  WardenRig rig;
  rig.Open();
  auto command = rig.Query();
  command.set_not_after_ms(rig.at.wall.get() - 1);
  const std::string envelope = rig.Sign(command);
  rig.Deliver(envelope);
  EXPECT_EQ(rig.FinalOf(rig.ups.back()).failure(), pb::COMMAND_FAILURE_EXPIRED);
  EXPECT_EQ(rig.Story(rig.DigestOf(envelope)), "1.0:EXPIRED");
  rig.Ack(rig.DigestOf(envelope), 1, 1, true);
  EXPECT_TRUE(rig.warden->is_idle());
  rig.at.wall = WallTime(rig.at.wall.get() - 10'000);  // the clock is set back
  rig.Deliver(envelope);
  EXPECT_TRUE(rig.workers.started.empty());
}

TEST(WardenTest, RefusesACommandOlderThanItsJournal) {
  WardenRig rig;
  rig.Open();
  auto command = rig.Query();
  command.set_issued_at_ms(rig.disk.meta.birth.get() - 1);
  rig.Deliver(rig.Sign(command));
  EXPECT_EQ(rig.FinalOf(rig.ups.back()).failure(), pb::COMMAND_FAILURE_BEFORE_BIRTH);
  EXPECT_TRUE(rig.workers.started.empty());
}

TEST(WardenTest, RefusesWithoutAJournalAndDoesNotRun) {
  WardenRig rig;
  rig.Open();
  rig.disk.fail_next = 1;
  const std::string envelope = rig.Sign(rig.Query());
  rig.Deliver(envelope);
  EXPECT_TRUE(rig.workers.started.empty());
  EXPECT_EQ(rig.FinalOf(rig.ups.back()).failure(), pb::COMMAND_FAILURE_NO_JOURNAL);
  rig.Deliver(envelope);  // space came back: it was refused all the same
  EXPECT_TRUE(rig.workers.started.empty());
}

TEST(WardenTest, SaysReceivedAndStartedInOneWriteWhenAPlaceIsFree) {
  WardenRig rig;
  rig.Open();
  const std::uint64_t before = rig.disk.writes;
  const std::string envelope = rig.Sign(rig.Query());
  rig.Deliver(envelope);
  EXPECT_EQ(rig.disk.writes, before + 1);
  const auto& row = *rig.disk.Row(rig.DigestOf(envelope));
  EXPECT_EQ(row.state, CommandState::kStarted);
  EXPECT_EQ(row.received_at, rig.at.wall);
  EXPECT_EQ(row.started_at, rig.at.wall);
}

TEST(WardenTest, WaitsWithTheRunUntilStartedIsOnDisk) {
  WardenRig rig;
  rig.Open();
  for (std::size_t i = 0; i < kMaxRunningWorkers; ++i) {
    rig.Deliver(rig.Sign(rig.Query(static_cast<char>('A' + i))));
  }
  const std::string waiting = rig.Sign(rig.Query('w'));
  rig.Deliver(waiting);
  EXPECT_EQ(rig.disk.Row(rig.DigestOf(waiting))->state, CommandState::kReceived);
  rig.disk.crash_at =
      rig.disk.writes + 2;  // DONE makes room, and the STARTED write does not happen
  rig.Exit(rig.LastWorker());
  EXPECT_EQ(rig.workers.started.size(), kMaxRunningWorkers);
  rig.disk.is_crashed = false;
  rig.disk.crash_at.reset();
  rig.Advance(std::chrono::seconds(3));
  EXPECT_EQ(rig.workers.started.size(), kMaxRunningWorkers + 1);
}

// --- limits and ends -----------------------------------------------------------------------------

TEST(WardenTest, ExpiresACommandThatWaitsForItsBlobOrForItsTurn) {
  WardenRig rig;
  rig.Open();
  for (std::size_t i = 0; i < kMaxRunningWorkers; ++i) {
    rig.Deliver(rig.Sign(rig.Query(static_cast<char>('A' + i))));
  }
  auto waiting = rig.Query('w');
  waiting.set_not_after_ms(rig.at.wall.get() + 60'000);
  auto put = waiting;
  put.set_command_id(std::string(16, 'p'));
  put.mutable_put()->set_path("/tmp/x");
  put.add_blobs()->set_size(7);
  put.mutable_blobs(0)->set_sha256(rig.crypto.Sha256("content").str());
  const std::string queued = rig.Sign(waiting);
  const std::string fetching = rig.Sign(put);
  rig.Deliver(queued);
  rig.Deliver(fetching);
  EXPECT_EQ(rig.Story(rig.DigestOf(queued)), "1.0:received");
  ASSERT_TRUE(rig.warden->NextDeadline().has_value());
  EXPECT_LE(*rig.warden->NextDeadline(), rig.at.now + std::chrono::seconds(61));
  rig.Advance(std::chrono::milliseconds(60'001));
  const auto ups = rig.ups;
  EXPECT_EQ(rig.Story(rig.DigestOf(queued)), "1.0:received 1.1:EXPIRED");
  rig.ups = ups;
  EXPECT_EQ(rig.Story(rig.DigestOf(fetching)), "1.0:received 1.1:EXPIRED");
}

TEST(WardenTest, SaysNothingOfACommandThatMayBeOnTheDisk) {
  WardenRig rig;
  rig.Open();
  rig.disk.is_doubtful = true;
  rig.Deliver(rig.Sign(rig.Query()));
  EXPECT_TRUE(rig.ups.empty());
  EXPECT_TRUE(rig.workers.started.empty());
}

TEST(WardenTest, KeepsTombstonesWhileOnlyItsOwnClockSaysThatTheyAreOld) {
  WardenRig rig;
  rig.Open();
  const std::string envelope = rig.Sign(rig.Query());
  rig.Deliver(envelope);
  rig.Exit(rig.LastWorker());
  rig.Ack(rig.DigestOf(envelope), 1, 3, true);
  ASSERT_EQ(rig.disk.Row(rig.DigestOf(envelope))->state, CommandState::kForgotten);
  const WallTime right = rig.at.wall;
  rig.at.wall = WallTime(right.get() + 100 * kHourMs);
  rig.Restart();
  rig.at.wall = right;
  rig.Open();
  rig.Deliver(envelope);
  EXPECT_TRUE(rig.workers.started.empty());
}

TEST(WardenTest, DoesNotLetASignerWhoseClockIsAheadMoveItsTime) {
  WardenRig rig;
  rig.Open();
  auto command = rig.Query();
  command.set_issued_at_ms(rig.at.wall.get() + 30'000);
  rig.Deliver(rig.Sign(command));
  ASSERT_EQ(rig.workers.started.size(), 1U);
  EXPECT_EQ(rig.disk.meta.time_floor, rig.at.wall);
}

TEST(JournalBirthTest, IsNeverBeforeTheBuildOrTheEnrolmentWhateverTheClockSays) {
  EXPECT_EQ(JournalBirth(WallTime(5), WallTime(300), WallTime(200)), WallTime(300));
  EXPECT_EQ(JournalBirth(WallTime(5), WallTime(300), WallTime(400)), WallTime(400));
  EXPECT_EQ(JournalBirth(WallTime(500), WallTime(300), WallTime(400)), WallTime(500));
}

// --- restart -------------------------------------------------------------------------------------

TEST(WardenTest, InterruptsWhatRanWhenTheAgentDied) {
  WardenRig rig;
  rig.Open();
  const std::string envelope = rig.Sign(rig.Query());
  const Digest digest = rig.DigestOf(envelope);
  rig.Deliver(envelope);
  rig.Output(rig.LastWorker(), "half");
  rig.Restart();
  EXPECT_TRUE(rig.workers.started.empty());
  rig.ups.clear();
  rig.others.clear();
  rig.Open();
  EXPECT_EQ(rig.others.back().sync().streams(0).attempt(), 2U);
  rig.Ack(digest, 2, 0, false, true);
  const auto result = rig.FinalOf(rig.ups.back());
  EXPECT_EQ(result.failure(), pb::COMMAND_FAILURE_INTERRUPTED);
  EXPECT_EQ(result.output_bytes(), 0U);
  EXPECT_EQ(rig.Story(digest), "2.0:INTERRUPTED");
  rig.Deliver(envelope);
  EXPECT_TRUE(rig.workers.started.empty());
}

TEST(WardenTest, RunsAnIdempotentCommandAgainAsTheNextAttempt) {
  WardenRig rig;
  rig.Open();
  auto command = rig.Query();
  command.set_idempotent(true);
  const std::string envelope = rig.Sign(command);
  rig.Deliver(envelope);
  rig.Restart();
  ASSERT_EQ(rig.workers.started.size(), 1U);
  EXPECT_EQ(rig.disk.Row(rig.DigestOf(envelope))->attempt, 2U);
  rig.ups.clear();
  rig.Open();
  rig.Ack(rig.DigestOf(envelope), 2, 0, false, true);
  rig.Exit(rig.LastWorker());
  EXPECT_EQ(rig.Story(rig.DigestOf(envelope)), "2.0:started 2.1:DONE");
}

TEST(WardenTest, RunsWhatWasReceivedButNotStartedUnlessItHasExpired) {
  for (const bool late : {false, true}) {
    WardenRig rig;
    rig.Open();
    for (char id = 1; id <= 8; ++id) rig.Deliver(rig.Sign(rig.Query(id)));
    const std::string waiting = rig.Sign(rig.Query('w'));
    rig.Deliver(waiting);
    if (late) rig.at.wall = WallTime(rig.at.wall.get() + 2 * kHourMs);
    rig.Restart();
    rig.Open();
    EXPECT_TRUE(rig.workers.started.empty());  // control may know better: SetBackTest
    rig.Ack(rig.DigestOf(waiting), 1, 1, false, true);
    EXPECT_EQ(rig.workers.started.size(), late ? 0U : 1U);
  }
}

// The agent dies again and again with the same command open, which may be the cause.
TEST(WardenTest, SetsACommandAsideThatWasOpenWhenTheAgentDiedThreeTimes) {
  for (const bool is_idempotent : {true, false}) {
    WardenRig rig;
    rig.Open();
    for (char id = 1; !is_idempotent && id <= 8; ++id) rig.Deliver(rig.Sign(rig.Query(id)));
    auto command = rig.Query('p');
    command.set_idempotent(is_idempotent);
    const std::string envelope = rig.Sign(command);
    const Digest digest = rig.DigestOf(envelope);
    rig.Deliver(envelope);
    for (int i = 0; i < 2; ++i) rig.Restart();
    ASSERT_NE(rig.disk.Row(digest)->state, CommandState::kDone);
    EXPECT_EQ(rig.disk.Row(digest)->recoveries, 2U);
    rig.Restart();
    EXPECT_TRUE(rig.workers.started.empty());
    const std::uint32_t attempt = rig.disk.Row(digest)->attempt;
    rig.ups.clear();
    rig.Open();
    rig.Ack(digest, attempt, 0, false, true);
    EXPECT_EQ(rig.FinalOf(rig.ups.back()).failure(), pb::COMMAND_FAILURE_POISON);
    EXPECT_EQ(rig.FinalOf(rig.ups.back()).outcome(), pb::OUTCOME_FAILED);
    rig.Ack(digest, attempt, 1, true);
    rig.Restart();
    rig.Open();
    rig.Deliver(envelope);
    EXPECT_TRUE(rig.workers.started.empty());
  }
}

TEST(WardenTest, DoesNotBlameACommandForOrderlyEndsOfTheAgent) {
  WardenRig rig;
  rig.Open();
  auto command = rig.Query();
  command.set_idempotent(true);
  const std::string envelope = rig.Sign(command);
  rig.Deliver(envelope);
  for (std::uint32_t i = 0; i <= kMaxRecoveries; ++i) {
    rig.warden->Stop();
    rig.Restart();
    EXPECT_EQ(rig.workers.started.size(), 1U);
  }
  EXPECT_EQ(rig.disk.Row(rig.DigestOf(envelope))->recoveries, 0U);
}

TEST(WardenTest, CountsARecoveryBeforeItActsOnTheCommand) {
  WardenRig rig;
  rig.Open();
  auto command = rig.Query();
  command.set_idempotent(true);
  const std::string envelope = rig.Sign(command);
  rig.Deliver(envelope);
  std::uint32_t seen = 0;
  rig.workers.on_spawn = [&](const WorkerStart&) {
    seen = rig.disk.Row(rig.DigestOf(envelope))->recoveries;
    return true;
  };
  rig.Restart();
  EXPECT_EQ(seen, 1U);
}

TEST(WardenTest, UploadsAResultThatWaitedThroughARestart) {
  for (const std::size_t bytes : {std::size_t{100}, std::size_t{100'000}}) {  // inline, spooled
    WardenRig rig;
    rig.Open();
    const std::string envelope = rig.Sign(rig.Query());
    const Digest digest = rig.DigestOf(envelope);
    rig.Deliver(envelope);
    rig.Close();
    const std::string output(bytes, 'o');
    rig.Output(rig.LastWorker(), output);
    rig.Exit(rig.LastWorker());
    rig.spool_disk.PowerCut();
    rig.Restart();
    rig.ups.clear();
    rig.Open();
    rig.Ack(digest, 1, 2, false, true);
    rig.TakeAll(digest);
    std::string uploaded;
    for (std::size_t i = 0; i < rig.ups.size(); ++i) {
      EXPECT_EQ(rig.ups[i].seq(), 2 + i);
      uploaded += rig.ups[i].chunk().data();
    }
    EXPECT_EQ(uploaded, output);
    ASSERT_TRUE(rig.ups.back().has_final());
    rig.Ack(digest, 1, rig.ups.back().seq() + 1, true);
    EXPECT_TRUE(rig.warden->is_idle());
    EXPECT_TRUE(rig.spool_disk.streams.empty());
  }
}

TEST(WardenTest, ReportsAResultWhoseOutputTheSpoolHasLost) {
  WardenRig rig;
  rig.Open();
  const std::string envelope = rig.Sign(rig.Query());
  rig.Deliver(envelope);
  rig.Close();
  rig.Output(rig.LastWorker(), std::string(100'000, 'o'));
  rig.Exit(rig.LastWorker());
  rig.spool_disk.streams.clear();
  rig.Restart();
  rig.ups.clear();
  rig.Open();
  rig.Ack(rig.DigestOf(envelope), 2, 0, false, true);
  EXPECT_EQ(rig.FinalOf(rig.ups.back()).failure(), pb::COMMAND_FAILURE_IO);
}

TEST(WardenTest, KeepsAResultUntilTheJournalTakesIt) {
  WardenRig rig;
  rig.Open();
  const std::string envelope = rig.Sign(rig.Query());
  rig.Deliver(envelope);
  rig.ups.clear();
  rig.disk.fail_next = 2;
  rig.Exit(rig.LastWorker());
  EXPECT_TRUE(rig.ups.empty());
  rig.Advance(std::chrono::seconds(2));
  EXPECT_TRUE(rig.ups.empty());
  rig.Advance(std::chrono::seconds(2));
  EXPECT_EQ(rig.Story(rig.DigestOf(envelope)), "1.2:DONE");
}

// --- blobs and turns -----------------------------------------------------------------------------

TEST(WardenTest, FetchesABlobChecksItAndOnlyThenStartsTheWorker) {
  for (const bool good : {true, false}) {
    WardenRig rig;
    rig.Open();
    const std::string content(300'000, 'b');
    auto command = rig.Query();
    command.mutable_put()->set_path("/tmp/x");
    auto* blob = command.add_blobs();
    blob->set_sha256(rig.crypto.Sha256(content).str());
    blob->set_size(content.size());
    const std::string envelope = rig.Sign(command);
    rig.others.clear();
    rig.Deliver(envelope);
    ASSERT_EQ(rig.others.size(), kMaxBlobRequests);
    EXPECT_TRUE(rig.workers.started.empty());
    for (std::size_t i = 0; i < rig.others.size(); ++i) {  // each answer brings more of them
      const auto request = rig.others[i];
      ::holdfast::link::v1::Frame frame;
      auto* data = frame.mutable_blob_data();
      data->set_digest(request.blob_request().digest());
      data->set_sha256(request.blob_request().sha256());
      data->set_offset(request.blob_request().offset());
      std::string piece =
          content.substr(request.blob_request().offset(), request.blob_request().length());
      if (!good) piece[0] = 'x';
      data->set_data(piece);
      rig.Send(frame);
    }
    ASSERT_EQ(rig.workers.started.size(), good ? 1U : 0U);
    if (good) {
      EXPECT_FALSE(rig.workers.started[0].blob_path.empty());
      rig.Exit(rig.LastWorker());
    } else {
      EXPECT_EQ(rig.FinalOf(rig.ups.back()).failure(), pb::COMMAND_FAILURE_BLOB_CORRUPT);
    }
    EXPECT_TRUE(rig.spool_disk.blobs.empty());
  }
}

TEST(WardenTest, AsksForABlobAgainAfterTenSecondsAndFailsWhenItIsMissing) {
  WardenRig rig;
  rig.Open();
  auto command = rig.Query();
  command.mutable_put()->set_path("/tmp/x");
  auto* blob = command.add_blobs();
  blob->set_sha256(std::string(32, 'h'));
  blob->set_size(10);
  rig.others.clear();
  rig.Deliver(rig.Sign(command));
  EXPECT_EQ(rig.others.size(), 1U);
  rig.Advance(std::chrono::seconds(10));
  EXPECT_EQ(rig.others.size(), 2U);
  ::holdfast::link::v1::Frame frame;
  frame.mutable_blob_data()->set_digest(rig.others[0].blob_request().digest());
  frame.mutable_blob_data()->set_sha256(rig.others[0].blob_request().sha256());
  frame.mutable_blob_data()->set_missing(true);
  rig.Send(frame);
  EXPECT_EQ(rig.FinalOf(rig.ups.back()).failure(), pb::COMMAND_FAILURE_BLOB_MISSING);
}

TEST(WardenTest, SendsASmallAnswerBeforeTheBacklogOfALargeOne) {
  WardenRig rig;
  rig.Open();
  const std::string large = rig.Sign(rig.Query('1'));
  rig.Deliver(large);
  const WorkerId bulk = rig.LastWorker();
  rig.Deliver(rig.Sign(rig.Query('2')));
  const WorkerId quick = rig.LastWorker();
  rig.Ack(rig.DigestOf(large), 1, 2);
  // Both write before the link takes anything.
  for (int i = 0; i < 3; ++i) {
    rig.warden->OnWorkerMessage(bulk, WorkerMessageType::kOutput, std::string(200'000, 'x'),
                                rig.at);
  }
  rig.warden->OnWorkerMessage(quick, WorkerMessageType::kOutput, "row", rig.at);
  rig.ups.clear();
  rig.Pump();
  EXPECT_EQ(rig.ups.front().chunk().data(), "row");
}

TEST(WardenTest, StopsReadingAWorkerWhoseOutputNobodyTakes) {
  WardenRig rig;
  rig.Open();
  auto command = rig.Query();
  command.mutable_get()->set_path("/big");
  rig.Deliver(rig.Sign(command));
  const std::string piece(link::kMaxChunkBytes, 'x');
  std::uint64_t bytes = 0;
  const auto fill = [&] {
    while (rig.warden->WantsOutput(rig.LastWorker()) && bytes < 2 * kMaxUnackedBytes) {
      rig.warden->OnWorkerMessage(rig.LastWorker(), WorkerMessageType::kOutput, piece, rig.at);
      bytes += piece.size();
    }
  };
  // While a link may show at any moment what it carries, little is cut into pieces for it.
  fill();
  EXPECT_LE(bytes, 2 * piece.size());
  // Without one all that may be kept: 64 MiB, in 4096 pieces of 16 KiB at most.
  rig.Close();
  fill();
  EXPECT_LE(bytes, kMaxUnackedBytes);
  EXPECT_GT(bytes, kMaxUnackedBytes * 9 / 10);
}

TEST(WardenTest, IgnoresAcksThatMakeNoSense) {
  WardenRig rig;
  rig.Open();
  const std::string envelope = rig.Sign(rig.Query());
  const Digest digest = rig.DigestOf(envelope);
  rig.Deliver(envelope);
  rig.Ack(digest, 1, 99);
  rig.Ack(digest, 7, 0);
  rig.Ack(digest, 1, 2, true);  // an end that was never sent
  EXPECT_FALSE(rig.warden->is_idle());
  rig.Exit(rig.LastWorker());
  EXPECT_EQ(rig.disk.Row(digest)->state, CommandState::kDone);
}

// A signed "no" holds, whatever whoever can make up acknowledgements does to the memory of refusals.
TEST(WardenEarlyTest, NeverRunsWhatItRefusedAsIssuedInTheFuture) {
  WardenRig rig;
  rig.Open();
  auto command = rig.Query();
  command.set_issued_at_ms(rig.at.wall.get() + std::uint64_t{6} * 60 * 1000);
  command.set_not_after_ms(rig.at.wall.get() + kHourMs);
  const std::string envelope = rig.Sign(command);
  rig.Deliver(envelope);
  ASSERT_EQ(rig.FinalOf(rig.ups.back()).failure(), pb::COMMAND_FAILURE_NOT_YET_VALID);
  rig.Ack(rig.DigestOf(envelope), 1, 1, true);
  for (int i = 0; i < 300; ++i) {
    std::string made_up(32, 'x');
    made_up[0] = static_cast<char>(i);
    made_up[1] = static_cast<char>(i >> 8);
    rig.Ack(*Digest::From(made_up), 1, 1, false, true);
  }
  rig.Advance(std::chrono::minutes(2));
  rig.Deliver(envelope);
  rig.Restart();
  rig.Open();
  rig.Deliver(envelope);
  EXPECT_TRUE(rig.workers.started.empty());
}

}  // namespace
}  // namespace holdfast::agent
