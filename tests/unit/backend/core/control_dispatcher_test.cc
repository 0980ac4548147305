// The dispatcher over the whole core: how much an agent gets at once, and what waits for what.
#include "backend/core/control_dispatcher.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/support/control_world.h"

namespace holdfast::testing {
namespace {

// One agent that answers only what the test says; nothing reaches it by itself.
class DispatcherTest : public ::testing::Test {
 protected:
  DispatcherTest() { world_.Run(4 * kSecond); }

  const SimAgent& agent() { return *world_.agents()[0]; }
  Digest Submit(pb::Command command) {
    const Digest digest = world_.analyst().Submit(command);
    for (const std::string& message : world_.analyst().TakeMessages()) {
      world_.core().OnApiMessage(1, message, at_);
    }
    return digest;
  }
  pb::Command NewCommand() {
    pb::Command command = world_.fleet().GoodCommand();
    std::string id = command.command_id();
    id[0] = static_cast<char>(++commands_);
    command.set_command_id(id);
    command.mutable_target()->clear_agent_ids();
    command.mutable_target()->add_agent_ids(agent().id().str());
    command.set_issued_at_ms(at_.wall_ms());
    command.set_not_after_ms(at_.wall_ms() + kHourMs);
    return command;
  }
  Digest SubmitCommand() { return Submit(NewCommand()); }
  Digest SubmitCancel(const Digest& target) {
    pb::Command command = NewCommand();
    command.mutable_cancel()->set_digest(target.str());
    return Submit(command);
  }
  // Time passes at control alone: the commands that left, in order.
  std::vector<Digest> Turn(Duration time = Duration{0}) {
    at_.at += time;
    at_.wall = WallTime(at_.wall_ms() + static_cast<std::uint64_t>(time.count()));
    world_.core().OnTick(at_);
    world_.core().EndTurn(at_);
    std::vector<Digest> out;
    while (const auto route = world_.core().NextOut()) {
      route::v1::ToGateway message;
      if (route->kind != backend::RouteOut::Kind::kAdd || !message.ParseFromString(route->bytes)) {
        continue;
      }
      for (const std::string& bytes : message.send().frames()) {
        const auto frame = link::DecodeFrame(bytes, link::Direction::kDown);
        if (frame.value().has_ack()) acks_.push_back(frame.value().ack());
        if (!frame.value().has_deliver()) continue;
        const auto envelope =
            sign::ParseEnvelope(frame.value().deliver().envelope(), sign::kCommandType).value();
        out.push_back(
            sign::EnvelopeDigest(world_.crypto(), sign::kCommandType, envelope.payload()));
      }
    }
    return out;
  }
  void Up(link::v1::Up up, const Digest& digest, std::uint64_t seq) {
    up.set_digest(digest.str());
    up.set_attempt(1);
    up.set_seq(seq);
    link::Frame frame;
    *frame.mutable_up() = std::move(up);
    route::v1::ToControl message;
    message.set_gateway(world_.gateways()[0]->instance());
    message.mutable_from_agent()->set_agent_id(agent().id().str());
    message.mutable_from_agent()->set_epoch(agent().epoch());
    message.mutable_from_agent()->add_frames(frame.SerializeAsString());
    world_.core().OnEntry("1-0", message.SerializeAsString(), at_);
  }
  void Receive(const Digest& digest) {
    link::v1::Up up;
    up.mutable_received();
    Up(up, digest, 0);
  }
  void Finish(const Digest& digest) {
    pb::Result result;
    result.set_command_digest(digest.str());
    result.set_agent_id(agent().id().str());
    result.set_attempt(1);
    result.set_outcome(pb::OUTCOME_DONE);
    result.set_output_sha256(world_.crypto().Sha256("").str());
    link::v1::Up up;
    up.mutable_final()->set_envelope(sign::SignEnvelope(world_.crypto(), agent().key(),
                                                        sign::kResultType,
                                                        result.SerializeAsString())
                                         .value());
    Up(up, digest, 1);
  }

  ControlWorld world_{{.seed = 5, .agents = 1, .gateways = 1}};
  backend::Moment at_ = world_.now();
  std::vector<link::v1::Ack> acks_;  // of all turns
  int commands_ = 0;
};

using Digests = std::vector<Digest>;

TEST_F(DispatcherTest, HandsOverSixteenWithoutAReceiptAndThirtyTwoWithoutAnEnd) {
  Digests all;
  for (int i = 0; i < 40; ++i) all.push_back(SubmitCommand());
  const auto slice = [&](int from, int to) { return Digests(&all[from], &all[to]); };
  EXPECT_EQ(Turn(), slice(0, 16));
  for (int i = 0; i < 16; ++i) Receive(all[i]);
  EXPECT_EQ(Turn(kSecond / 10), slice(16, 32));
  for (int i = 16; i < 32; ++i) Receive(all[i]);
  EXPECT_EQ(Turn(kSecond / 10), Digests{});  // all have a receipt, none has ended
  Finish(all[20]);
  EXPECT_EQ(Turn(kSecond / 10), slice(32, 33));
}

TEST_F(DispatcherTest, WhatAnAgentNeverAnswersForDoesNotStopItsQueue) {
  for (int i = 0; i < 16; ++i) {
    pb::Command command = NewCommand();
    command.set_not_after_ms(at_.wall_ms() + 4000);
    Submit(command);
  }
  (void)Turn();
  (void)Turn(5 * kSecond);  // expired, without a receipt: UNKNOWN
  const Digest fresh = SubmitCommand();
  const Digests sent = Turn();
  EXPECT_NE(std::find(sent.begin(), sent.end(), fresh), sent.end());
  EXPECT_LE(sent.size(), 17U);
}

TEST_F(DispatcherTest, RepeatsWhatHasNoReceiptAlsoWhenNoMoreMayLeave) {
  Digests all;
  for (int i = 0; i < 20; ++i) all.push_back(SubmitCommand());
  (void)Turn();
  for (int i = 1; i < 16; ++i) Receive(all[i]);
  EXPECT_EQ(Turn(kSecond / 10), Digests(&all[16], &all[19] + 1));
  EXPECT_EQ(Turn(6 * kSecond), (Digests{all[0], all[16], all[17], all[18], all[19]}));
}

TEST_F(DispatcherTest, LetsACancelPastACommandThatWaits) {
  Digests all;
  for (int i = 0; i < 33; ++i) all.push_back(SubmitCommand());
  for (const int from : {0, 16}) {
    (void)Turn(kSecond / 10);
    for (int i = from; i < from + 16; ++i) Receive(all[i]);
  }
  EXPECT_EQ(Turn(kSecond / 10), Digests{});
  const Digest cancel = SubmitCancel(all[3]);
  EXPECT_EQ(Turn(), Digests{cancel});
}

TEST_F(DispatcherTest, HoldsACancelUntilItsCommandHasAReceipt) {
  const Digest command = SubmitCommand();
  EXPECT_EQ(Turn(), Digests{command});  // and it gets lost
  const Digest cancel = SubmitCancel(command);
  EXPECT_EQ(Turn(), Digests{});
  EXPECT_EQ(Turn(6 * kSecond), Digests{command});
  Receive(command);
  EXPECT_EQ(Turn(kSecond / 10), Digests{cancel});
}

TEST_F(DispatcherTest, HoldsItAlsoAfterControlStartedAgain) {
  const Digest command = SubmitCommand();
  EXPECT_EQ(Turn(), Digests{command});
  const Digest cancel = SubmitCancel(command);
  (void)Turn();
  world_.CrashControl();
  Receive(Digest());  // nothing of ours; but it shows where the agent's link is
  EXPECT_EQ(Turn(kSecond / 10), Digests{command});
  Receive(command);
  EXPECT_EQ(Turn(kSecond / 10), Digests{cancel});
}

TEST_F(DispatcherTest, AsksForWhatHasAReceiptAndNeverSendsItAgain) {
  const Digest command = SubmitCommand();
  EXPECT_EQ(Turn(), Digests{command});
  Receive(command);
  EXPECT_EQ(Turn(kSecond / 10), Digests{});
  world_.CrashControl();
  Receive(Digest());  // shows where the agent's link is
  (void)Turn(kSecond / 10);
  acks_.clear();
  EXPECT_EQ(Turn(6 * kSecond), Digests{});
  ASSERT_EQ(acks_.size(), 1U);
  EXPECT_EQ(acks_[0].digest(), command.view());
  EXPECT_EQ(acks_[0].attempt(), 1U);
  EXPECT_EQ(acks_[0].next_seq(), 1U);
  EXPECT_FALSE(acks_[0].complete());
  EXPECT_EQ(Turn(60 * kSecond), Digests{});
  EXPECT_EQ(acks_.size(), 1U);  // once a session
}

TEST_F(DispatcherTest, SendsACancelOfWhatIsOverOrUnknownAtOnce) {
  const Digest command = SubmitCommand();
  (void)Turn();
  Receive(command);
  Finish(command);
  (void)Turn(kSecond / 10);
  const Digest late = SubmitCancel(command);
  EXPECT_EQ(Turn(), Digests{late});
  const Digest strange = SubmitCancel(Digest());
  EXPECT_EQ(Turn(), Digests{strange});
}

}  // namespace
}  // namespace holdfast::testing
