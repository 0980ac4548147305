#include "backend/core/control_ledger.h"

#include <gtest/gtest.h>

#include "tests/support/fake_store.h"
#include "tests/support/seeded_crypto.h"

namespace holdfast::backend {
namespace {

namespace pb = ::holdfast::command::v1;
using ::holdfast::testing::FakeStore;
using ::holdfast::testing::SeededCrypto;

class LedgerTest : public ::testing::Test {
 protected:
  static Ledger::Options Small() {
    Ledger::Options options;
    options.max_open_per_agent = 3;
    options.max_open_bytes_per_agent = 1000;
    options.max_open_deliveries = 5;
    return options;
  }
  static Moment At(std::uint64_t ms) { return {TimePoint(Duration(ms)), WallTime(ms)}; }
  static CommandRow Command(char fill, std::uint64_t not_after_ms = 1000) {
    CommandRow row;
    row.digest = *Digest::From(std::string(32, fill));
    row.command_id = *CommandId::From(std::string(16, fill));
    row.envelope = std::string(100, 'e');
    row.verb = "query";
    row.operator_id = "ann";
    row.not_after_ms = not_after_ms;
    return row;
  }
  DeliveryKey Accept(char fill, std::uint64_t not_after_ms = 1000) {
    CommandRow row = Command(fill, not_after_ms);
    const DeliveryKey key{row.digest, agent_};
    ledger_.Accept(std::move(row), {agent_}, At(10));
    return key;
  }
  void Commit() {
    ASSERT_TRUE(ledger_.WriteChanges(store_).ok());
    ASSERT_TRUE(audit_.Write(store_).ok());
    ASSERT_TRUE(store_.Commit().ok());
    audit_.Keep();
    (void)ledger_.Keep();
  }
  DeliveryRow Stored(const DeliveryKey& key) {
    return *store_.FindDelivery(key.digest, key.agent).value();
  }

  SeededCrypto crypto_{1};
  FakeStore store_;
  AuditLog audit_{crypto_};
  Ledger ledger_{Small(), audit_};
  AgentId agent_ = *AgentId::From(std::string(16, 'a'));
  AgentId other_ = *AgentId::From(std::string(16, 'b'));
};

TEST_F(LedgerTest, RefusesMoreOpenCommandsThanAnAgentMayHave) {
  for (const char fill : {'1', '2', '3'}) {
    ASSERT_TRUE(ledger_.Admit({agent_}, 100).ok());
    Accept(fill);
  }
  const Status refused = ledger_.Admit({agent_}, 100);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kExhausted);
  EXPECT_NE(refused.error().message.find(agent_.hex()), std::string::npos);
  EXPECT_TRUE(ledger_.Admit({other_}, 100).ok());
}

TEST_F(LedgerTest, RefusesMoreOpenBytesThanAnAgentMayHave) {
  Accept('1');
  EXPECT_TRUE(ledger_.Admit({agent_}, 900).ok());
  EXPECT_FALSE(ledger_.Admit({agent_}, 901).ok());
}

TEST_F(LedgerTest, RefusesMoreThanAllAgentsTogetherMayHave) {
  ledger_.Accept(Command('1'), {agent_, other_}, At(10));
  ledger_.Accept(Command('2'), {agent_, other_}, At(10));
  EXPECT_TRUE(ledger_.Admit({agent_}, 1).ok());
  EXPECT_FALSE(ledger_.Admit({agent_, other_}, 1).ok());
}

TEST_F(LedgerTest, MakesRoomWhenACommandEnds) {
  const DeliveryKey first = Accept('1');
  Accept('2');
  Accept('3');
  Commit();
  ASSERT_TRUE(ledger_.End(first, {pb::OUTCOME_DONE, {}, {}, "signed"}, At(20)));
  EXPECT_FALSE(ledger_.Admit({agent_}, 1).ok());  // not yet on disk
  Commit();
  EXPECT_TRUE(ledger_.Admit({agent_}, 1).ok());
  EXPECT_EQ(store_.FindCommand(first.digest).value()->succeeded, 1U);
}

TEST_F(LedgerTest, ExpiresWhatWasNeverSentAndDoubtsWhatWas) {
  const DeliveryKey kept = Accept('1', 1000);
  const DeliveryKey sent = Accept('2', 1000);
  const DeliveryKey received = Accept('3', 1000);
  ledger_.MarkSent(sent, At(20));
  ledger_.MarkSent(received, At(20));
  ledger_.MarkReceived(received, At(30));
  ledger_.SweepExpired(At(1000));  // not_after itself is still in time
  EXPECT_EQ(ledger_.Find(kept)->state, DeliveryState::kAccepted);
  ledger_.SweepExpired(At(1001));
  Commit();
  EXPECT_EQ(Stored(kept).outcome, pb::OUTCOME_EXPIRED);
  EXPECT_EQ(Stored(kept).failure, pb::COMMAND_FAILURE_NOT_DELIVERED);
  EXPECT_EQ(Stored(sent).state, DeliveryState::kUnknown);
  EXPECT_EQ(Stored(received).state, DeliveryState::kReceived);
  EXPECT_TRUE(ledger_.MarkReceived(sent, At(1100)));  // the answer came after all
}

TEST_F(LedgerTest, KeepsATerminalStateForGood) {
  const DeliveryKey key = Accept('1');
  ASSERT_TRUE(ledger_.End(key, {pb::OUTCOME_DONE, {}, {}, "signed"}, At(20)));
  EXPECT_FALSE(ledger_.End(key, {pb::OUTCOME_FAILED, {}, {}, "signed"}, At(21)));
  EXPECT_FALSE(ledger_.MarkSent(key, At(22)));
  EXPECT_FALSE(ledger_.MarkStarted(key, 1, At(23)));
  EXPECT_EQ(ledger_.Find(key)->outcome, pb::OUTCOME_DONE);
}

TEST_F(LedgerTest, TakesBackATurnWhole) {
  const DeliveryKey kept = Accept('1', 500);
  Commit();
  Accept('2');
  ledger_.MarkSent(kept, At(20));
  ledger_.SweepExpired(At(600));
  ledger_.Undo();
  audit_.Undo();
  EXPECT_EQ(ledger_.Find(kept)->state, DeliveryState::kAccepted);
  EXPECT_EQ(ledger_.OpenOf(agent_).size(), 1U);
  EXPECT_EQ(ledger_.open_deliveries(), 1U);
  ledger_.SweepExpired(At(600));  // the sweep was taken back, too
  Commit();
  EXPECT_EQ(Stored(kept).outcome, pb::OUTCOME_EXPIRED);
}

TEST_F(LedgerTest, GoesOnFromTheStoreAfterARestart) {
  const DeliveryKey key = Accept('1', 1000);
  ledger_.MarkSent(key, At(20));
  Commit();
  Ledger next(Small(), audit_);
  ASSERT_TRUE(next.Load(store_).ok());
  EXPECT_EQ(next.Find(key)->state, DeliveryState::kSent);
  EXPECT_EQ(next.OpenOf(agent_).size(), 1U);
  EXPECT_NE(next.FindCommandById(*CommandId::From(std::string(16, '1'))), nullptr);
  next.SweepExpired(At(1001));
  EXPECT_EQ(next.Find(key)->state, DeliveryState::kUnknown);
}

TEST_F(LedgerTest, GivesUpOnAnAgentThatWasNotHeardOfForThirtyDays) {
  const DeliveryKey key = Accept('1', 1000);
  ledger_.MarkSent(key, At(20));
  const std::uint64_t days = std::uint64_t{24} * 3600 * 1000;
  const auto seen = [](const AgentId&) { return std::uint64_t{2000}; };
  ledger_.SweepForgotten(At(30 * days), seen);
  EXPECT_FALSE(ledger_.Find(key)->ended());
  ledger_.SweepForgotten(At(30 * days + 2001), seen);
  EXPECT_EQ(ledger_.Find(key)->failure, pb::COMMAND_FAILURE_INTERRUPTED);
}

TEST_F(LedgerTest, WritesEveryStepIntoOneUnbrokenChain) {
  const DeliveryKey key = Accept('1');
  ledger_.MarkSent(key, At(20));
  ledger_.MarkSent(key, At(25));  // a repeat is no step
  Commit();
  ledger_.MarkReceived(key, At(30));
  ledger_.MarkStarted(key, 1, At(40));
  ledger_.End(key, {pb::OUTCOME_DONE, {}, {}, "signed"}, At(50));
  Commit();
  const auto rows = store_.ListAudit(0, 100, key.digest.view());
  std::vector<std::string> actions;
  Digest previous;
  for (const AuditRow& row : rows.value()) {
    actions.push_back(row.action);
    EXPECT_EQ(row.prev_hash, previous);
    EXPECT_EQ(row.hash, AuditHash(crypto_, row));
    previous = row.hash;
  }
  EXPECT_EQ(actions,
            (std::vector<std::string>{"command.accepted", "command.sent", "command.received",
                                      "command.started", "command.ended"}));
  EXPECT_EQ(Stored(key).sends, 2U);
}

TEST_F(LedgerTest, LeavesNoHoleInTheTrailOfAnAgentThatDiedBeforeItsRecordsCame) {
  const DeliveryKey again = Accept('1');
  const DeliveryKey interrupted = Accept('2');
  for (const DeliveryKey& key : {again, interrupted}) ledger_.MarkSent(key, At(20));
  ledger_.MarkStarted(again, 2, At(30));
  ledger_.End(again, {pb::OUTCOME_DONE, {}, {}, "signed"}, At(40));
  ledger_.End(interrupted, {pb::OUTCOME_INTERRUPTED, {}, {}, "signed"}, At(40));
  Commit();
  for (const DeliveryKey& key : {again, interrupted}) {
    std::vector<std::string> actions;
    const auto rows = store_.ListAudit(0, 100, key.digest.view());
    for (const AuditRow& row : rows.value()) actions.push_back(row.action);
    EXPECT_EQ(actions,
              (std::vector<std::string>{"command.accepted", "command.sent", "command.received",
                                        "command.started", "command.ended"}));
    EXPECT_EQ(Stored(key).received_ms, key == again ? 30U : 40U);
  }
}

TEST_F(LedgerTest, KeepsTheOrderOfAcceptanceOverAStart) {
  // In one millisecond, and then with a clock that was set back; their digests say nothing of it.
  std::vector<Digest> accepted;
  for (const auto& [fill, at_ms] : {std::pair('z', 10), std::pair('b', 10), std::pair('a', 5)}) {
    CommandRow row = Command(fill);
    accepted.push_back(row.digest);
    ledger_.Accept(std::move(row), {agent_}, At(static_cast<std::uint64_t>(at_ms)));
    Commit();
  }
  Ledger next(Small(), audit_);
  ASSERT_TRUE(next.Load(store_).ok());
  EXPECT_EQ(std::vector<Digest>(next.OpenOf(agent_).begin(), next.OpenOf(agent_).end()), accepted);
}

}  // namespace
}  // namespace holdfast::backend
