#include "backend/core/control_restored.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "backend/core/control_agents.h"
#include "backend/core/control_ledger.h"
#include "tests/support/fake_store.h"
#include "tests/support/seeded_crypto.h"

namespace holdfast::backend {
namespace {

namespace pb = ::holdfast::command::v1;
using ::holdfast::testing::FakeStore;
using ::holdfast::testing::SeededCrypto;

class RestoredTest : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kMadeMs = 5000;
  static Moment At(std::uint64_t ms) { return {TimePoint(Duration(ms)), WallTime(ms)}; }

  RestoredTest() {
    AgentRow row;
    row.id = agent_;
    row.epoch = 17;
    row.instance_nonce = *Nonce16::From(std::string(16, 'n'));
    row.fingerprint = *Nonce32::From(std::string(32, 'f'));
    row.incarnation = *Nonce16::From(std::string(16, 'i'));
    row.contact = *Nonce16::From(std::string(16, 'c'));
    row.prev_contact = row.contact;
    row.labels = {{"site", "lab"}};
    row.clone_suspected = true;
    EXPECT_TRUE(store_.PutAgent(row).ok());
    EXPECT_TRUE(store_.Commit().ok());
  }
  // A command in this state at the moment of the copy.
  DeliveryKey Command(char fill, DeliveryState state) {
    AuditLog audit(crypto_);
    Ledger ledger({}, audit);
    EXPECT_TRUE(audit.Load(store_).ok());
    EXPECT_TRUE(ledger.Load(store_).ok());
    CommandRow row;
    row.digest = *Digest::From(std::string(32, fill));
    row.command_id = *CommandId::From(std::string(16, fill));
    row.not_after_ms = 1'000'000;
    const DeliveryKey key{row.digest, agent_};
    ledger.Accept(std::move(row), {agent_}, At(1));
    if (state != DeliveryState::kAccepted) ledger.MarkSent(key, At(2));
    if (state == DeliveryState::kReceived) ledger.MarkReceived(key, At(3));
    if (state == DeliveryState::kStarted) ledger.MarkStarted(key, 1, At(3));
    if (state == DeliveryState::kUnknown) ledger.SweepExpired(At(2'000'000));
    if (state == DeliveryState::kEnded)
      ledger.End(key, {pb::OUTCOME_DONE, {}, {}, "signed"}, At(4));
    EXPECT_TRUE(ledger.WriteChanges(store_).ok());
    EXPECT_TRUE(audit.Write(store_).ok());
    EXPECT_TRUE(store_.Commit().ok());
    return key;
  }
  DeliveryRow Stored(const DeliveryKey& key) {
    return *store_.FindDelivery(key.digest, key.agent).value();
  }
  Result<Restored> Restore() { return BeginAnew(store_, crypto_, kMadeMs, At(9000)); }

  SeededCrypto crypto_{1};
  FakeStore store_;
  AgentId agent_ = *AgentId::From(std::string(16, 'a'));
};

TEST_F(RestoredTest, EndsWhateverWasOpenSoThatNothingOfItIsSentAgain) {
  const std::vector<DeliveryKey> open = {
      Command('1', DeliveryState::kUnknown),  // first: what makes it so would expire the others
      Command('2', DeliveryState::kAccepted), Command('3', DeliveryState::kSent),
      Command('4', DeliveryState::kReceived), Command('5', DeliveryState::kStarted)};
  const auto restored = Restore();
  ASSERT_TRUE(restored.ok());
  EXPECT_EQ(restored.value().deliveries, open.size());
  EXPECT_TRUE(store_.LoadOpenDeliveries().value().empty());
  EXPECT_TRUE(store_.LoadOpenCommands().value().empty());
  for (const DeliveryKey& key : open) {
    EXPECT_EQ(Stored(key).outcome, pb::OUTCOME_INTERRUPTED);
    EXPECT_EQ(Stored(key).failure, pb::COMMAND_FAILURE_JOURNAL_LOST);
  }
}

TEST_F(RestoredTest, LeavesWhatHadEndedAsItWas) {
  const DeliveryKey key = Command('1', DeliveryState::kEnded);
  const DeliveryRow before = Stored(key);
  ASSERT_TRUE(Restore().ok());
  EXPECT_EQ(Stored(key).outcome, pb::OUTCOME_DONE);
  EXPECT_EQ(Stored(key).ended_ms, before.ended_ms);
  EXPECT_EQ(Stored(key).result_envelope, "signed");
}

TEST_F(RestoredTest, TakesEveryAgentForOneThatNeverLinkedAndKeepsWhatItIs) {
  ASSERT_TRUE(Restore().ok());
  const std::vector<AgentRow> rows = store_.LoadAgents().value();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].epoch, 0U);
  EXPECT_EQ(rows[0].contact, Nonce16());
  EXPECT_EQ(rows[0].prev_contact, Nonce16());
  EXPECT_EQ(rows[0].incarnation, Nonce16());
  EXPECT_EQ(rows[0].labels, (Labels{{"site", "lab"}}));
  EXPECT_TRUE(rows[0].clone_suspected);  // a suspicion is not cleared by a disaster
}

TEST_F(RestoredTest, SaysSoInAnUnbrokenTrail) {
  Command('1', DeliveryState::kSent);
  const std::uint64_t before = store_.LastAudit().value()->seq;
  const auto restored = Restore();
  ASSERT_TRUE(restored.ok());
  EXPECT_EQ(restored.value().audit_seq, before);
  Digest previous;
  std::vector<std::string> actions;
  const auto rows = store_.ListAudit(0, 1000, {});
  ASSERT_TRUE(rows.ok());
  for (const AuditRow& row : rows.value()) {
    EXPECT_EQ(row.prev_hash, previous);
    EXPECT_EQ(row.hash, AuditHash(crypto_, row));
    previous = row.hash;
    if (row.seq > before) actions.push_back(row.action);
  }
  EXPECT_EQ(actions, (std::vector<std::string>{"ledger.restored", "command.ended"}));
}

TEST_F(RestoredTest, ChangesNothingWhereItCannotCommit) {
  const DeliveryKey key = Command('1', DeliveryState::kSent);
  store_.FailNextCommits(1);
  ASSERT_FALSE(Restore().ok());
  EXPECT_EQ(Stored(key).state, DeliveryState::kSent);
  EXPECT_TRUE(Restore().ok());
}

}  // namespace
}  // namespace holdfast::backend
