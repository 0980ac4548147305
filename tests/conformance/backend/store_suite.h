// The suite that every Store passes: SQLite on a real disk, a real PostgreSQL, and the fake that the simulations trust.
//
//   struct Traits { Store& store();  void Crash(); };   Crash(): as if the process had been killed
#pragma once

#include <string>

#include <gtest/gtest.h>

#include "backend/core/store.h"

namespace holdfast::testing {

template <typename Traits>
class StoreSuite : public ::testing::Test {
 protected:
  using Labels = backend::Labels;

  template <typename Fixed>
  static Fixed Id(char fill) {
    return *Fixed::From(std::string(Fixed::kSize, fill));
  }
  static backend::AgentRow Agent(char fill) {
    backend::AgentRow row;
    row.id = Id<AgentId>(fill);
    row.pubkey = Id<PublicKey>(fill);
    row.facts = std::string("\0facts'\"\xff", 9);
    row.labels = Labels{{"env", "lab=1"}, {"site", ""}};
    row.address = "1.2.3.4:5";
    row.enrolled_ms = 11;
    row.last_seen_ms = 12;
    row.epoch = 13;
    row.instance_nonce = Id<Nonce16>('n');
    row.fingerprint = Id<Nonce32>('f');
    row.incarnation = Id<Nonce16>('i');
    row.contact = Id<Nonce16>('c');
    row.prev_contact = Id<Nonce16>('p');
    row.clone_suspected = true;
    return row;
  }
  static backend::CommandRow Command(char fill, std::uint64_t accepted_ms,
                                     std::uint32_t targets = 1) {
    backend::CommandRow row;
    row.digest = Id<Digest>(fill);
    row.command_id = Id<CommandId>(fill);
    row.envelope = std::string("\0envelope", 9);
    row.cert_envelope = "cert";
    row.verb = "query";
    row.operator_id = "ann";
    row.detail = "query \"SELECT 1\"";
    row.accepted_ms = accepted_ms;
    row.not_after_ms = 99;
    row.targets = targets;
    return row;
  }
  static backend::DeliveryRow Delivery(char command, char agent) {
    backend::DeliveryRow row;
    row.digest = Id<Digest>(command);
    row.agent_id = Id<AgentId>(agent);
    row.state = backend::DeliveryState::kStarted;
    row.accepted_ms = 1;
    row.sent_ms = 2;
    row.received_ms = 3;
    row.started_ms = 4;
    row.sends = 6;
    row.attempt = 2;
    row.next_seq = std::uint64_t{1} << 40;
    row.output_attempt = 1;
    row.stored_bytes = std::uint64_t{1} << 41;
    row.chunk_count = 9;
    row.place = backend::OutputPlace::kIncoming;
    row.output_name = Id<Nonce16>('o');
    row.output_sha256 = Id<Digest>('s');
    row.outcome = ::holdfast::command::v1::OUTCOME_FAILED;
    row.failure = ::holdfast::command::v1::COMMAND_FAILURE_SQL;
    row.message = std::string("near \"\0\"", 8);
    row.result_envelope = "result";
    return row;
  }
  backend::Store& store() { return traits_.store(); }
  Traits traits_;
};

TYPED_TEST_SUITE_P(StoreSuite);

TYPED_TEST_P(StoreSuite, GivesBackAgentsAsTheyWerePut) {
  auto row = this->Agent('a');
  ASSERT_TRUE(this->store().PutAgent(row).ok());
  row.removed = true;
  row.epoch = 14;
  ASSERT_TRUE(this->store().PutAgent(row).ok());
  ASSERT_TRUE(this->store().Commit().ok());
  this->traits_.Crash();
  const auto rows = this->store().LoadAgents();
  ASSERT_EQ(rows.value().size(), 1U);
  const auto& got = rows.value()[0];
  EXPECT_EQ(got.id, row.id);
  EXPECT_EQ(got.pubkey, row.pubkey);
  EXPECT_EQ(got.facts, row.facts);
  EXPECT_EQ(got.labels, row.labels);
  EXPECT_EQ(got.address, row.address);
  EXPECT_EQ(got.enrolled_ms, 11U);
  EXPECT_EQ(got.last_seen_ms, 12U);
  EXPECT_EQ(got.epoch, 14U);
  EXPECT_EQ(got.instance_nonce, row.instance_nonce);
  EXPECT_EQ(got.fingerprint, row.fingerprint);
  EXPECT_EQ(got.incarnation, row.incarnation);
  EXPECT_EQ(got.contact, row.contact);
  EXPECT_EQ(got.prev_contact, row.prev_contact);
  EXPECT_TRUE(got.clone_suspected);
  EXPECT_TRUE(got.removed);
}

TYPED_TEST_P(StoreSuite, GivesBackDeliveriesAsTheyWerePut) {
  const auto row = this->Delivery('c', 'a');
  ASSERT_TRUE(this->store().InsertCommand(this->Command('c', 1)).ok());
  ASSERT_TRUE(this->store().PutDelivery(row).ok());
  ASSERT_TRUE(this->store().Commit().ok());
  this->traits_.Crash();
  const auto found = this->store().FindDelivery(row.digest, row.agent_id);
  ASSERT_TRUE(found.ok() && found.value());
  const auto& got = *found.value();
  EXPECT_EQ(got.state, row.state);
  EXPECT_EQ(got.sends, 6U);
  EXPECT_EQ(got.attempt, 2U);
  EXPECT_EQ(got.next_seq, row.next_seq);
  EXPECT_EQ(got.output_attempt, 1U);
  EXPECT_EQ(got.stored_bytes, row.stored_bytes);
  EXPECT_EQ(got.chunk_count, 9U);
  EXPECT_FALSE(got.stream_complete);
  EXPECT_EQ(got.place, row.place);
  EXPECT_EQ(got.output_name, row.output_name);
  EXPECT_EQ(got.output_sha256, row.output_sha256);
  EXPECT_EQ(got.outcome, row.outcome);
  EXPECT_EQ(got.failure, row.failure);
  EXPECT_EQ(got.message, row.message);
  EXPECT_EQ(got.result_envelope, row.result_envelope);
  EXPECT_EQ(this->store().IncomingFiles().value().size(), 1U);
}

TYPED_TEST_P(StoreSuite, ForgetsWhatWasNotCommitted) {
  ASSERT_TRUE(this->store().InsertCommand(this->Command('a', 1)).ok());
  ASSERT_TRUE(this->store().Commit().ok());
  ASSERT_TRUE(this->store().InsertCommand(this->Command('b', 2)).ok());
  ASSERT_TRUE(this->store().PutAgent(this->Agent('a')).ok());
  EXPECT_TRUE(
      this->store().FindCommand(this->template Id<Digest>('b')).value());  // seen in the turn
  this->traits_.Crash();
  EXPECT_FALSE(this->store().FindCommand(this->template Id<Digest>('b')).value());
  EXPECT_TRUE(this->store().FindCommand(this->template Id<Digest>('a')).value());
  EXPECT_TRUE(this->store().LoadAgents().value().empty());
}

TYPED_TEST_P(StoreSuite, TakesBackATurn) {
  ASSERT_TRUE(this->store().InsertCommand(this->Command('a', 1)).ok());
  this->store().Rollback();
  ASSERT_TRUE(this->store().Commit().ok());
  EXPECT_FALSE(this->store().FindCommand(this->template Id<Digest>('a')).value());
  ASSERT_TRUE(this->store().InsertCommand(this->Command('a', 1)).ok());
  EXPECT_TRUE(this->store().Commit().ok());
}

TYPED_TEST_P(StoreSuite, RefusesASecondCommandOfOneIdAndThenTheWholeTurn) {
  ASSERT_TRUE(this->store().InsertCommand(this->Command('a', 1)).ok());
  ASSERT_TRUE(this->store().Commit().ok());
  auto other = this->Command('b', 2);
  other.command_id = this->template Id<CommandId>('a');
  const Status written = this->store().InsertCommand(other);
  const Status after = this->store().PutAgent(this->Agent('a'));
  EXPECT_EQ(written.ok(), after.ok());
  const Status committed = this->store().Commit();
  ASSERT_FALSE(committed.ok());
  EXPECT_EQ((written.ok() ? committed : written).error().code, Code::kExists);
  this->store().Rollback();
  EXPECT_TRUE(this->store().PutAgent(this->Agent('a')).ok());
  EXPECT_TRUE(this->store().Commit().ok());
}

TYPED_TEST_P(StoreSuite, LoadsWhatIsOpenOldestFirst) {
  for (const char fill : {'c', 'a', 'b'}) {
    ASSERT_TRUE(
        this->store().InsertCommand(this->Command(fill, 100U - static_cast<unsigned>(fill))).ok());
    auto row = this->Delivery(fill, 'x');
    row.accepted_ms = 100U - static_cast<unsigned>(fill);
    if (fill == 'a') row.state = backend::DeliveryState::kEnded;
    ASSERT_TRUE(this->store().PutDelivery(row).ok());
  }
  ASSERT_TRUE(this->store().PutCommandCounts(this->template Id<Digest>('a'), 1, 1).ok());
  ASSERT_TRUE(this->store().Commit().ok());
  const auto open = this->store().LoadOpenDeliveries();
  ASSERT_EQ(open.value().size(), 2U);
  EXPECT_EQ(open.value()[0].digest, this->template Id<Digest>('c'));
  EXPECT_EQ(open.value()[1].digest, this->template Id<Digest>('b'));
  EXPECT_EQ(this->store().LoadOpenCommands().value().size(), 2U);
  EXPECT_EQ(this->store().FindCommand(this->template Id<Digest>('a')).value()->succeeded, 1U);
}

TYPED_TEST_P(StoreSuite, ListsCommandsNewestFirstByPages) {
  for (int i = 0; i < 5; ++i) {
    const char fill = static_cast<char>('a' + i);
    ASSERT_TRUE(
        this->store().InsertCommand(this->Command(fill, 10U + static_cast<unsigned>(i))).ok());
  }
  ASSERT_TRUE(this->store().PutCommandCounts(this->template Id<Digest>('e'), 1, 0).ok());
  ASSERT_TRUE(this->store().Commit().ok());
  const auto page = this->store().ListCommands(0, 2, false);
  ASSERT_EQ(page.value().size(), 2U);
  EXPECT_EQ(page.value()[0].accepted_ms, 14U);
  const auto next = this->store().ListCommands(page.value()[1].accepted_ms, 10, false);
  ASSERT_EQ(next.value().size(), 3U);
  EXPECT_EQ(next.value()[0].accepted_ms, 12U);
  EXPECT_EQ(this->store().ListCommands(0, 10, true).value().size(), 4U);
}

TYPED_TEST_P(StoreSuite, FindsCommandsByPrefix) {
  ASSERT_TRUE(this->store().InsertCommand(this->Command('a', 1)).ok());
  auto other = this->Command('b', 2);
  other.digest = *Digest::From("aa" + std::string(30, 'b'));
  ASSERT_TRUE(this->store().InsertCommand(other).ok());
  auto last = this->Command('\xff', 3);
  ASSERT_TRUE(this->store().InsertCommand(last).ok());
  EXPECT_EQ(this->store().FindCommandsByPrefix("aa").value().size(), 2U);
  EXPECT_EQ(this->store().FindCommandsByPrefix("aab").value().size(), 1U);
  EXPECT_EQ(this->store().FindCommandsByPrefix("\xff\xff").value().size(), 1U);
  EXPECT_TRUE(this->store().FindCommandsByPrefix("b").value().empty());
  EXPECT_TRUE(this->store().FindCommandById(this->template Id<CommandId>('b')).value());
}

TYPED_TEST_P(StoreSuite, ReadsSmallOutputsFromAnyOffset) {
  const auto digest = this->template Id<Digest>('d');
  const auto agent = this->template Id<AgentId>('a');
  ASSERT_TRUE(this->store().AppendInline(digest, agent, 0, "hello ").ok());
  ASSERT_TRUE(this->store().AppendInline(digest, agent, 6, std::string("w\0rld", 5)).ok());
  ASSERT_TRUE(this->store().Commit().ok());
  this->traits_.Crash();
  EXPECT_EQ(this->store().ReadInline(digest, agent, 0, 100).value(),
            std::string("hello w\0rld", 11));
  EXPECT_EQ(this->store().ReadInline(digest, agent, 4, 4).value(), std::string("o w\0", 4));
  EXPECT_EQ(this->store().ReadInline(digest, agent, 6, 2).value(), std::string("w\0", 2));
  EXPECT_EQ(this->store().ReadInline(digest, agent, 11, 5).value(), "");
  ASSERT_TRUE(this->store().DropInline(digest, agent).ok());
  EXPECT_EQ(this->store().ReadInline(digest, agent, 0, 100).value(), "");
}

TYPED_TEST_P(StoreSuite, SpendsTokens) {
  backend::TokenRow row;
  row.hash = this->template Id<Digest>('t');
  row.uses_left = 2;
  row.expires_ms = 50;
  row.labels = {{"env", "lab"}};
  row.operator_id = "ann";
  ASSERT_TRUE(this->store().PutToken(row).ok());
  EXPECT_EQ(this->store().FindToken(row.hash).value()->labels, row.labels);
  row.uses_left = 0;
  ASSERT_TRUE(this->store().PutToken(row).ok());
  EXPECT_FALSE(this->store().FindToken(row.hash).value());
}

TYPED_TEST_P(StoreSuite, KeepsTheAuditInOrder) {
  for (std::uint64_t seq = 1; seq <= 4; ++seq) {
    backend::AuditRow row;
    row.seq = seq;
    row.at_ms = 100 + seq;
    row.actor = "ann";
    row.action = "command.accepted";
    if (seq % 2 == 0) row.digest = std::string(32, 'd');
    row.detail = "exec \"/bin/sh\"";
    row.prev_hash = this->template Id<Digest>('p');
    row.hash = this->template Id<Digest>('h');
    ASSERT_TRUE(this->store().AppendAudit(row).ok());
  }
  ASSERT_TRUE(this->store().Commit().ok());
  this->traits_.Crash();
  EXPECT_EQ(this->store().LastAudit().value()->seq, 4U);
  const auto page = this->store().ListAudit(1, 2, {});
  ASSERT_EQ(page.value().size(), 2U);
  EXPECT_EQ(page.value()[0].seq, 2U);
  EXPECT_EQ(page.value()[0].detail, "exec \"/bin/sh\"");
  EXPECT_EQ(page.value()[0].hash, this->template Id<Digest>('h'));
  EXPECT_EQ(this->store().ListAudit(0, 10, std::string(32, 'd')).value().size(), 2U);
}

REGISTER_TYPED_TEST_SUITE_P(StoreSuite, GivesBackAgentsAsTheyWerePut,
                            GivesBackDeliveriesAsTheyWerePut, ForgetsWhatWasNotCommitted,
                            TakesBackATurn, RefusesASecondCommandOfOneIdAndThenTheWholeTurn,
                            LoadsWhatIsOpenOldestFirst, ListsCommandsNewestFirstByPages,
                            FindsCommandsByPrefix, ReadsSmallOutputsFromAnyOffset, SpendsTokens,
                            KeepsTheAuditInOrder);

}  // namespace holdfast::testing
