// What every Journal does. Include it, specialise Factory, instantiate.
#pragma once

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "agent/core/journal.h"
#include "agent/core/limits.h"

namespace holdfast::agent {

// A world with one journal in it.
class JournalWorld {
 public:
  virtual ~JournalWorld() = default;
  virtual Journal& journal() = 0;
  // The process ends without ceremony and starts again.
  virtual void Restart() = 0;
};

inline JournalCommand SomeCommand(char name) {
  JournalCommand row;
  row.digest = *Digest::From(std::string(32, name));
  row.command_id = *CommandId::From(std::string(16, name));
  row.received_at = WallTime(1000);
  row.not_after = WallTime(5000);
  row.envelope = std::string("envelope\0of ", 12) + name;
  row.cert_envelope = "cert";
  return row;
}

template <typename World>
class JournalSuite : public ::testing::Test {
 protected:
  World world_;
  Journal& journal() { return world_.journal(); }
  JournalCommand Only() {
    auto open = journal().Open();
    EXPECT_TRUE(open.ok());
    EXPECT_EQ(open.value().size(), 1U);
    return open.value().empty() ? JournalCommand{} : open.value().front();
  }
};
TYPED_TEST_SUITE_P(JournalSuite);

TYPED_TEST_P(JournalSuite, KeepsACommandThroughARestart) {
  ASSERT_TRUE(this->journal().Insert(SomeCommand('a'), WallTime(900)).ok());
  this->world_.Restart();
  const JournalCommand row = this->Only();
  EXPECT_EQ(row.state, CommandState::kReceived);
  EXPECT_EQ(row.attempt, 1U);
  EXPECT_EQ(row.envelope, SomeCommand('a').envelope);
  EXPECT_EQ(row.cert_envelope, "cert");
  EXPECT_EQ(row.received_at, WallTime(1000));
  EXPECT_EQ(row.not_after, WallTime(5000));
}

TYPED_TEST_P(JournalSuite, RefusesTheSameIdAndTheSameDigestTwice) {
  ASSERT_TRUE(this->journal().Insert(SomeCommand('a'), WallTime(900)).ok());
  auto same_id = SomeCommand('b');
  same_id.command_id = SomeCommand('a').command_id;
  EXPECT_EQ(this->journal().Insert(same_id, WallTime(900)).error().code, Code::kExists);
  auto same_digest = SomeCommand('b');
  same_digest.digest = SomeCommand('a').digest;
  EXPECT_EQ(this->journal().Insert(same_digest, WallTime(900)).error().code, Code::kExists);
  this->world_.Restart();
  EXPECT_EQ(this->journal().Open().value().size(), 1U);
}

TYPED_TEST_P(JournalSuite, WalksThroughTheStates) {
  const Digest digest = SomeCommand('a').digest;
  ASSERT_TRUE(this->journal().Insert(SomeCommand('a'), WallTime(900)).ok());
  ASSERT_TRUE(this->journal().SetStarted(digest, 1, WallTime(1100)).ok());
  this->world_.Restart();
  EXPECT_EQ(this->Only().state, CommandState::kStarted);
  EXPECT_EQ(this->Only().started_at, WallTime(1100));
  ASSERT_TRUE(this->journal().SetDone(digest, {1, 7, "result", "inline"}).ok());
  this->world_.Restart();
  EXPECT_EQ(this->Only().state, CommandState::kDone);
  EXPECT_EQ(this->Only().chunk_count, 7U);
  EXPECT_EQ(this->Only().result_envelope, "result");
  EXPECT_EQ(this->Only().inline_output, "inline");
  EXPECT_EQ(this->Only().started_at, WallTime(1100));
  ASSERT_TRUE(this->journal().SetForgotten(digest).ok());
  this->world_.Restart();
  EXPECT_TRUE(this->journal().Open().value().empty());
  const auto tombstone = this->journal().FindId(SomeCommand('a').command_id).value();
  ASSERT_TRUE(tombstone.has_value());
  EXPECT_EQ(tombstone->state, CommandState::kForgotten);
  EXPECT_EQ(tombstone->digest, digest);
  EXPECT_TRUE(this->journal().Find(digest).value().has_value());
}

TYPED_TEST_P(JournalSuite, BeginsANewAttemptUnstarted) {
  const Digest digest = SomeCommand('a').digest;
  ASSERT_TRUE(this->journal().Insert(SomeCommand('a'), WallTime(900)).ok());
  ASSERT_TRUE(this->journal().SetStarted(digest, 1, WallTime(1100)).ok());
  ASSERT_TRUE(this->journal().SetDone(digest, {2, 0, "interrupted", ""}).ok());
  EXPECT_EQ(this->Only().attempt, 2U);
  EXPECT_EQ(this->Only().started_at, WallTime(0));
}

TYPED_TEST_P(JournalSuite, DoesNotStartWhatIsDoneNorKnowsWhatItNeverSaw) {
  const Digest digest = SomeCommand('a').digest;
  EXPECT_EQ(this->journal().SetStarted(digest, 1, WallTime(1)).error().code, Code::kNotFound);
  EXPECT_EQ(this->journal().SetDone(digest, {}).error().code, Code::kNotFound);
  EXPECT_EQ(this->journal().SetForgotten(digest).error().code, Code::kNotFound);
  EXPECT_FALSE(this->journal().Find(digest).value().has_value());
  ASSERT_TRUE(this->journal().Insert(SomeCommand('a'), WallTime(900)).ok());
  ASSERT_TRUE(this->journal().SetDone(digest, {1, 0, "result", ""}).ok());
  EXPECT_EQ(this->journal().SetStarted(digest, 1, WallTime(1)).error().code, Code::kInvalid);
}

TYPED_TEST_P(JournalSuite, KeepsEpochContactAndTimeFloor) {
  const std::uint64_t epoch = this->journal().meta().epoch;
  EXPECT_EQ(this->journal().NextEpoch().value(), epoch + 1);
  EXPECT_EQ(this->journal().NextEpoch().value(), epoch + 2);
  const auto contact = *Nonce16::From(std::string(16, 'k'));
  ASSERT_TRUE(this->journal().SetContact(contact).ok());
  const std::uint64_t floor = this->journal().meta().time_floor.get() + 500;
  ASSERT_TRUE(this->journal().Insert(SomeCommand('a'), WallTime(floor)).ok());
  ASSERT_TRUE(this->journal().Insert(SomeCommand('b'), WallTime(floor - 100)).ok());
  const JournalMeta before = this->journal().meta();
  this->world_.Restart();
  EXPECT_EQ(this->journal().meta().epoch, epoch + 2);
  EXPECT_EQ(this->journal().meta().contact, contact);
  EXPECT_EQ(this->journal().meta().time_floor, WallTime(floor));
  EXPECT_EQ(this->journal().meta().incarnation, before.incarnation);
  EXPECT_EQ(this->journal().meta().birth, before.birth);
}

TYPED_TEST_P(JournalSuite, GivesOpenCommandsOldestFirst) {
  for (const char name : {'c', 'a', 'b'}) {
    ASSERT_TRUE(this->journal().Insert(SomeCommand(name), WallTime(900)).ok());
  }
  this->world_.Restart();
  const auto open = this->journal().Open().value();
  ASSERT_EQ(open.size(), 3U);
  EXPECT_EQ(open[0].digest, SomeCommand('c').digest);
  EXPECT_EQ(open[1].digest, SomeCommand('a').digest);
  EXPECT_EQ(open[2].digest, SomeCommand('b').digest);
}

TYPED_TEST_P(JournalSuite, PurgesTombstonesADayAfterTheirExpiryAndNothingElse) {
  ASSERT_TRUE(this->journal().Insert(SomeCommand('a'), WallTime(900)).ok());
  ASSERT_TRUE(this->journal().Insert(SomeCommand('b'), WallTime(900)).ok());
  ASSERT_TRUE(this->journal().SetForgotten(SomeCommand('a').digest).ok());
  const auto keep = static_cast<std::uint64_t>(kTombstoneKeep.count());
  ASSERT_TRUE(this->journal().Purge(WallTime(5000 + keep)).ok());
  EXPECT_TRUE(this->journal().Find(SomeCommand('a').digest).value().has_value());
  ASSERT_TRUE(this->journal().Purge(WallTime(5001 + keep)).ok());
  EXPECT_FALSE(this->journal().Find(SomeCommand('a').digest).value().has_value());
  EXPECT_TRUE(this->journal().Find(SomeCommand('b').digest).value().has_value());
  this->world_.Restart();
  EXPECT_EQ(this->journal().Open().value().size(), 1U);
}

TYPED_TEST_P(JournalSuite, CountsRecoveriesOfTheCommandsThatAreNamed) {
  for (const char name : {'a', 'b'}) {
    ASSERT_TRUE(this->journal().Insert(SomeCommand(name), WallTime(900)).ok());
  }
  const Digest digest = SomeCommand('a').digest;
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(this->journal().CountRecovery({{digest}}).ok());
  ASSERT_TRUE(this->journal().CountRecovery({}).ok());
  const Digest stranger = SomeCommand('z').digest;
  EXPECT_EQ(this->journal().CountRecovery({{digest, stranger}}).error().code, Code::kNotFound);
  ASSERT_TRUE(this->journal().SetStarted(digest, 2, WallTime(1100)).ok());
  this->world_.Restart();
  const auto open = this->journal().Open().value();
  ASSERT_EQ(open.size(), 2U);
  EXPECT_EQ(open[0].recoveries, 2U);
  EXPECT_EQ(open[1].recoveries, 0U);
}

TYPED_TEST_P(JournalSuite, RemembersAnOrderlyEndUntilTheNextWrite) {
  EXPECT_FALSE(this->journal().meta().is_clean);
  ASSERT_TRUE(this->journal().StopCleanly().ok());
  this->world_.Restart();
  EXPECT_TRUE(this->journal().meta().is_clean);
  ASSERT_TRUE(this->journal().NextEpoch().ok());
  EXPECT_FALSE(this->journal().meta().is_clean);
  this->world_.Restart();
  EXPECT_FALSE(this->journal().meta().is_clean);
}

TYPED_TEST_P(JournalSuite, BeginsAnewWithoutOpenCommandsOrContactButWithItsEpochAndWhatWasHere) {
  for (const char name : {'a', 'b', 'c'}) {
    ASSERT_TRUE(this->journal().Insert(SomeCommand(name), WallTime(900)).ok());
  }
  ASSERT_TRUE(this->journal().SetStarted(SomeCommand('b').digest, 1, WallTime(901)).ok());
  ASSERT_TRUE(this->journal().SetForgotten(SomeCommand('c').digest).ok());
  ASSERT_TRUE(this->journal().SetContact(*Nonce16::From(std::string(16, 'k'))).ok());
  const JournalMeta before = this->journal().meta();
  ASSERT_TRUE(this->journal().BeginAnew(WallTime(7000)).ok());
  this->world_.Restart();
  const JournalMeta& after = this->journal().meta();
  EXPECT_NE(after.incarnation, before.incarnation);
  EXPECT_EQ(after.birth, WallTime(7000));
  EXPECT_EQ(after.time_floor, WallTime(7000));
  EXPECT_EQ(after.epoch, before.epoch);
  EXPECT_FALSE(after.contact.has_value());
  EXPECT_TRUE(this->journal().Open().value().empty());
  for (const char name : {'a', 'b', 'c'}) {
    const auto row = this->journal().Find(SomeCommand(name).digest).value();
    ASSERT_TRUE(row.has_value()) << name;
    EXPECT_EQ(row->state, CommandState::kForgotten);
    EXPECT_EQ(this->journal().Insert(SomeCommand(name), WallTime(7001)).error().code,
              Code::kExists);
  }
  EXPECT_TRUE(this->journal().Insert(SomeCommand('d'), WallTime(7001)).ok());
}

REGISTER_TYPED_TEST_SUITE_P(JournalSuite, KeepsACommandThroughARestart,
                            RefusesTheSameIdAndTheSameDigestTwice, WalksThroughTheStates,
                            BeginsANewAttemptUnstarted,
                            DoesNotStartWhatIsDoneNorKnowsWhatItNeverSaw,
                            KeepsEpochContactAndTimeFloor, GivesOpenCommandsOldestFirst,
                            PurgesTombstonesADayAfterTheirExpiryAndNothingElse,
                            CountsRecoveriesOfTheCommandsThatAreNamed,
                            RemembersAnOrderlyEndUntilTheNextWrite,
                            BeginsAnewWithoutOpenCommandsOrContactButWithItsEpochAndWhatWasHere);

}  // namespace holdfast::agent
