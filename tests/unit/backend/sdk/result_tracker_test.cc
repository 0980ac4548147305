#include "backend/sdk/result_tracker.h"

#include <gtest/gtest.h>

#include "common/adapters/openssl/openssl_crypto.h"
#include "common/sign/envelope.h"

namespace holdfast::sdk {
namespace {

namespace api = ::holdfast::api::v1;
namespace pb = ::holdfast::command::v1;

struct Recorder : FollowSink {
  void OnState(const api::Delivery& /*delivery*/) override { ++states; }
  Status OnOutput(const AgentId& /*agent*/, std::string_view bytes) override {
    output += bytes;
    return Ok();
  }
  Status OnRestart(const AgentId& /*agent*/) override {
    output.clear();
    ++restarts;
    return Ok();
  }
  Status OnEnd(const TargetEnd& end) override {
    ends.push_back(end);
    return Ok();
  }
  std::string output;
  std::vector<TargetEnd> ends;
  int states = 0, restarts = 0;
};

// One agent with a real key, and a server that tells of it whatever a test likes.
class ResultTrackerTest : public testing::Test {
 protected:
  ResultTrackerTest() : agent_(sign::AgentIdOf(*crypto_, key_->public_key())) {
    result_.set_command_digest(command_.str());
    result_.set_agent_id(agent_.str());
    result_.set_incarnation(std::string(16, 'i'));
    result_.set_attempt(1);
    result_.set_outcome(pb::OUTCOME_DONE);
    SignsOutput("hello");
  }
  void SignsOutput(const std::string& output) {
    result_.set_output_bytes(output.size());
    result_.set_output_sha256(crypto_->Sha256(output).str());
  }
  api::WatchEvent Ended() const { return EndedBy(*key_); }
  api::WatchEvent EndedBy(const sign::SigningKey& key) const {
    api::WatchEvent event;
    auto* delivery = event.mutable_delivery();
    delivery->set_agent_id(agent_.str());
    delivery->set_state(api::DELIVERY_STATE_ENDED);
    delivery->set_outcome(result_.outcome());
    delivery->set_agent_pubkey(key.public_key().str());
    delivery->set_result_envelope(
        sign::SignEnvelope(*crypto_, key, sign::kResultType, result_.SerializeAsString()).value());
    return event;
  }
  api::WatchEvent Output(std::uint32_t attempt, std::uint64_t offset,
                         const std::string& data) const {
    api::WatchEvent event;
    event.mutable_output()->set_agent_id(agent_.str());
    event.mutable_output()->set_attempt(attempt);
    event.mutable_output()->set_offset(offset);
    event.mutable_output()->set_data(data);
    return event;
  }
  static api::WatchEvent Finished() {
    api::WatchEvent event;
    event.mutable_finished();
    return event;
  }
  // What a follower is told of a target that the backend ends so, without a signature.
  TargetEnd EndWithoutSignature(pb::Outcome outcome) const {
    ResultTracker tracker(*crypto_, command_, {agent_}, ResultTracker::Output::kWanted);
    Recorder seen;
    auto event = Ended();
    event.mutable_delivery()->clear_result_envelope();
    event.mutable_delivery()->set_outcome(outcome);
    EXPECT_TRUE(tracker.OnEvent(event, seen).ok());
    EXPECT_TRUE(tracker.OnEvent(Finished(), seen).ok());
    EXPECT_EQ(seen.ends.size(), 1U);
    return seen.ends.empty() ? TargetEnd{} : seen.ends[0];
  }
  Status Tell(const api::WatchEvent& event) { return tracker_.OnEvent(event, seen_); }

  std::unique_ptr<sign::Crypto> crypto_ = NewOpensslCrypto();
  std::unique_ptr<sign::SigningKey> key_ = crypto_->GenerateKey().value();
  AgentId agent_;
  Digest command_ = crypto_->RandomBytes<Digest>();
  pb::Result result_;
  ResultTracker tracker_{*crypto_, command_, {agent_}, ResultTracker::Output::kWanted};
  Recorder seen_;
};

TEST_F(ResultTrackerTest, BelievesOutputWhoseHashTheAgentSigned) {
  ASSERT_TRUE(Tell(Output(1, 0, "hel")).ok());
  ASSERT_TRUE(Tell(Output(1, 3, "lo")).ok());
  ASSERT_TRUE(Tell(Ended()).ok());
  ASSERT_EQ(seen_.ends.size(), 1U) << "known before the last event";
  EXPECT_TRUE(seen_.ends[0].succeeded());
  EXPECT_TRUE(seen_.ends[0].output_verified);
  ASSERT_TRUE(Tell(Finished()).ok());
  EXPECT_TRUE(tracker_.finished());
  EXPECT_EQ(seen_.ends.size(), 1U);
}

TEST_F(ResultTrackerTest, OutputMayComeAfterTheEndIsKnown) {
  ASSERT_TRUE(Tell(Ended()).ok());
  EXPECT_TRUE(seen_.ends.empty());
  ASSERT_TRUE(Tell(Output(1, 0, "hello")).ok());
  ASSERT_EQ(seen_.ends.size(), 1U);
  EXPECT_TRUE(seen_.ends[0].succeeded());
}

TEST_F(ResultTrackerTest, OneAlteredByteIsToldAndNotTrusted) {
  ASSERT_TRUE(Tell(Output(1, 0, "hellO")).ok());
  ASSERT_TRUE(Tell(Ended()).ok());
  ASSERT_EQ(seen_.ends.size(), 1U);
  EXPECT_FALSE(seen_.ends[0].succeeded());
  EXPECT_FALSE(seen_.ends[0].output_verified);
  EXPECT_FALSE(seen_.ends[0].problem.empty());
}

TEST_F(ResultTrackerTest, MissingOutputIsToldAtTheEnd) {
  ASSERT_TRUE(Tell(Output(1, 0, "hell")).ok());
  ASSERT_TRUE(Tell(Ended()).ok());
  ASSERT_TRUE(Tell(Finished()).ok());
  ASSERT_EQ(seen_.ends.size(), 1U);
  EXPECT_FALSE(seen_.ends[0].succeeded());
}

TEST_F(ResultTrackerTest, AResultSignedByAnyOtherKeyIsNotTrusted) {
  const auto stranger = crypto_->GenerateKey().value();
  ASSERT_TRUE(Tell(Output(1, 0, "hello")).ok());
  ASSERT_TRUE(Tell(EndedBy(*stranger)).ok());
  ASSERT_TRUE(Tell(Finished()).ok());
  ASSERT_EQ(seen_.ends.size(), 1U);
  EXPECT_FALSE(seen_.ends[0].succeeded());
  EXPECT_FALSE(seen_.ends[0].result);
}

TEST_F(ResultTrackerTest, AStrangersSignatureBesideTheAgentsOwnKeyIsNotTrusted) {
  const auto stranger = crypto_->GenerateKey().value();
  auto event = EndedBy(*stranger);
  event.mutable_delivery()->set_agent_pubkey(key_->public_key().str());
  ASSERT_TRUE(Tell(Output(1, 0, "hello")).ok());
  ASSERT_TRUE(Tell(event).ok());
  ASSERT_TRUE(Tell(Finished()).ok());
  EXPECT_FALSE(seen_.ends.at(0).succeeded());
}

TEST_F(ResultTrackerTest, AResultOfAnotherCommandOrAgentOrOutcomeIsNotTrusted) {
  const auto fails = [&](const api::WatchEvent& event) {
    ResultTracker tracker(*crypto_, command_, {agent_}, ResultTracker::Output::kWanted);
    Recorder seen;
    EXPECT_TRUE(tracker.OnEvent(Output(1, 0, "hello"), seen).ok());
    EXPECT_TRUE(tracker.OnEvent(event, seen).ok());
    EXPECT_TRUE(tracker.OnEvent(Finished(), seen).ok());
    return seen.ends.size() == 1 && !seen.ends[0].succeeded() && !seen.ends[0].problem.empty();
  };
  EXPECT_FALSE(fails(Ended())) << "the control: nothing wrong";
  const pb::Result good = result_;
  result_.set_command_digest(std::string(32, 'x'));
  EXPECT_TRUE(fails(Ended()));
  result_ = good;
  result_.set_agent_id(std::string(16, 'x'));
  EXPECT_TRUE(fails(Ended()));
  result_ = good;
  auto other_outcome = Ended();
  other_outcome.mutable_delivery()->set_outcome(pb::OUTCOME_FAILED);
  EXPECT_TRUE(fails(other_outcome));
}

TEST_F(ResultTrackerTest, ABackendCannotClaimWhatOnlyTheAgentCanSay) {
  for (const pb::Outcome outcome : {pb::OUTCOME_UNSPECIFIED, pb::OUTCOME_DONE, pb::OUTCOME_FAILED,
                                    pb::OUTCOME_REFUSED, static_cast<pb::Outcome>(99)}) {
    const TargetEnd end = EndWithoutSignature(outcome);
    EXPECT_FALSE(end.succeeded()) << outcome;
    EXPECT_FALSE(end.is_signed()) << outcome;
    EXPECT_FALSE(end.problem.empty()) << outcome;
  }
}

TEST_F(ResultTrackerTest, ABackendMaySayThatItGaveUp) {
  for (const pb::Outcome outcome :
       {pb::OUTCOME_EXPIRED, pb::OUTCOME_CANCELLED, pb::OUTCOME_INTERRUPTED}) {
    const TargetEnd end = EndWithoutSignature(outcome);
    EXPECT_EQ(end.problem, "") << outcome;
    EXPECT_EQ(end.outcome(), outcome);
    EXPECT_FALSE(end.succeeded()) << outcome;
    EXPECT_FALSE(end.is_signed()) << outcome;
  }
}

TEST_F(ResultTrackerTest, WhatIsToldAfterTheEndChangesNothing) {
  result_.set_outcome(pb::OUTCOME_FAILED);
  result_.set_failure(pb::COMMAND_FAILURE_EXIT_STATUS);
  result_.set_message("signed");
  auto event = Ended();
  event.mutable_delivery()->set_failure(pb::COMMAND_FAILURE_SQL);
  event.mutable_delivery()->set_message("told");
  ASSERT_TRUE(Tell(event).ok());
  for (const pb::Outcome outcome : {pb::OUTCOME_DONE, pb::OUTCOME_EXPIRED}) {
    event.mutable_delivery()->set_outcome(outcome);
    event.mutable_delivery()->clear_result_envelope();
    ASSERT_TRUE(Tell(event).ok());
  }
  event.mutable_delivery()->set_state(api::DELIVERY_STATE_STARTED);
  ASSERT_TRUE(Tell(event).ok());
  EXPECT_EQ(seen_.states, 1);
  ASSERT_TRUE(Tell(Output(1, 0, "hello")).ok());
  const TargetEnd& end = seen_.ends.at(0);
  EXPECT_EQ(end.problem, "");
  EXPECT_TRUE(end.is_signed());
  EXPECT_EQ(end.outcome(), pb::OUTCOME_FAILED);
  EXPECT_EQ(end.delivery.outcome(), pb::OUTCOME_FAILED);
  EXPECT_EQ(end.failure(), pb::COMMAND_FAILURE_EXIT_STATUS);
  EXPECT_EQ(end.message(), "signed");
}

TEST_F(ResultTrackerTest, AnUnsignedEndIsNotMadeGoodByASignatureThatComesLater) {
  auto event = Ended();
  event.mutable_delivery()->clear_result_envelope();
  ASSERT_TRUE(Tell(event).ok());
  ASSERT_TRUE(Tell(Ended()).ok());
  ASSERT_TRUE(Tell(Output(1, 0, "hello")).ok());
  ASSERT_TRUE(Tell(Finished()).ok());
  EXPECT_FALSE(seen_.ends.at(0).problem.empty());
}

TEST_F(ResultTrackerTest, ALaterAttemptReplacesTheOutputOfTheEarlier) {
  result_.set_attempt(2);
  ASSERT_TRUE(Tell(Output(1, 0, "hal")).ok());
  ASSERT_TRUE(Tell(Output(2, 0, "hello")).ok());
  EXPECT_EQ(seen_.restarts, 1);
  EXPECT_EQ(seen_.output, "hello");
  ASSERT_TRUE(Tell(Output(1, 3, "lo")).ok()) << "late, and ignored";
  EXPECT_EQ(seen_.output, "hello");
  ASSERT_TRUE(Tell(Ended()).ok());
  EXPECT_TRUE(seen_.ends.at(0).succeeded());
}

TEST_F(ResultTrackerTest, AnInterruptedRunKeepsItsOutputUnverified) {
  result_.set_attempt(2);
  result_.set_outcome(pb::OUTCOME_INTERRUPTED);
  result_.set_failure(pb::COMMAND_FAILURE_INTERRUPTED);
  SignsOutput("");
  ASSERT_TRUE(Tell(Output(1, 0, "par")).ok());
  ASSERT_TRUE(Tell(Ended()).ok());
  ASSERT_TRUE(Tell(Finished()).ok());
  EXPECT_EQ(seen_.output, "par");
  EXPECT_FALSE(seen_.ends.at(0).output_verified);
  EXPECT_EQ(seen_.ends.at(0).problem, "");
}

TEST_F(ResultTrackerTest, AGapOrAnOverlapIsABreach) {
  ASSERT_TRUE(Tell(Output(1, 0, "he")).ok());
  EXPECT_EQ(Tell(Output(1, 3, "lo")).error().code, Code::kCorrupt);
  EXPECT_EQ(Tell(Output(1, 1, "el")).error().code, Code::kCorrupt);
}

TEST_F(ResultTrackerTest, SaysWhereToResume) {
  ASSERT_TRUE(Tell(Output(1, 0, "hel")).ok());
  const auto positions = tracker_.Positions();
  ASSERT_EQ(positions.size(), 1U);
  EXPECT_EQ(positions[0].agent_id(), agent_.str());
  EXPECT_EQ(positions[0].attempt(), 1U);
  EXPECT_EQ(positions[0].offset(), 3U);
}

TEST_F(ResultTrackerTest, AnEndToldTwiceAfterAReconnectCountsOnce) {
  ASSERT_TRUE(Tell(Output(1, 0, "hello")).ok());
  ASSERT_TRUE(Tell(Ended()).ok());
  ASSERT_TRUE(Tell(Ended()).ok());
  ASSERT_TRUE(Tell(Output(1, 5, "more")).ok()) << "nothing counts after the end";
  EXPECT_EQ(seen_.output, "hello");
  EXPECT_EQ(seen_.ends.size(), 1U);
}

TEST_F(ResultTrackerTest, AnAgentThatTheCommandDoesNotNameIsABreachHoweverWellItSigns) {
  // An id made up by the backend, with a key that fits it: every signature of it holds.
  const auto invented = crypto_->GenerateKey().value();
  const AgentId id = sign::AgentIdOf(*crypto_, invented->public_key());
  result_.set_agent_id(id.str());
  auto ended = EndedBy(*invented);
  ended.mutable_delivery()->set_agent_id(id.str());
  auto output = Output(1, 0, "hello");
  output.mutable_output()->set_agent_id(id.str());
  ASSERT_TRUE(VerifyResult(*crypto_, command_, ended.delivery()).ok());
  EXPECT_EQ(Tell(output).error().code, Code::kCorrupt);
  EXPECT_EQ(Tell(ended).error().code, Code::kCorrupt);
  EXPECT_TRUE(seen_.ends.empty());
  EXPECT_EQ(seen_.output, "");
}

TEST_F(ResultTrackerTest, TheEndWithoutAWordOfASignedTargetIsABreach) {
  const AgentId silent = crypto_->RandomBytes<AgentId>();
  ResultTracker tracker(*crypto_, command_, {agent_, silent}, ResultTracker::Output::kWanted);
  ASSERT_TRUE(tracker.OnEvent(Output(1, 0, "hello"), seen_).ok());
  ASSERT_TRUE(tracker.OnEvent(Ended(), seen_).ok());
  EXPECT_EQ(tracker.OnEvent(Finished(), seen_).error().code, Code::kCorrupt);
  EXPECT_FALSE(tracker.finished());
}

TEST_F(ResultTrackerTest, TheEndBeforeEveryTargetEndedIsABreach) {
  ASSERT_TRUE(Tell(Output(1, 0, "hel")).ok());
  EXPECT_EQ(Tell(Finished()).error().code, Code::kCorrupt);
}

}  // namespace
}  // namespace holdfast::sdk
