#include "agent/core/isolation.h"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "agent/core/limits.h"
#include "tests/support/fake_fence.h"
#include "tests/support/warden_rig.h"

namespace holdfast::agent {
namespace {

namespace pb = ::holdfast::command::v1;
using ::holdfast::testing::FakeFence;
using ::holdfast::testing::FakeIsolationFile;
using ::holdfast::testing::WardenRig;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// --- the core by itself ------------------------------------------------------------------------------------

class IsolationTest : public ::testing::Test {
 protected:
  IsolationTest() { Start(); }

  // The agent ends, with or without the machine.
  void Start() { core = std::make_unique<Isolation>(fence, file, log); }
  void Reboot(Duration off, const std::string& boot) {
    fence.closed = false;  // rules do not survive the kernel
    file.boot = boot;
    at.now = TimePoint(seconds(20));
    at.wall = WallTime(at.wall.get() + static_cast<std::uint64_t>(off.count()));
    Start();
    core->Recover(at);
  }
  void Advance(Duration by) {
    at.now += by;
    at.wall = WallTime(at.wall.get() + static_cast<std::uint64_t>(by.count()));
    core->OnTick(at);
  }
  static Digest Named(char name) { return *Digest::From(std::string(32, name)); }
  static pb::IsolateArgs For(Duration duration, const std::vector<std::string>& allow = {}) {
    pb::IsolateArgs args;
    args.set_duration_ms(static_cast<std::uint64_t>(duration.count()));
    for (const auto& text : allow) args.add_allow(text);
    return args;
  }
  void Isolate(char name, Duration duration, const std::vector<std::string>& allow = {}) {
    core->Isolate(Named(name), For(duration, allow), at);
  }
  void Hold(char name, Duration duration, const std::vector<std::string>& allow = {}) {
    Isolate(name, duration, allow);
    core->OnAcknowledged(Named(name), at);
    EXPECT_EQ(Verdict(name), pb::COMMAND_FAILURE_UNSPECIFIED);
  }
  // Of this command, which must be the next.
  pb::CommandFailure Verdict(char name) {
    auto verdict = core->NextVerdict();
    if (!verdict) {
      ADD_FAILURE() << "no verdict for " << name;
      return pb::COMMAND_FAILURE_WORKER_DIED;
    }
    EXPECT_EQ(verdict->first, Named(name));
    words = verdict->second.message;
    return verdict->second.failure;
  }

  FakeFence fence;
  FakeIsolationFile file;
  LogQueue log;
  Moment at{TimePoint(hours(1)), WallTime(1'796'064'000'000)};  // 2026-11-30 18:40 UTC
  std::unique_ptr<Isolation> core;
  std::string words;  // of the last verdict
};

TEST_F(IsolationTest, ClosesAndEndsDoneWhenTheLinkHasAnswered) {
  Isolate('a', hours(4), {"10.0.0.0/8"});
  EXPECT_TRUE(fence.closed);
  EXPECT_EQ(fence.allowed, std::vector<std::string>{"10.0.0.0/8"});
  EXPECT_FALSE(core->NextVerdict());
  core->OnAcknowledged(Named('x'), at);  // of another command
  EXPECT_FALSE(core->NextVerdict());
  Advance(seconds(2));
  core->OnAcknowledged(Named('a'), at);
  EXPECT_EQ(Verdict('a'), pb::COMMAND_FAILURE_UNSPECIFIED);
  EXPECT_EQ(words, "isolated until 2026-11-30 22:40:00 UTC");
  EXPECT_TRUE(fence.closed);
  EXPECT_TRUE(core->is_closed());
}

TEST_F(IsolationTest, TheRecordIsOnTheDiskBeforeARuleStands) {
  file.refuse = Error{Code::kExhausted, "disk full"};
  Isolate('a', hours(4));
  EXPECT_EQ(fence.closes, 0);
  EXPECT_FALSE(core->NextVerdict());  // the record may be there: not before it is known to be gone
  file.refuse.reset();
  Advance(Isolation::kRetry);
  EXPECT_EQ(Verdict('a'), pb::COMMAND_FAILURE_IO);
  EXPECT_FALSE(core->is_closed());
}

TEST_F(IsolationTest, RollsBackWhenTheLinkDoesNotComeBackInTime) {
  Isolate('a', hours(4));
  Advance(kIsolationProof - milliseconds(1));
  EXPECT_TRUE(fence.closed);
  EXPECT_FALSE(core->NextVerdict());
  Advance(milliseconds(1));
  EXPECT_FALSE(fence.closed);
  EXPECT_FALSE(file.bytes);
  EXPECT_EQ(Verdict('a'), pb::COMMAND_FAILURE_ROLLED_BACK);
  EXPECT_FALSE(core->is_closed());
  EXPECT_FALSE(core->NextDeadline());
}

TEST_F(IsolationTest, AWelcomeOfALinkThatWasOpenedUnderTheRulesIsProofToo) {
  core->OnLinkOpened();
  Isolate('a', hours(4));
  core->OnWelcome(at);  // asked for before the rules stood
  EXPECT_FALSE(core->NextVerdict());
  core->OnLinkOpened();
  core->OnWelcome(at);
  EXPECT_EQ(Verdict('a'), pb::COMMAND_FAILURE_UNSPECIFIED);
}

TEST_F(IsolationTest, TheKernelOpensByItselfIfTheAgentIsGone) {
  Isolate('a', hours(4));
  EXPECT_EQ(fence.left, kIsolationProof + Isolation::kKernelLate);  // nothing is proven yet
  core->OnAcknowledged(Named('a'), at);
  EXPECT_EQ(fence.left, hours(4) + Isolation::kKernelLate);
}

TEST_F(IsolationTest, SaysWhatItCannotDo) {
  Isolate('1', minutes(4));
  EXPECT_EQ(Verdict('1'), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  Isolate('2', hours(24 * 30) + seconds(1));
  EXPECT_EQ(Verdict('2'), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  Isolate('3', hours(1), {"10.0.0.0/33"});
  EXPECT_EQ(Verdict('3'), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  Isolate('4', hours(1), std::vector<std::string>(kMaxAllowed + 1, "10.0.0.1"));
  EXPECT_EQ(Verdict('4'), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  pb::IsolateArgs endless;
  endless.set_duration_ms(UINT64_MAX);
  core->Isolate(Named('5'), endless, at);
  EXPECT_EQ(Verdict('5'), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  fence.refuse = fence.refuse_open = Error{Code::kDenied, "not root"};
  Isolate('6', hours(1));
  EXPECT_EQ(Verdict('6'), pb::COMMAND_FAILURE_PERMISSION);
  fence.refuse = fence.refuse_open = Error{Code::kUnsupported, "no nftables"};
  Isolate('7', hours(1));
  EXPECT_EQ(Verdict('7'), pb::COMMAND_FAILURE_UNSUPPORTED);
  EXPECT_FALSE(file.bytes);
  EXPECT_FALSE(core->is_closed());
  EXPECT_EQ(file.saves, 2);  // of the two that got so far
}

TEST_F(IsolationTest, EndsByItselfWhenItsTimeIsOverAndNoClockIsAsked) {
  Hold('a', hours(4));
  at.wall = WallTime(1000);  // 1970
  Advance(hours(4) - milliseconds(1));
  EXPECT_TRUE(fence.closed);
  at.wall = WallTime(4'000'000'000'000);  // 2096
  Advance(milliseconds(1));
  EXPECT_FALSE(fence.closed);
  EXPECT_FALSE(file.bytes);
  EXPECT_FALSE(core->NextDeadline());
}

TEST_F(IsolationTest, AClockThatIsSetForwardDoesNotReleaseIt) {
  Hold('a', hours(4));
  at.wall = WallTime(4'000'000'000'000);
  Advance(minutes(1));
  EXPECT_TRUE(fence.closed);
}

TEST_F(IsolationTest, GoesOnAfterTheAgentWasStartedAgainForTheTimeThatIsLeft) {
  Hold('a', hours(4), {"10.0.0.0/8"});
  Advance(hours(1));
  Start();
  at.wall = WallTime(1000);  // it is the same boot: the clock has no say
  core->Recover(at);
  EXPECT_EQ(fence.left, hours(3) + Isolation::kKernelLate);
  EXPECT_EQ(fence.allowed, std::vector<std::string>{"10.0.0.0/8"});
  Advance(hours(3));
  EXPECT_FALSE(fence.closed);
}

TEST_F(IsolationTest, GoesOnAfterARebootForTheTimeThatIsLeftByTheClock) {
  Hold('a', hours(4));
  Reboot(hours(1), "boot-2");
  EXPECT_TRUE(fence.closed);
  EXPECT_EQ(fence.left, hours(3) + Isolation::kKernelLate);
  Reboot(hours(3), "boot-3");
  EXPECT_FALSE(fence.closed);
  EXPECT_FALSE(file.bytes);
}

TEST_F(IsolationTest, AClockThatWasSetBackOverARebootMakesItNoLonger) {
  Hold('a', hours(4));
  Advance(hours(1));  // its age is written down meanwhile
  at.wall = WallTime(1000);
  Reboot(Duration(0), "boot-2");
  EXPECT_EQ(fence.left, hours(3) + Isolation::kKernelLate);
  EXPECT_TRUE(fence.closed);
}

TEST_F(IsolationTest, WhatHadNotProvenItselfIsTakenBackAtTheNextStart) {
  Isolate('a', hours(4));
  Start();
  core->Recover(at);
  EXPECT_FALSE(fence.closed);
  EXPECT_FALSE(file.bytes);
}

TEST_F(IsolationTest, ARecordThatNobodyCanReadClosesNothing) {
  Hold('a', hours(4));
  for (std::size_t i = 0; i < file.bytes->size(); ++i) {
    FakeIsolationFile damaged = file;
    (*damaged.bytes)[i] = static_cast<char>((*damaged.bytes)[i] ^ 1);
    EXPECT_FALSE(ParseIsolation(*damaged.bytes, "boot-1", at).ok()) << i;
  }
  file.bytes->resize(40);
  Start();
  core->Recover(at);
  EXPECT_FALSE(fence.closed);
  EXPECT_FALSE(file.bytes);
}

TEST_F(IsolationTest, ASecondOneReplacesTimeAndNetworksAndSaysSo) {
  Hold('a', hours(4), {"10.0.0.0/8"});
  Isolate('b', hours(1), {"10.9.0.0/16"});
  core->OnAcknowledged(Named('b'), at);
  EXPECT_EQ(Verdict('b'), pb::COMMAND_FAILURE_UNSPECIFIED);
  EXPECT_EQ(words, "isolated until 2026-11-30 19:40:00 UTC, no more until 2026-11-30 22:40:00 UTC");
  EXPECT_EQ(fence.allowed, std::vector<std::string>{"10.9.0.0/16"});
  Advance(hours(1));
  EXPECT_FALSE(fence.closed);
}

TEST_F(IsolationTest, ASecondOneThatFailsLeavesTheFirst) {
  Hold('a', hours(4), {"10.0.0.0/8"});
  Isolate('b', hours(1), {"10.9.0.0/16"});
  Advance(kIsolationProof);
  EXPECT_EQ(Verdict('b'), pb::COMMAND_FAILURE_ROLLED_BACK);
  EXPECT_TRUE(fence.closed);
  EXPECT_EQ(fence.allowed, std::vector<std::string>{"10.0.0.0/8"});
  Start();
  core->Recover(at);
  EXPECT_EQ(fence.allowed, std::vector<std::string>{"10.0.0.0/8"});
}

TEST_F(IsolationTest, OneOnTrialIsEndedByALaterOne) {
  Isolate('a', hours(4));
  Isolate('b', hours(2));
  EXPECT_EQ(Verdict('a'), pb::COMMAND_FAILURE_ROLLED_BACK);
  core->OnAcknowledged(Named('a'), at);
  EXPECT_FALSE(core->NextVerdict());
  core->OnAcknowledged(Named('b'), at);
  EXPECT_EQ(Verdict('b'), pb::COMMAND_FAILURE_UNSPECIFIED);
}

TEST_F(IsolationTest, TheSameCommandAgainIsAnsweredFromTheRecord) {
  Hold('a', hours(4));
  Advance(hours(1));
  Start();
  core->Recover(at);
  Isolate('a', hours(4));  // run again: its result was not yet written
  EXPECT_EQ(Verdict('a'), pb::COMMAND_FAILURE_UNSPECIFIED);
  EXPECT_EQ(words, "isolated until 2026-11-30 22:40:00 UTC");
}

TEST_F(IsolationTest, ReleaseOpensAndForgetsBeforeItSaysSo) {
  Hold('a', hours(4));
  fence.refuse_open = Error{Code::kUnavailable, "no memory"};
  core->Release(Named('r'), at);
  EXPECT_FALSE(core->NextVerdict());
  fence.refuse_open.reset();
  file.refuse = Error{Code::kUnavailable, "EIO"};
  Advance(Isolation::kRetry);
  EXPECT_FALSE(core->NextVerdict());
  file.refuse.reset();
  Advance(Isolation::kRetry);
  EXPECT_EQ(Verdict('r'), pb::COMMAND_FAILURE_UNSPECIFIED);
  EXPECT_EQ(words, "released; it was isolated until 2026-11-30 22:40:00 UTC");
  EXPECT_FALSE(file.bytes);
  core->Release(Named('s'), at);
  EXPECT_EQ(Verdict('s'), pb::COMMAND_FAILURE_UNSPECIFIED);
  EXPECT_EQ(words, "it was not isolated");
}

TEST_F(IsolationTest, SomebodyAtTheMachineCanReleaseIt) {
  file.is_release_asked = true;
  Hold('a', hours(4));  // an old wish does not count
  Advance(Isolation::kLook);
  EXPECT_TRUE(fence.closed);
  file.is_release_asked = true;
  Advance(Isolation::kLook);
  EXPECT_FALSE(fence.closed);
  EXPECT_FALSE(core->is_closed());
}

TEST_F(IsolationTest, ClosesAgainWhatSomebodyElseHasFlushed) {
  Hold('a', hours(4));
  fence.closed = false;
  Advance(Isolation::kLook);
  EXPECT_TRUE(fence.closed);
  EXPECT_EQ(fence.left, hours(4) - Isolation::kLook + Isolation::kKernelLate);
}

TEST_F(IsolationTest, ATrialThatIsWithdrawnIsTakenBack) {
  Isolate('a', hours(4));
  core->Withdraw(Named('x'), at);
  EXPECT_TRUE(fence.closed);
  core->Withdraw(Named('a'), at);
  EXPECT_FALSE(fence.closed);
  EXPECT_FALSE(core->NextVerdict());
}

TEST_F(IsolationTest, RulesThatDoNotComeUpAtTheStartAreTriedAgain) {
  Hold('a', hours(4));
  fence.refuse = Error{Code::kUnavailable, "no memory"};
  Reboot(minutes(1), "boot-2");
  EXPECT_FALSE(fence.closed);
  EXPECT_TRUE(file.bytes);
  fence.refuse.reset();
  Advance(Isolation::kRetry);
  EXPECT_TRUE(fence.closed);
}

TEST_F(IsolationTest, AnOpenMachineIsNeverWokenForIt) {
  core->Recover(at);
  EXPECT_FALSE(core->NextDeadline());
  EXPECT_EQ(fence.closes, 0);
}

// --- in warden ---------------------------------------------------------------------------------------------

std::string SignedIsolate(WardenRig& rig, char id, Duration duration = hours(4)) {
  auto command = rig.Query(id);
  command.set_idempotent(true);
  command.mutable_isolate()->set_duration_ms(static_cast<std::uint64_t>(duration.count()));
  return rig.Sign(command);
}

std::string SignedRelease(WardenRig& rig, char id) {
  auto command = rig.Query(id);
  command.set_idempotent(true);
  command.mutable_release();
  return rig.Sign(command);
}

TEST(WardenIsolationTest, TheAckOfStartedIsTheProof) {
  WardenRig rig;
  rig.Open();
  const std::string envelope = SignedIsolate(rig, 'i');
  const Digest digest = rig.DigestOf(envelope);
  rig.Deliver(envelope);
  EXPECT_TRUE(rig.fence.closed);
  EXPECT_EQ(rig.Story(digest), "1.0:received 1.1:started");
  EXPECT_TRUE(rig.workers.started.empty());
  rig.Ack(digest, 1, 1);  // Received may have been sent before the rules stood
  EXPECT_EQ(rig.Story(digest), "");
  rig.Ack(digest, 1, 2);
  EXPECT_EQ(rig.Story(digest), "1.2:DONE");
  rig.Advance(hours(4));
  EXPECT_FALSE(rig.fence.closed);
}

TEST(WardenIsolationTest, TheFailureReachesTheAnalystOverTheNextLink) {
  WardenRig rig;
  rig.Open();
  const std::string envelope = SignedIsolate(rig, 'i');
  const Digest digest = rig.DigestOf(envelope);
  rig.Deliver(envelope);
  rig.Close();
  rig.Advance(kIsolationProof);
  EXPECT_FALSE(rig.fence.closed);
  rig.ups.clear();
  rig.Open();
  rig.Ack(digest, 1, 0, false, true);
  rig.TakeAll(digest);
  EXPECT_EQ(rig.FinalOf(rig.ups.back()).failure(), pb::COMMAND_FAILURE_ROLLED_BACK);
}

TEST(WardenIsolationTest, WaitsForNoPlaceAndNoRoom) {
  WardenRig rig;
  rig.Open();
  for (char id = 1; id <= 9; ++id) rig.Deliver(rig.Sign(rig.Query(id)));  // eight run, one waits
  rig.spool_disk.is_full = true;
  rig.Deliver(SignedIsolate(rig, 'i'));
  EXPECT_TRUE(rig.fence.closed);
  rig.Deliver(SignedRelease(rig, 'r'));
  EXPECT_FALSE(rig.fence.closed);
}

TEST(WardenIsolationTest, AnAgentThatDiesOnTrialTriesAgain) {
  WardenRig rig;
  rig.Open();
  const std::string envelope = SignedIsolate(rig, 'i');
  const Digest digest = rig.DigestOf(envelope);
  rig.Deliver(envelope);
  rig.ups.clear();
  rig.Restart();
  EXPECT_TRUE(rig.fence.closed);  // the command's second attempt
  rig.Open();
  EXPECT_TRUE(rig.isolation.bytes);  // held, by the Welcome
  rig.Ack(digest, 2, 0, false, true);
  rig.TakeAll(digest);
  EXPECT_EQ(rig.FinalOf(rig.ups.back()).outcome(), pb::OUTCOME_DONE);
  EXPECT_EQ(rig.ups.back().attempt(), 2U);
}

TEST(WardenIsolationTest, ACancelTakesTheTrialBack) {
  WardenRig rig;
  rig.Open();
  const std::string envelope = SignedIsolate(rig, 'i');
  const Digest digest = rig.DigestOf(envelope);
  rig.Deliver(envelope);
  auto cancel = rig.Query('c');
  cancel.mutable_cancel()->set_digest(digest.str());
  rig.Deliver(rig.Sign(cancel));
  EXPECT_FALSE(rig.fence.closed);
  EXPECT_FALSE(rig.isolation.bytes);
  rig.Ack(digest, 1, 2);
  EXPECT_TRUE(rig.Story(digest).ends_with("1.2:CANCELLED"));
}

TEST(WardenIsolationTest, TellsTheLinkProcessThatItMustSayWhereItDials) {
  WardenRig rig;
  rig.Open();
  const auto told = [&] {
    std::string out;
    for (const auto& [type, payload] : rig.told) {
      if (type == LinkMessageType::kClosedIn) out += payload == "\1" ? "closed " : "open ";
    }
    rig.told.clear();
    return out;
  };
  rig.Deliver(SignedIsolate(rig, 'i'));
  EXPECT_EQ(told(), "closed ");
  rig.warden->OnLinkStopped("killed");
  rig.warden->OnLinkStarted();
  rig.Pump();
  EXPECT_EQ(told(), "closed ");
  rig.Open();
  rig.Deliver(SignedRelease(rig, 'r'));
  EXPECT_EQ(told(), "open ");
}

}  // namespace
}  // namespace holdfast::agent
