#include "agent/core/admission.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "agent/core/limits.h"
#include "tests/support/warden_rig.h"

namespace holdfast::agent {
namespace {

namespace pb = ::holdfast::command::v1;
using ::holdfast::testing::WardenRig;

TEST(AdmissionTest, RefusesTheCommandAboveTheBoundOnOpenOnes) {
  WardenRig rig;
  rig.Open();
  std::string last;
  for (std::size_t i = 0; i <= kMaxOpenCommands; ++i) {
    last = rig.Sign(rig.Query(static_cast<char>(i + 1)));
    rig.Deliver(last);
  }
  EXPECT_EQ(rig.workers.started.size(), kMaxRunningWorkers);
  EXPECT_EQ(rig.FinalOf(rig.ups.back()).failure(), pb::COMMAND_FAILURE_TOO_MANY_OPEN);
  EXPECT_EQ(rig.disk.Row(rig.DigestOf(last))->state, CommandState::kDone);
  rig.Exit(rig.workers.started[0].id);
  EXPECT_EQ(rig.workers.started.size(), kMaxRunningWorkers + 1);
}

TEST(AdmissionTest, RefusesWhileTheSpoolIsFull) {
  WardenRig rig;
  rig.Open();
  rig.spool_disk.max_bytes = 0;
  rig.Deliver(rig.Sign(rig.Query()));
  EXPECT_EQ(rig.FinalOf(rig.ups.back()).failure(), pb::COMMAND_FAILURE_SPOOL_FULL);
  rig.spool_disk.max_bytes = 1 << 20;
  rig.spool_disk.is_full = true;  // by somebody else
  rig.Deliver(rig.Sign(rig.Query('2')));
  EXPECT_EQ(rig.FinalOf(rig.ups.back()).failure(), pb::COMMAND_FAILURE_SPOOL_FULL);
  rig.spool_disk.is_full = false;
  rig.Deliver(rig.Sign(rig.Query('3')));
  EXPECT_EQ(rig.workers.started.size(), 1U);
}

TEST(AdmissionTest, TakesACancelWhenItTakesNoMoreCommandsAndItsSpoolIsFull) {
  WardenRig rig;
  rig.Open();
  std::vector<std::string> open;
  for (std::size_t i = 0; i < kMaxOpenCommands; ++i) {
    open.push_back(rig.Sign(rig.Query(static_cast<char>(i + 1))));
    rig.Deliver(open.back());
  }
  rig.spool_disk.max_bytes = 0;
  auto cancel = rig.Query('\x7f');
  cancel.mutable_cancel()->set_digest(rig.DigestOf(open.front()).str());
  const std::string envelope = rig.Sign(cancel);
  rig.ups.clear();
  rig.Deliver(envelope);
  EXPECT_EQ(rig.Story(rig.DigestOf(envelope)), "1.0:received");
  EXPECT_TRUE(rig.workers.was_killed(rig.workers.started.front().id));
  rig.Gone(rig.workers.started.front().id, {0, 9, false});
  EXPECT_EQ(rig.Story(rig.DigestOf(envelope)), "1.1:DONE");
}

TEST(AdmissionTest, DropsCancelsAboveTheirBoundWithoutAnAnswerAndTakesThemLater) {
  WardenRig rig;
  rig.Open();
  const std::string running = rig.Sign(rig.Query('r'));
  rig.Deliver(running);
  auto cancel = rig.Query();
  cancel.mutable_cancel()->set_digest(rig.DigestOf(running).str());
  std::string last;
  for (std::size_t i = 0; i <= kMaxOpenCancels; ++i) {
    cancel.set_command_id(std::string(15, 'x') + static_cast<char>(i + 1));
    last = rig.Sign(cancel);
    rig.Deliver(last);
  }
  EXPECT_EQ(rig.Story(rig.DigestOf(last)), "");
  EXPECT_EQ(rig.disk.rows.size(), 1 + kMaxOpenCancels);
  rig.Deliver(rig.Sign(rig.Query('n')));
  EXPECT_EQ(rig.workers.started.size(), 2U);  // nor do they take the place of commands
  rig.Gone(rig.workers.started.front().id, {0, 9, false});
  const auto done = rig.ups;
  for (const auto& up : done) {
    if (up.has_final()) rig.Ack(*Digest::From(up.digest()), 1, up.seq() + 1, true);
  }
  rig.ups.clear();
  rig.Deliver(last);
  EXPECT_EQ(rig.Story(rig.DigestOf(last)), "1.0:received 1.1:DONE");
}

TEST(AdmissionTest, SaysAtOnceThatItRefusesAlsoWhenTheJournalTakesNoMoreThanTheRow) {
  WardenRig rig;
  rig.Open();
  rig.spool_disk.is_full = rig.disk.is_full = true;
  rig.disk.spare_writes = 1;
  const std::string envelope = rig.Sign(rig.Query());
  const Digest digest = rig.DigestOf(envelope);
  rig.Deliver(envelope);
  EXPECT_EQ(rig.Story(digest), "1.0:REFUSED");
  ASSERT_EQ(rig.disk.Row(digest)->state, CommandState::kReceived);
  rig.spool_disk.is_full = rig.disk.is_full = false;
  rig.Restart();
  EXPECT_TRUE(rig.workers.started.empty());
  rig.ups.clear();
  rig.Open();
  rig.Ack(digest, 1, 0, false, true);
  EXPECT_EQ(rig.Story(digest), "1.0:REFUSED");
  rig.Ack(digest, 1, 1, true);
  EXPECT_EQ(rig.disk.Row(digest)->state, CommandState::kForgotten);
}

}  // namespace
}  // namespace holdfast::agent
