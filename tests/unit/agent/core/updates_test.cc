// What an agent does with `update`: the warden on fakes, with papers that are good until a test changes one thing.
#include "agent/core/updates.h"

#include <utility>

#include <gtest/gtest.h>

#include "tests/support/update_papers.h"
#include "tests/support/warden_rig.h"

namespace holdfast::agent {
namespace {

using ::holdfast::testing::kHourMs;
using ::holdfast::testing::kNowMs;
using ::holdfast::testing::UpdatePapers;
using ::holdfast::testing::WardenRig;
namespace pb = ::holdfast::command::v1;
constexpr Duration kSecond = std::chrono::seconds(1);

class UpdatesTest : public ::testing::Test {
 protected:
  UpdatesTest() { rig.Open(); }

  Digest Deliver(const pb::Command& command) {
    const std::string envelope = rig.Sign(command);
    rig.Deliver(envelope);
    return rig.DigestOf(envelope);
  }
  Digest DeliverGood() { return Deliver(papers.GoodCommand(rig.Query('u'))); }
  // The bytes come, as long as they are asked for.
  void SendBlob(const Digest& command, const std::string& bytes) {
    ::holdfast::link::v1::Frame frame;
    auto* data = frame.mutable_blob_data();
    data->set_digest(command.str());
    data->set_sha256(rig.crypto.Sha256(papers.program).str());
    data->set_data(bytes);
    rig.Send(frame);
  }
  // Up to the moment when the worker has put the program into its place.
  Digest Stage() {
    const Digest digest = DeliverGood();
    SendBlob(digest, papers.program);
    EXPECT_EQ(rig.workers.started.size(), 1U);
    rig.Exit(rig.LastWorker());
    return digest;
  }
  // As BecomeChosenProgram would: the record chooses, and another program runs.
  void StartAgain() {
    auto record = rig.updates.record();
    const NextProgram next = ChooseProgram(record, "0.1.0", WallTime(kNowMs));
    if (next.has_changed) rig.updates.bytes = FormatUpdate(record);
    rig.updates.program = {next.program ? next.program->version : "0.1.0", "amd64",
                           next.program.has_value()};
    rig.ups.clear();
    rig.Restart();
    rig.Open();
  }
  // What control has of it is said at once.
  pb::Result End(const Digest& digest) {
    for (int i = 0; i < 5 && (rig.ups.empty() || !rig.ups.back().has_final()); ++i) {
      if (rig.ups.empty()) {
        rig.Ack(digest, 1, 2);
      } else {
        rig.Ack(digest, rig.ups.back().attempt(), rig.ups.back().seq() + 1);
      }
    }
    EXPECT_FALSE(rig.ups.empty());
    if (rig.ups.empty() || !rig.ups.back().has_final()) return {};
    return rig.FinalOf(rig.ups.back());
  }
  pb::Result Refusal(const pb::Command& command) {
    rig.ups.clear();
    const pb::Result result = End(Deliver(command));
    EXPECT_EQ(result.outcome(), pb::OUTCOME_FAILED);
    EXPECT_TRUE(rig.workers.started.empty());
    EXPECT_TRUE(rig.others.empty() || !rig.others.back().has_blob_request()) << "it fetched";
    return result;
  }

  WardenRig rig;
  UpdatePapers papers{rig.crypto, rig.fleet};
};

TEST_F(UpdatesTest, FetchesStagesRestartsAndIsDoneWhenTheNewProgramHasHeldItsLink) {
  const Digest digest = Stage();
  ASSERT_TRUE(rig.warden->wants_restart());
  EXPECT_EQ(rig.updates.record().trial->program.version, "0.2.0");
  EXPECT_EQ(rig.updates.record().trial->starts, 0U) << "a start counts it";
  StartAgain();
  EXPECT_FALSE(rig.warden->wants_restart());
  rig.Advance(59 * kSecond);
  EXPECT_TRUE(rig.updates.record().trial);
  EXPECT_FALSE(rig.updates.is_timer_stopped);
  rig.Advance(2 * kSecond);
  EXPECT_TRUE(rig.updates.is_timer_stopped);
  EXPECT_EQ(rig.updates.record().current->version, "0.2.0");
  EXPECT_FALSE(rig.updates.record().trial);
  const pb::Result result = End(digest);
  EXPECT_EQ(result.outcome(), pb::OUTCOME_DONE);
  EXPECT_EQ(result.message(), "runs 0.2.0");
}

TEST_F(UpdatesTest, AProgramWithoutALinkIsTakenBackAndTheOneBeforeSaysSo) {
  const Digest digest = Stage();
  StartAgain();
  rig.Close();
  rig.Advance(181 * kSecond);
  ASSERT_TRUE(rig.warden->wants_restart());
  EXPECT_FALSE(rig.updates.record().trial);
  StartAgain();
  EXPECT_EQ(rig.updates.program.version, "0.1.0");
  const pb::Result result = End(digest);
  EXPECT_EQ(result.failure(), pb::COMMAND_FAILURE_ROLLED_BACK);
  EXPECT_NE(result.message().find("no link for 180 s"), std::string::npos) << result.message();
}

TEST_F(UpdatesTest, ALinkThatIsLostBeginsTheProofAnew) {
  Stage();
  StartAgain();
  rig.Advance(50 * kSecond);
  rig.Close();
  rig.Advance(20 * kSecond);
  EXPECT_TRUE(rig.updates.record().trial);
  rig.Open();
  rig.Advance(59 * kSecond);
  EXPECT_TRUE(rig.updates.record().trial);
  rig.Advance(2 * kSecond);
  EXPECT_FALSE(rig.updates.record().trial);
}

TEST_F(UpdatesTest, AProgramThatEndsThreeTimesIsTakenBackAndNothingElseIsBlamed) {
  rig.Deliver(rig.Sign(rig.Query('q')));  // waits for its answer to be taken
  const auto query = rig.LastWorker();
  const Digest digest = DeliverGood();
  SendBlob(digest, papers.program);
  rig.Exit(rig.LastWorker());
  EXPECT_FALSE(rig.warden->wants_restart()) << "something runs";
  rig.Exit(query);
  ASSERT_TRUE(rig.warden->wants_restart());
  rig.Deliver(rig.Sign(rig.Query('w')));  // comes now, and waits for the next program
  EXPECT_EQ(rig.workers.started.size(), 2U);
  rig.disk.meta.is_clean = false;
  for (int start = 0; start < 3; ++start) {
    StartAgain();
    EXPECT_EQ(rig.updates.program.version, "0.2.0");
  }
  StartAgain();
  EXPECT_EQ(rig.updates.program.version, "0.1.0");
  EXPECT_EQ(rig.updates.record().failed->why, "it ended 3 times before it had proven itself");
  EXPECT_EQ(End(digest).failure(), pb::COMMAND_FAILURE_ROLLED_BACK);
  for (const auto& row : rig.disk.rows) EXPECT_EQ(row.recoveries, 0U);
}

TEST_F(UpdatesTest, WhatRunsMayEndFirstAndNothingNewBegins) {
  auto act = rig.Query('x');
  act.mutable_exec()->add_argv("sleep");
  act.clear_query();
  rig.Deliver(rig.Sign(act));
  const auto sleeper = rig.LastWorker();
  const Digest digest = DeliverGood();
  SendBlob(digest, papers.program);
  rig.Exit(rig.LastWorker());
  rig.Deliver(rig.Sign(rig.Query('l')));
  EXPECT_EQ(rig.workers.started.size(), 2U) << "the later query waits";
  rig.Advance(110 * kSecond);
  EXPECT_FALSE(rig.warden->wants_restart());
  rig.Exit(sleeper);
  EXPECT_TRUE(rig.warden->wants_restart());
  EXPECT_EQ(rig.workers.started.size(), 2U);
}

TEST_F(UpdatesTest, AProgramThatMayNotRunTwiceAndDoesNotEndIsNotCutOff) {
  auto act = rig.Query('x');
  act.mutable_exec()->add_argv("sleep");
  rig.Deliver(rig.Sign(act));
  const Digest digest = DeliverGood();
  SendBlob(digest, papers.program);
  rig.Exit(rig.LastWorker());
  rig.ups.clear();
  rig.Advance(121 * kSecond);
  EXPECT_FALSE(rig.warden->wants_restart());
  EXPECT_EQ(End(digest).failure(), pb::COMMAND_FAILURE_BUSY);
  EXPECT_FALSE(rig.updates.bytes && rig.updates.record().trial);
  // And the agent goes on as before.
  rig.Deliver(rig.Sign(rig.Query('l')));
  EXPECT_EQ(rig.workers.started.size(), 3U);
}

TEST_F(UpdatesTest, AReadThatMayRunAgainIsCutOffAfterTheSameTime) {
  auto read = rig.Query('x');
  read.set_idempotent(true);
  rig.Deliver(rig.Sign(read));
  const Digest digest = DeliverGood();
  SendBlob(digest, papers.program);
  rig.Exit(rig.LastWorker());
  rig.Advance(121 * kSecond);
  ASSERT_TRUE(rig.warden->wants_restart());
  StartAgain();
  EXPECT_EQ(rig.workers.started.size(), 1U) << "it runs again, under the new program";
}

TEST_F(UpdatesTest, ARecordThatCannotBeWrittenLeavesWhatRuns) {
  const Digest digest = DeliverGood();
  SendBlob(digest, papers.program);
  rig.updates.refuse = Error{Code::kExhausted, "No space left on device"};
  rig.ups.clear();
  rig.Exit(rig.LastWorker());
  EXPECT_FALSE(rig.warden->wants_restart());
  const pb::Result result = End(digest);
  EXPECT_EQ(result.failure(), pb::COMMAND_FAILURE_IO);
  EXPECT_NE(result.message().find("No space left"), std::string::npos);
}

TEST_F(UpdatesTest, AProofThatCannotBeWrittenIsTriedAgainBeforeAnybodyIsTold) {
  const Digest digest = Stage();
  StartAgain();
  rig.updates.refuse = Error{Code::kExhausted, "No space left on device"};
  rig.Advance(61 * kSecond);
  EXPECT_FALSE(rig.updates.is_timer_stopped);
  rig.updates.refuse.reset();
  rig.Advance(3 * kSecond);
  EXPECT_EQ(End(digest).outcome(), pb::OUTCOME_DONE);
}

TEST_F(UpdatesTest, ADeathAnywhereBetweenProofAndResultEndsInTheSameResult) {
  const Digest digest = Stage();
  StartAgain();
  rig.Advance(61 * kSecond);
  // The record says proven; the result was not written.
  for (auto& row : rig.disk.rows) {
    if (row.digest == digest) row.state = CommandState::kStarted;
  }
  rig.ups.clear();
  StartAgain();
  const pb::Result result = End(digest);
  EXPECT_EQ(result.outcome(), pb::OUTCOME_DONE);
  EXPECT_EQ(result.message(), "runs 0.2.0 already");
}

// Every write of an update is once the last that happens, and once the first that does not.
TEST_F(UpdatesTest, ADeathAtAnyWriteLeavesAnAgentThatEndsUpUpdatedAndSaysSo) {
  int deaths = 0;
  for (const bool is_after : {false, true}) {
    for (std::uint64_t write = 1; write < 20; ++write) {
      WardenRig world(static_cast<std::uint32_t>(write));
      world.updates.disk = &world.disk;
      world.Open();
      const UpdatePapers world_papers(world.crypto, world.fleet);
      const std::string envelope = world.Sign(world_papers.GoodCommand(world.Query('u')));
      const Digest digest = world.DigestOf(envelope);
      world.disk.crash_at = world.disk.writes + write;
      world.disk.crash_after = is_after;
      bool has_died = false;
      bool is_done = false;
      // A life of the agent a turn: what is asked for is given, until the end is told.
      for (int life = 0; life < 8 && !is_done; ++life) {
        if (life > 0) {
          has_died = has_died || world.disk.is_crashed;
          UpdateRecord record;
          if (world.updates.bytes) record = world.updates.record();
          const NextProgram next = ChooseProgram(record, "0.1.0", WallTime(kNowMs));
          if (next.has_changed) world.updates.bytes = FormatUpdate(record);
          world.updates.program = {next.program ? next.program->version : "0.1.0", "amd64",
                                   next.program.has_value()};
          world.ups.clear();
          world.warden.reset();
          if (std::exchange(world.disk.is_crashed, false)) world.disk.crash_at.reset();
          world.Start();
          if (world.disk.is_crashed) continue;  // as it started
          ASSERT_TRUE(world.recovered);
          world.Open();
        }
        world.Deliver(envelope);
        for (int turn = 0; turn < 12 && !is_done; ++turn) {
          if (world.disk.is_crashed || world.warden->wants_restart()) break;
          if (!world.others.empty() && world.others.back().has_blob_request()) {
            world.others.clear();
            ::holdfast::link::v1::Frame frame;
            frame.mutable_blob_data()->set_digest(digest.str());
            frame.mutable_blob_data()->set_sha256(world.crypto.Sha256(world_papers.program).str());
            frame.mutable_blob_data()->set_data(world_papers.program);
            world.Send(frame);
          }
          if (!world.workers.started.empty()) {
            const auto worker = world.LastWorker();
            world.workers.started.clear();
            world.Exit(worker);
          }
          for (const auto& up : std::vector(world.ups)) {
            if (up.digest() != digest.view()) continue;
            if (up.has_final()) {
              EXPECT_EQ(world.FinalOf(up).outcome(), pb::OUTCOME_DONE) << write;
              is_done = true;
            }
            world.Ack(digest, up.attempt(), up.seq() + 1);
          }
          if (!is_done) world.Ack(digest, 1, 1);
          world.Advance(20 * kSecond);
        }
      }
      EXPECT_TRUE(is_done) << "write " << write << (is_after ? " after" : " before");
      EXPECT_EQ(world.updates.record().current->version, "0.2.0");
      EXPECT_EQ(world.updates.program.version, "0.2.0");
      deaths += has_died ? 1 : 0;
    }
  }
  EXPECT_GT(deaths, 15) << "it hardly died";
}

// --- what is refused: the attacks that TUF names ---------------------------------------------------

TEST_F(UpdatesTest, ArbitrarySoftwareIsNotFetched) {
  auto release = papers.GoodRelease();
  const std::string forged =
      papers.SignBy({&papers.keys[0]}, sign::kReleaseType, release.SerializeAsString());
  const auto result =
      Refusal(papers.Command(rig.Query('a'), papers.Sign(papers.GoodRoot()), forged));
  EXPECT_EQ(result.failure(), pb::COMMAND_FAILURE_REFUSED_CONTENT);
  EXPECT_NE(result.message().find("1 valid signatures, 2 are due"), std::string::npos);
}

TEST_F(UpdatesTest, RollbackIsRefused) {
  rig.updates.program.version = "0.3.0";
  EXPECT_EQ(Refusal(papers.GoodCommand(rig.Query('a'))).failure(),
            pb::COMMAND_FAILURE_REFUSED_CONTENT);
}

TEST_F(UpdatesTest, NothingBelowTheFloorIsInstalledAgain) {
  UpdateRecord record;
  record.floor = "0.2.1";
  rig.updates.bytes = FormatUpdate(record);
  StartAgain();
  const auto result = Refusal(papers.GoodCommand(rig.Query('a')));
  EXPECT_EQ(result.failure(), pb::COMMAND_FAILURE_REFUSED_CONTENT);
  EXPECT_NE(result.message().find("oldest allowed"), std::string::npos);
}

TEST_F(UpdatesTest, TheFloorRisesWithTheProgramAndNotWithItsPapers) {
  auto release = papers.GoodRelease();
  release.set_floor("0.2.0");
  const auto command =
      papers.Command(rig.Query('u'), papers.Sign(papers.GoodRoot()), papers.Sign(release));
  const Digest digest = Deliver(command);
  EXPECT_EQ(rig.updates.record().floor, "");
  SendBlob(digest, papers.program);
  rig.Exit(rig.LastWorker());
  EXPECT_EQ(rig.updates.record().floor, "");
  StartAgain();
  rig.Advance(61 * kSecond);
  EXPECT_EQ(rig.updates.record().floor, "0.2.0");
}

TEST_F(UpdatesTest, FreezeIsRefusedWhenItsTimeIsOver) {
  auto release = papers.GoodRelease();
  release.set_expires_ms(kNowMs - 1);
  EXPECT_EQ(
      Refusal(papers.Command(rig.Query('a'), papers.Sign(papers.GoodRoot()), papers.Sign(release)))
          .failure(),
      pb::COMMAND_FAILURE_REFUSED_CONTENT);
  auto root = papers.GoodRoot();
  root.set_expires_ms(kNowMs - 1);
  EXPECT_EQ(
      Refusal(papers.Command(rig.Query('b'), papers.Sign(root), papers.Sign(papers.GoodRelease())))
          .failure(),
      pb::COMMAND_FAILURE_REFUSED_CONTENT);
}

TEST_F(UpdatesTest, AKeyThatWasTakenOutOfTheRootIsWorthNothingAnyMore) {
  auto next = papers.GoodRoot();
  next.set_version(2);
  const auto fresh = rig.fleet.NewKey();
  next.clear_keys();
  next.add_keys(fresh->public_key().str());
  next.set_threshold(1);
  // Whatever comes of it, the newer root was seen ...
  EXPECT_EQ(
      Refusal(papers.Command(rig.Query('a'), papers.Sign(next), papers.Sign(papers.GoodRelease())))
          .failure(),
      pb::COMMAND_FAILURE_REFUSED_CONTENT);
  EXPECT_EQ(rig.updates.record().root_version, 2U);
  // ... and the older one, good as its signatures are, is not taken again.
  const auto result = Refusal(papers.GoodCommand(rig.Query('b')));
  EXPECT_NE(result.message().find("an older update root"), std::string::npos);
  StartAgain();
  EXPECT_EQ(Refusal(papers.GoodCommand(rig.Query('c'))).failure(),
            pb::COMMAND_FAILURE_REFUSED_CONTENT);
}

TEST_F(UpdatesTest, AnAgentThatKnowsAnOldRootTakesALaterOneWithoutThoseBetween) {
  auto root = papers.GoodRoot();
  root.set_version(7);
  const Digest digest =
      Deliver(papers.Command(rig.Query('u'), papers.Sign(root), papers.Sign(papers.GoodRelease())));
  SendBlob(digest, papers.program);
  rig.Exit(rig.LastWorker());
  EXPECT_TRUE(rig.warden->wants_restart());
}

TEST_F(UpdatesTest, WrongSoftwareIsRefused) {
  rig.updates.program.arch = "arm64";
  const auto result = Refusal(papers.GoodCommand(rig.Query('a')));
  EXPECT_EQ(result.failure(), pb::COMMAND_FAILURE_REFUSED_CONTENT);
  EXPECT_EQ(result.message(), "release 0.2.0 has no program for arm64");
}

TEST_F(UpdatesTest, ProgramsOfAnotherReleaseAreNoMatch) {
  auto command = papers.GoodCommand(rig.Query('a'));
  command.mutable_blobs(0)->set_sha256(std::string(32, 'o'));
  EXPECT_EQ(Refusal(command).failure(), pb::COMMAND_FAILURE_REFUSED_CONTENT);
}

TEST_F(UpdatesTest, OtherBytesOfTheRightLengthAreThrownAway) {
  const Digest digest = DeliverGood();
  std::string other = papers.program;
  other[3] = '#';
  rig.ups.clear();
  SendBlob(digest, other);
  EXPECT_EQ(End(digest).failure(), pb::COMMAND_FAILURE_BLOB_CORRUPT);
  EXPECT_TRUE(rig.workers.started.empty());
}

TEST_F(UpdatesTest, EndlessBytesAreNotTakenBeyondTheSignedSize) {
  const Digest digest = DeliverGood();
  SendBlob(digest, papers.program + "and more");
  EXPECT_TRUE(rig.workers.started.empty());
  EXPECT_EQ(rig.spool_disk.blobs[digest].size(), 0U);
}

TEST_F(UpdatesTest, ADiskWithoutRoomForItSaysSoAtOnce) {
  const Digest digest = DeliverGood();
  rig.spool_disk.is_full = true;
  rig.ups.clear();
  SendBlob(digest, papers.program);
  const auto result = End(digest);
  EXPECT_EQ(result.failure(), pb::COMMAND_FAILURE_IO);
  EXPECT_NE(result.message().find("no room"), std::string::npos);
}

TEST_F(UpdatesTest, ASlowServerIsGivenUpOn) {
  const Digest digest = DeliverGood();
  SendBlob(digest, "the");
  rig.Advance(std::chrono::minutes(29));
  rig.ups.clear();
  rig.Advance(std::chrono::minutes(2));
  EXPECT_EQ(End(digest).failure(), pb::COMMAND_FAILURE_WALL_LIMIT);
}

TEST_F(UpdatesTest, NothingIsDoneTwiceAtOnce) {
  DeliverGood();
  rig.others.clear();
  EXPECT_EQ(Refusal(papers.GoodCommand(rig.Query('b'))).failure(), pb::COMMAND_FAILURE_BUSY);
}

TEST_F(UpdatesTest, OneThatMayNotBeTakenUpAgainIsRefused) {
  auto command = papers.GoodCommand(rig.Query('a'));
  command.set_idempotent(false);
  EXPECT_EQ(Refusal(command).failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  command = papers.GoodCommand(rig.Query('b'));
  command.mutable_update()->set_hold_ms(2 * kHourMs);
  EXPECT_EQ(Refusal(command).failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
}

TEST_F(UpdatesTest, ACancelBeforeTheTrialLeavesWhatRuns) {
  const Digest digest = DeliverGood();
  auto cancel = rig.Query('k');
  cancel.mutable_cancel()->set_digest(digest.str());
  rig.ups.clear();
  rig.Deliver(rig.Sign(cancel));
  SendBlob(digest, papers.program);
  EXPECT_TRUE(rig.workers.started.empty());
  EXPECT_FALSE(rig.warden->wants_restart());
  // And the next one may come.
  Deliver(papers.GoodCommand(rig.Query('n')));
  EXPECT_TRUE(rig.others.back().has_blob_request());
}

TEST_F(UpdatesTest, ADamagedRecordIsNoReasonNotToWork) {
  rig.updates.bytes = "nonsense";
  rig.updates.program = {"0.1.0", "amd64", false};
  rig.Restart();
  rig.Open();
  rig.Deliver(rig.Sign(rig.Query('q')));
  EXPECT_EQ(rig.workers.started.size(), 1U);
}

}  // namespace
}  // namespace holdfast::agent
