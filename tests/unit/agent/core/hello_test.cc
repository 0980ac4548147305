#include "agent/core/hello.h"

#include <string>

#include <gtest/gtest.h>

#include "agent/core/limits.h"
#include "tests/support/warden_rig.h"

namespace holdfast::agent {
namespace {

namespace pb = ::holdfast::command::v1;
using ::holdfast::testing::kHourMs;
using ::holdfast::testing::WardenRig;

// --- a disk that others have filled --------------------------------------------------------------

TEST(GreetingTest, GivesUpTheReserveForTheEpochAndTheContactAndKeepsItAgainWhenThereIsRoom) {
  WardenRig rig;
  ASSERT_TRUE(rig.disk.has_reserve);
  rig.disk.is_full = rig.spool_disk.is_full = true;
  rig.Open();
  EXPECT_TRUE(rig.warden->is_open());
  EXPECT_EQ(rig.disk.meta.epoch, 1U);
  EXPECT_FALSE(rig.disk.has_reserve);
  rig.Advance(kReserveRetry);
  EXPECT_FALSE(rig.disk.has_reserve);
  ASSERT_TRUE(rig.warden->NextDeadline().has_value());
  EXPECT_LE(*rig.warden->NextDeadline(), rig.at.now + kReserveRetry);
  rig.disk.is_full = rig.spool_disk.is_full = false;
  rig.Advance(kReserveRetry);
  EXPECT_TRUE(rig.disk.has_reserve);
  EXPECT_FALSE(rig.warden->NextDeadline().has_value());
}

TEST(GreetingTest, DoesNotTakeTheLastRoomForTheReserve) {
  WardenRig rig;
  rig.disk.has_reserve = false;
  rig.spool_disk.is_full = true;  // below the floor, and not yet at nothing
  rig.Open();
  EXPECT_TRUE(rig.warden->is_open());
  EXPECT_FALSE(rig.disk.has_reserve);
}

TEST(GreetingTest, SaysNoHelloWhenNeitherDiskNorReserveHasRoom) {
  WardenRig rig;
  rig.disk.is_full = rig.spool_disk.is_full = true;
  rig.disk.has_reserve = false;
  rig.Dial();
  EXPECT_TRUE(rig.others.empty());
  EXPECT_EQ(rig.warden->last_close()->reason, link::CloseReason::CLOSE_REASON_TRY_LATER);
}

TEST(GreetingTest, AnswersOnAFullDiskThatItHasNoJournal) {
  WardenRig rig;
  rig.disk.is_full = rig.spool_disk.is_full = true;
  rig.Open();
  rig.disk.spare_writes = 0;
  rig.Deliver(rig.Sign(rig.Query()));
  EXPECT_EQ(rig.FinalOf(rig.ups.back()).outcome(), pb::OUTCOME_REFUSED);
  EXPECT_TRUE(rig.workers.started.empty());
}

// --- a journal that went back in time ------------------------------------------------------------

class RevertedTest : public ::testing::Test {
 protected:
  void Welcome(bool is_reverted) {
    ::holdfast::link::v1::Frame welcome;
    welcome.mutable_welcome()->set_epoch(rig_.disk.meta.epoch);
    welcome.mutable_welcome()->set_contact(std::string(16, 'k'));
    welcome.mutable_welcome()->set_journal_reverted(is_reverted);
    rig_.Send(welcome, rig_.disk.meta.epoch);
  }
  WardenRig rig_;
};

TEST_F(RevertedTest, BeginsANewIncarnationAndDialsAgain) {
  const JournalMeta before = rig_.disk.meta;
  rig_.Dial();
  Welcome(true);
  EXPECT_FALSE(rig_.warden->is_open());
  ASSERT_EQ(rig_.told.back().first, LinkMessageType::kHangUp);
  EXPECT_EQ(rig_.told.back().second[0],
            static_cast<char>(link::CloseReason::CLOSE_REASON_GOING_AWAY));
  EXPECT_NE(rig_.disk.meta.incarnation, before.incarnation);
  EXPECT_EQ(rig_.disk.meta.birth, rig_.at.wall);
  rig_.Close();
  rig_.others.clear();
  rig_.Dial();
  const auto envelope =
      sign::ParseEnvelope(rig_.others[0].hello().envelope(), sign::kHelloType).value();
  const auto hello = sign::ParseHello(envelope.payload()).value();
  EXPECT_EQ(hello.incarnation(), rig_.disk.meta.incarnation.str());
  EXPECT_EQ(hello.conn_epoch(), before.epoch + 2);
  EXPECT_TRUE(hello.contact().empty());
}

TEST_F(RevertedTest, RunsNothingThatWasSignedBeforeAndWhatIsSignedAfter) {
  const std::string replayed = rig_.Sign(rig_.Query('1'));
  rig_.Dial();
  Welcome(true);
  rig_.Close();
  rig_.Open();
  rig_.Deliver(replayed);
  EXPECT_EQ(rig_.FinalOf(rig_.ups.back()).failure(), pb::COMMAND_FAILURE_BEFORE_BIRTH);
  EXPECT_TRUE(rig_.workers.started.empty());
  rig_.Advance(std::chrono::seconds(5));
  rig_.Deliver(rig_.Sign(rig_.Query('2')));
  EXPECT_EQ(rig_.workers.started.size(), 1U);
}

// The server alone says that a journal went back: a lying one must not gain by it. This clock is behind the
// signer's, so that no birth by this clock would keep the command out.
TEST_F(RevertedTest, RunsNothingTwiceWhoeverSaysThatTheJournalWentBack) {
  auto command = rig_.Query('1');
  command.set_issued_at_ms(rig_.at.wall.get() + 120'000);
  const std::string replayed = rig_.Sign(command);
  for (const bool is_answered : {false, true}) {
    rig_.Open();
    rig_.Deliver(replayed);
    if (is_answered) break;
    ASSERT_EQ(rig_.workers.started.size(), 1U);
    rig_.Close();
    rig_.Dial();
    Welcome(true);
    rig_.Close();
  }
  EXPECT_EQ(rig_.workers.started.size(), 1U);
}

// Waiting in the snapshot, run after it was taken: only the server knows, and only once it was asked.
TEST_F(RevertedTest, DoesNotRunWhatTheSnapshotHeldAsReceived) {
  for (const bool is_reverted : {true, false}) {
    rig_.Open();
    const char first = is_reverted ? 'A' : 'a';  // the ids of the others stay known
    for (int i = 0; i < 8; ++i) {
      rig_.Deliver(rig_.Sign(rig_.Query(static_cast<char>(first + i))));
    }
    const std::string waiting = rig_.Sign(rig_.Query(is_reverted ? 'W' : 'w'));
    rig_.Deliver(waiting);
    ASSERT_EQ(rig_.disk.Row(rig_.DigestOf(waiting))->state, CommandState::kReceived);
    rig_.Restart();
    EXPECT_TRUE(rig_.workers.started.empty());
    rig_.Dial();
    Welcome(is_reverted);
    EXPECT_TRUE(rig_.workers.started.empty());
    if (!is_reverted) {
      rig_.Ack(rig_.DigestOf(waiting), 1, 1, false, true);
      EXPECT_EQ(rig_.workers.started.size(), 1U);
    } else {
      EXPECT_TRUE(rig_.journal->Open().value().empty());
      EXPECT_TRUE(rig_.warden->is_idle());
    }
    rig_.Advance(std::chrono::seconds(5));
  }
}

TEST_F(RevertedTest, EndsWhatRunsWithTheIncarnationThatStartedIt) {
  rig_.Open();
  rig_.Deliver(rig_.Sign(rig_.Query()));
  rig_.Output(rig_.LastWorker(), std::string(50'000, 'o'));
  rig_.Close();
  rig_.Dial();
  Welcome(true);
  EXPECT_TRUE(rig_.workers.was_killed(rig_.LastWorker()));
  EXPECT_TRUE(rig_.spool_disk.streams.empty());
  rig_.ups.clear();
  rig_.Gone(rig_.LastWorker(), {0, 9, false});
  rig_.Close();
  rig_.Open();
  EXPECT_TRUE(rig_.ups.empty());
  EXPECT_TRUE(rig_.warden->is_idle());
}

TEST_F(RevertedTest, HangsUpUntilTheNewIncarnationIsOnTheDisk) {
  rig_.Dial();
  const Nonce16 before = rig_.disk.meta.incarnation;
  rig_.disk.fail_next = 1;
  Welcome(true);
  EXPECT_EQ(rig_.disk.meta.incarnation, before);
  EXPECT_EQ(rig_.warden->last_close()->reason, link::CloseReason::CLOSE_REASON_TRY_LATER);
}

TEST_F(RevertedTest, TakesNoNoticeOfAWelcomeThatIsNotDue) {
  rig_.Open();
  const Nonce16 before = rig_.disk.meta.incarnation;
  Welcome(true);
  EXPECT_EQ(rig_.disk.meta.incarnation, before);
  EXPECT_EQ(rig_.warden->last_close()->reason, link::CloseReason::CLOSE_REASON_UNEXPECTED_FRAME);
}

}  // namespace
}  // namespace holdfast::agent
