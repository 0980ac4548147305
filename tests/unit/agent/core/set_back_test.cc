// A journal that was put back to an older copy with no link made in between: the contact still fits, and only
// what control says of single commands shows it.
#include <string>

#include <gtest/gtest.h>

#include "agent/core/limits.h"
#include "common/link/limits.h"
#include "tests/support/warden_rig.h"

namespace holdfast::agent {
namespace {

namespace pb = ::holdfast::command::v1;
using ::holdfast::testing::kHourMs;
using ::holdfast::testing::WardenRig;

class SetBackTest : public ::testing::Test {
 protected:
  SetBackTest() { rig_.Open(); }
  // The machine goes back to what its disk held then, and dials again.
  void GoBackTo(const testing::FakeDisk& snapshot) {
    const std::uint64_t epoch = rig_.disk.meta.epoch;
    rig_.disk = snapshot;
    rig_.disk.meta.epoch = epoch;  // the fake server takes any
    rig_.Restart();
    rig_.ups.clear();
    rig_.Open();
  }
  void ExpectSetBack(const Digest& digest, std::uint32_t attempt) {
    ASSERT_FALSE(rig_.ups.empty());
    EXPECT_EQ(rig_.ups.back().attempt(), attempt);
    const auto result = rig_.FinalOf(rig_.ups.back());
    EXPECT_EQ(result.outcome(), pb::OUTCOME_INTERRUPTED);
    EXPECT_EQ(result.failure(), pb::COMMAND_FAILURE_JOURNAL_LOST);
    EXPECT_TRUE(rig_.workers.started.empty());
    rig_.Ack(digest, attempt, 1, true);
    EXPECT_TRUE(rig_.warden->is_idle());
  }
  WardenRig rig_;
};

TEST_F(SetBackTest, AnswersForWhatControlHasAReceiptOfAndTheJournalDoesNotKnow) {
  const testing::FakeDisk snapshot = rig_.disk;
  const std::string envelope = rig_.Sign(rig_.Query());
  const Digest digest = rig_.DigestOf(envelope);
  rig_.Deliver(envelope);
  GoBackTo(snapshot);
  rig_.Ack(digest, 1, 2, false, true);  // control's question
  rig_.Deliver(envelope);               // and whoever else repeats it
  ExpectSetBack(digest, 2);
  rig_.Deliver(envelope);
  EXPECT_TRUE(rig_.workers.started.empty());
}

// Somebody who writes to Redis, or a gateway, made it up: counted on from there, the attempt would wrap to 0, which no
// server takes, and the endpoint would be cut off at every link to come.
TEST_F(SetBackTest, LooksAwayFromAnAttemptThatNobodyCanHaveCome) {
  const std::string envelope = rig_.Sign(rig_.Query());
  const Digest digest = rig_.DigestOf(envelope);
  rig_.Deliver(envelope);
  for (const std::uint32_t absurd : {link::kMaxAttempt, link::kMaxAttempt + 1, UINT32_MAX}) {
    rig_.Restart();
    rig_.ups.clear();
    rig_.Open();
    rig_.Ack(digest, absurd, 0, false, true);
    rig_.Ack(*Digest::From(std::string(32, 'x')), absurd, 1, false, true);
    for (const auto& up : rig_.ups) EXPECT_LT(up.attempt(), 3U) << absurd;
  }
  rig_.Ack(digest, 1, 0, false, true);  // what control really has
  ASSERT_FALSE(rig_.ups.empty());
  EXPECT_EQ(rig_.FinalOf(rig_.ups.back()).outcome(), pb::OUTCOME_INTERRUPTED);
}

TEST_F(SetBackTest, DoesNotRunWhatTheSnapshotHeldAsReceivedAndControlKnowsAsStarted) {
  for (char id = 1; id <= 8; ++id) rig_.Deliver(rig_.Sign(rig_.Query(id)));
  const std::string waiting = rig_.Sign(rig_.Query('w'));
  const Digest digest = rig_.DigestOf(waiting);
  rig_.Deliver(waiting);
  testing::FakeDisk snapshot = rig_.disk;
  std::erase_if(snapshot.rows, [&](const auto& row) { return row.digest != digest; });
  GoBackTo(snapshot);
  EXPECT_TRUE(rig_.workers.started.empty());
  rig_.Ack(digest, 1, 2, false, true);
  rig_.Ack(digest, 2, 0, false, true);
  ExpectSetBack(digest, 2);
}

TEST_F(SetBackTest, DoesNotRunWhatTheSnapshotHeldAsReceivedAndControlKnowsAsOver) {
  for (char id = 1; id <= 8; ++id) rig_.Deliver(rig_.Sign(rig_.Query(id)));
  const std::string waiting = rig_.Sign(rig_.Query('w'));
  const Digest digest = rig_.DigestOf(waiting);
  rig_.Deliver(waiting);
  testing::FakeDisk snapshot = rig_.disk;
  std::erase_if(snapshot.rows, [&](const auto& row) { return row.digest != digest; });
  GoBackTo(snapshot);
  rig_.Ack(digest, 1, 1, true);
  EXPECT_TRUE(rig_.warden->is_idle());
  EXPECT_EQ(rig_.disk.Row(digest)->state, CommandState::kForgotten);
  rig_.Deliver(waiting);
  EXPECT_TRUE(rig_.workers.started.empty());
}

TEST_F(SetBackTest, EndsAReadWhoseLaterAttemptControlHasHeardOf) {
  auto command = rig_.Query();
  command.set_idempotent(true);
  const std::string envelope = rig_.Sign(command);
  const Digest digest = rig_.DigestOf(envelope);
  rig_.Deliver(envelope);
  GoBackTo(rig_.disk);
  ASSERT_EQ(rig_.workers.started.size(), 1U);  // attempt 2
  rig_.Ack(digest, 4, 1, false, true);
  EXPECT_TRUE(rig_.workers.was_killed(rig_.LastWorker()));
  rig_.Gone(rig_.LastWorker(), {0, 9, false});
  rig_.workers.started.clear();
  ExpectSetBack(digest, 5);
}

TEST_F(SetBackTest, SaysNothingToAcksOfWhatItHasAnswered) {
  const std::string envelope = rig_.Sign(rig_.Query());
  const Digest digest = rig_.DigestOf(envelope);
  rig_.Deliver(envelope);
  rig_.Exit(rig_.LastWorker());
  rig_.Ack(digest, 1, 3, true);
  rig_.ups.clear();
  rig_.Ack(digest, 1, 2, false, true);  // came twice, and late
  rig_.Ack(digest, 1, 3, true);
  rig_.Ack(Digest(), 1, 0, false, true);  // of nothing that it received
  EXPECT_TRUE(rig_.ups.empty());
  EXPECT_TRUE(rig_.warden->is_idle());
}

}  // namespace
}  // namespace holdfast::agent
