#include "backend/core/control_rollouts.h"

#include <gtest/gtest.h>

#include "common/sign/envelope.h"
#include "holdfast/command/v1/command.pb.h"
#include "tests/support/fake_store.h"
#include "tests/support/seeded_crypto.h"

namespace holdfast::backend {
namespace {

namespace pb = ::holdfast::command::v1;
using ::holdfast::testing::FakeStore;
using ::holdfast::testing::SeededCrypto;

constexpr std::uint64_t kSilent = 300'000;

class RolloutsTest : public ::testing::Test {
 protected:
  // A ring of `count` agents that comes after those of `after`.
  Digest Accept(char fill, std::size_t count, const std::vector<Digest>& after) {
    pb::Command command;
    for (const Digest& digest : after) command.mutable_update()->add_after(digest.str());
    command.mutable_update();
    CommandRow row;
    row.digest = *Digest::From(std::string(32, fill));
    row.command_id = *CommandId::From(std::string(16, fill));
    row.envelope =
        sign::SignEnvelope(crypto_, *key_, sign::kCommandType, command.SerializeAsString()).value();
    row.verb = "update";
    row.not_after_ms = 100'000'000;
    std::vector<AgentId> agents;
    for (std::size_t i = 0; i < count; ++i) agents.push_back(AgentOf(fill, i));
    const Digest digest = row.digest;
    ledger_.Accept(std::move(row), agents, now_);
    return digest;
  }
  static AgentId AgentOf(char fill, std::size_t i) {
    std::string id(16, fill);
    id[0] = static_cast<char>(i & 0xFF);
    id[1] = static_cast<char>(i >> 8);
    return *AgentId::From(id);
  }
  void Send(const Digest& digest, char fill, std::size_t i) {
    ASSERT_TRUE(ledger_.MarkSent({digest, AgentOf(fill, i)}, now_));
  }
  void End(const Digest& digest, char fill, std::size_t i, pb::Outcome outcome = pb::OUTCOME_DONE) {
    const auto failure = outcome == pb::OUTCOME_DONE ? pb::COMMAND_FAILURE_UNSPECIFIED
                                                     : pb::COMMAND_FAILURE_ROLLED_BACK;
    ASSERT_TRUE(ledger_.End({digest, AgentOf(fill, i)}, {outcome, failure, "", "signed"}, now_));
  }
  void Pass(std::uint64_t ms) {
    now_.wall = WallTime(now_.wall_ms() + ms);
    now_.at += Duration(static_cast<std::int64_t>(ms));
  }
  void Commit() {
    ASSERT_TRUE(ledger_.WriteChanges(store_).ok());
    ASSERT_TRUE(audit_.Write(store_).ok());
    ASSERT_TRUE(store_.Commit().ok());
    audit_.Keep();
    (void)ledger_.Keep();
  }
  std::size_t Open(const Digest& digest) const { return ledger_.OpenTargetsOf(digest).size(); }

  SeededCrypto crypto_{1};
  std::unique_ptr<sign::SigningKey> key_ = crypto_.GenerateKey().value();
  FakeStore store_;
  AuditLog audit_{crypto_};
  Ledger ledger_{Ledger::Options(), audit_};
  Rollouts rollouts_{ledger_, store_};
  Moment now_{TimePoint(Duration(1'000'000)), WallTime(1'000'000)};
};

TEST_F(RolloutsTest, TheFirstRingGoesAndTheNextWaitsUntilItHasGoneWell) {
  const Digest first = Accept('a', 2, {});
  const Digest next = Accept('b', 10, {first});
  EXPECT_TRUE(rollouts_.Judge(now_).empty());
  EXPECT_FALSE(ledger_.IsHeldBack(first));
  EXPECT_TRUE(ledger_.IsHeldBack(next));
  Send(first, 'a', 0);
  Send(first, 'a', 1);
  End(first, 'a', 0);
  rollouts_.Judge(now_);
  EXPECT_TRUE(ledger_.IsHeldBack(next)) << "one of two is under way";
  End(first, 'a', 1);
  Commit();  // the first ring has left memory
  rollouts_.Judge(now_);
  EXPECT_FALSE(ledger_.IsHeldBack(next));
}

TEST_F(RolloutsTest, OneThatFailsInASmallRingHaltsAllThatComeAfter) {
  const Digest first = Accept('a', 2, {});
  const Digest next = Accept('b', 10, {first});
  const Digest last = Accept('c', 10, {next});
  Send(first, 'a', 0);
  End(first, 'a', 0, pb::OUTCOME_FAILED);
  EXPECT_EQ(rollouts_.Judge(now_), std::vector<Digest>{next});
  EXPECT_EQ(Open(next), 0U);
  EXPECT_EQ(Open(first), 0U) << "what waits of the failed ring does not begin either";
  EXPECT_EQ(ledger_.Find({next, AgentOf('b', 3)})->failure, pb::COMMAND_FAILURE_HALTED);
  EXPECT_EQ(ledger_.Find({next, AgentOf('b', 3)})->outcome, pb::OUTCOME_REFUSED);
  Commit();
  EXPECT_EQ(rollouts_.Judge(now_), std::vector<Digest>{last});
  EXPECT_EQ(Open(last), 0U);
}

TEST_F(RolloutsTest, OneInAHundredIsBorneAndTwoAreNot) {
  const Digest first = Accept('a', 100, {});
  const Digest next = Accept('b', 1, {first});
  for (std::size_t i = 0; i < 99; ++i) {
    Send(first, 'a', i);
    End(first, 'a', i, i == 0 ? pb::OUTCOME_FAILED : pb::OUTCOME_DONE);
  }
  EXPECT_TRUE(rollouts_.Judge(now_).empty());
  EXPECT_FALSE(ledger_.IsHeldBack(next)) << "who is away is not waited for";
  Send(first, 'a', 99);
  rollouts_.Judge(now_);
  EXPECT_TRUE(ledger_.IsHeldBack(next)) << "and is, once he has it";
  End(first, 'a', 99, pb::OUTCOME_FAILED);
  EXPECT_EQ(rollouts_.Judge(now_).size(), 1U);
}

TEST_F(RolloutsTest, SilenceCountsAsFailureWhenItsTimeIsOver) {
  const Digest first = Accept('a', 2, {});
  const Digest next = Accept('b', 1, {first});
  Send(first, 'a', 0);
  Send(first, 'a', 1);
  End(first, 'a', 0);
  Pass(kSilent);
  EXPECT_TRUE(rollouts_.Judge(now_).empty());
  EXPECT_TRUE(ledger_.IsHeldBack(next));
  Pass(1);
  EXPECT_EQ(rollouts_.Judge(now_).size(), 1U);
  EXPECT_EQ(Open(first), 1U) << "the silent one may still answer";
}

TEST_F(RolloutsTest, ARingInWhichNobodyIsThereProvesNothing) {
  const Digest first = Accept('a', 3, {});
  const Digest next = Accept('b', 1, {first});
  Pass(10 * kSilent);
  EXPECT_TRUE(rollouts_.Judge(now_).empty());
  EXPECT_TRUE(ledger_.IsHeldBack(next));
}

TEST_F(RolloutsTest, AfterARestartTheSameIsHeldBackAndTheSameIsJudged) {
  const Digest first = Accept('a', 1, {});
  const Digest next = Accept('b', 1, {first});
  Send(first, 'a', 0);
  Commit();
  AuditLog audit(crypto_);
  Ledger again(Ledger::Options(), audit);
  ASSERT_TRUE(audit.Load(store_).ok());
  ASSERT_TRUE(again.Load(store_).ok());
  EXPECT_TRUE(again.IsHeldBack(next)) << "before anything was judged";
  Rollouts judge(again, store_);
  judge.Judge(now_);
  EXPECT_TRUE(again.IsHeldBack(next));
  ASSERT_TRUE(again.End({first, AgentOf('a', 0)},
                        {pb::OUTCOME_DONE, pb::COMMAND_FAILURE_UNSPECIFIED, "", "signed"}, now_));
  judge.Judge(now_);
  EXPECT_FALSE(again.IsHeldBack(next));
}

TEST_F(RolloutsTest, ARingOfSeveralCommandsIsOneRing) {
  const Digest one = Accept('a', 60, {});
  const Digest two = Accept('b', 60, {});
  const Digest next = Accept('c', 1, {one, two});
  for (std::size_t i = 0; i < 60; ++i) {
    Send(one, 'a', i);
    Send(two, 'b', i);
    End(one, 'a', i, i == 0 ? pb::OUTCOME_FAILED : pb::OUTCOME_DONE);
    if (i > 0) End(two, 'b', i);
  }
  rollouts_.Judge(now_);
  EXPECT_TRUE(ledger_.IsHeldBack(next));
  EXPECT_EQ(Open(next), 1U) << "1 of 120 is less than one in a hundred";
  End(two, 'b', 0);
  rollouts_.Judge(now_);
  EXPECT_FALSE(ledger_.IsHeldBack(next));
}

}  // namespace
}  // namespace holdfast::backend
