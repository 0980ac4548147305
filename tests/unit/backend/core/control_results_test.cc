// Results over the whole core: what agents may touch, what is acknowledged when, what is checked.
#include <set>

#include <gtest/gtest.h>

#include "common/base/crc32c.h"
#include "tests/support/control_world.h"

namespace holdfast::testing {
namespace {

// One agent that is played by hand, over a gateway of its own.
class ControlResultsTest : public ::testing::Test {
 protected:
  ControlResultsTest() {
    world_.Run(3 * kSecond);
    for (int i = 0; i < 3; ++i) world_.Run(kSecond);
    pb::Command command = world_.fleet().GoodCommand();
    command.mutable_target()->clear_agent_ids();
    command.mutable_target()->add_agent_ids(agent().id().str());
    command.set_issued_at_ms(world_.now().wall_ms());
    command.set_not_after_ms(world_.now().wall_ms() + kHourMs);
    command.mutable_limits()->set_out_bytes(kMaxOutput);
    digest_ = world_.analyst().Submit(command);
    for (const std::string& message : world_.analyst().TakeMessages()) {
      world_.core().OnApiMessage(1, message, world_.now());
    }
    Turn();
  }
  SimAgent& agent() { return *world_.agents()[0]; }
  SimAgent& other() { return *world_.agents()[1]; }
  link::v1::Up Record(std::uint64_t seq, std::uint32_t attempt = 1) const {
    link::v1::Up up;
    up.set_digest(digest_.str());
    up.set_attempt(attempt);
    up.set_seq(seq);
    return up;
  }
  link::v1::Up Received() const {
    auto up = Record(0);
    up.mutable_received();
    return up;
  }
  link::v1::Up Chunk(std::uint64_t seq, std::string data, std::uint32_t attempt = 1) {
    auto up = Record(seq, attempt);
    up.mutable_chunk()->set_offset(output_.size());
    up.mutable_chunk()->set_crc32c(Crc32c(data));
    output_ += data;
    up.mutable_chunk()->set_data(std::move(data));
    return up;
  }
  pb::Result GoodResult(std::uint64_t chunks, std::uint32_t attempt = 1) {
    pb::Result result;
    result.set_command_digest(digest_.str());
    result.set_agent_id(world_.agents()[0]->id().str());
    result.set_incarnation(std::string(16, 'i'));
    result.set_attempt(attempt);
    result.set_outcome(pb::OUTCOME_DONE);
    result.set_output_bytes(output_.size());
    result.set_chunk_count(chunks);
    result.set_output_sha256(world_.crypto().Sha256(output_).str());
    return result;
  }
  link::v1::Up Final(std::uint64_t seq, const pb::Result& result, const sign::SigningKey& key) {
    auto up = Record(seq, result.attempt());
    up.mutable_final()->set_envelope(
        sign::SignEnvelope(world_.crypto(), key, sign::kResultType, result.SerializeAsString())
            .value());
    return up;
  }
  void Up(const std::vector<link::v1::Up>& records, SimAgent* from = nullptr,
          std::uint64_t epoch_less = 0) {
    if (from == nullptr) from = &agent();
    route::v1::ToControl message;
    message.set_gateway(world_.gateways()[0]->instance());
    message.mutable_from_agent()->set_agent_id(from->id().str());
    message.mutable_from_agent()->set_epoch(from->epoch() - epoch_less);
    for (const auto& record : records) {
      link::Frame frame;
      *frame.mutable_up() = record;
      message.mutable_from_agent()->add_frames(frame.SerializeAsString());
    }
    world_.core().OnEntry("1-0", message.SerializeAsString(), world_.now());
  }
  // The gateway lists its links: this agent's, as it is.
  void ListLinks() {
    route::v1::ToControl message;
    message.set_gateway(world_.gateways()[0]->instance());
    auto& link = *message.mutable_links()->add_links();
    link.set_agent_id(agent().id().str());
    link.set_epoch(agent().epoch());
    message.mutable_links()->set_last(true);
    message.mutable_links()->set_event_no(1000);
    world_.core().OnEntry("1-0", message.SerializeAsString(), world_.now());
  }
  // The acknowledgements that left with this turn.
  std::vector<link::v1::Ack> Turn() {
    world_.core().EndTurn(world_.now());
    std::vector<link::v1::Ack> out;
    while (const auto route = world_.core().NextOut()) {
      route::v1::ToGateway message;
      if (route->kind != backend::RouteOut::Kind::kAdd || !message.ParseFromString(route->bytes)) {
        continue;
      }
      for (const std::string& bytes : message.send().frames()) {
        const auto frame = link::DecodeFrame(bytes, link::Direction::kDown);
        if (frame.value().has_ack()) out.push_back(frame.value().ack());
      }
    }
    return out;
  }
  // Control begins anew, and finds in its ledger that the command has ended INTERRUPTED.
  void BeginAnewWithItInterrupted() {
    backend::DeliveryRow row = Row();
    row.state = backend::DeliveryState::kEnded;
    row.outcome = pb::OUTCOME_INTERRUPTED;
    ASSERT_TRUE(world_.store().PutDelivery(row).ok());
    ASSERT_TRUE(world_.store().PutCommandCounts(digest_, 1, 0).ok());
    ASSERT_TRUE(world_.store().Commit().ok());
    world_.CrashControl();
    world_.Run(kSecond);
    (void)Turn();
  }
  backend::DeliveryRow Row() { return *world_.store().FindDelivery(digest_, agent().id()).value(); }

  static constexpr std::uint64_t kMaxOutput = 20'000;
  static constexpr std::uint64_t kDefaultOutput = 25'000;  // of what is no file
  ControlWorld world_{
      {.seed = 9, .agents = 2, .gateways = 1, .default_output_bytes = kDefaultOutput}};
  Digest digest_;
  std::string output_;
};

TEST_F(ControlResultsTest, EndsWithWhatTheAgentSigned) {
  Up({Received(), Chunk(1, "rows"), Final(2, GoodResult(1), agent().key())});
  const auto acks = Turn();
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_EQ(acks[0].next_seq(), 3U);
  EXPECT_TRUE(acks[0].complete());
  EXPECT_EQ(Row().outcome, pb::OUTCOME_DONE);
  EXPECT_FALSE(Row().result_envelope.empty());
}

TEST_F(ControlResultsTest, AcknowledgesALargeOutputOnlyAfterItsFileIsOnDisk) {
  Up({Received(), Chunk(1, std::string(6000, 'x'))});  // above what goes into the store
  for (const auto& ack : Turn()) EXPECT_LE(ack.next_seq(), 1U);
  EXPECT_EQ(Row().stored_bytes, 0U);
  world_.core().OnFileDone(world_.files().RunOne(), world_.now());
  const auto acks = Turn();
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_EQ(acks[0].next_seq(), 2U);
  EXPECT_EQ(Row().stored_bytes, 6000U);
}

TEST_F(ControlResultsTest, TakesTheEndOfALargeOutputOnlyTogetherWithItsFile) {
  Up({Received(), Chunk(1, std::string(6000, 'x'))});
  (void)Turn();
  world_.core().OnFileDone(world_.files().RunOne(), world_.now());
  (void)Turn();
  Up({Final(2, GoodResult(1), agent().key())});
  for (const auto& ack : Turn()) EXPECT_EQ(ack.next_seq(), 2U);
  EXPECT_EQ(Row().next_seq, 2U);  // the file is still being sealed
  world_.CrashControl();
  ListLinks();
  const auto acks = Turn();
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_EQ(acks[0].next_seq(), 2U);  // else the agent would never send its Final again
  Up({Final(2, GoodResult(1), agent().key())});
  (void)Turn();
  world_.core().OnFileDone(world_.files().RunOne(), world_.now());
  (void)Turn();
  EXPECT_EQ(Row().outcome, pb::OUTCOME_DONE);
}

TEST_F(ControlResultsTest, AcknowledgesNothingThatCouldNotBeCommitted) {
  world_.store().FailNextCommits(1);
  Up({Received(), Chunk(1, "rows")});
  EXPECT_TRUE(Turn().empty());
  EXPECT_EQ(Row().next_seq, 0U);
}

// The record names more of the file than control believes: had the agent sent only a part of that again meanwhile, the
// file would have been cut back to it.
TEST_F(ControlResultsTest, CutsNoFileBackBeforeTheStoreSaysWhatOfItCounts) {
  Up({Received(), Chunk(1, std::string(6000, 'a'))});
  (void)Turn();
  world_.core().OnFileDone(world_.files().RunOne(), world_.now());
  (void)Turn();
  const auto second = Chunk(2, std::string(6000, 'b'));
  const auto third = Chunk(3, std::string(6000, 'c'));
  Up({second, third});
  (void)Turn();
  world_.store().LoseNextAnswer();
  world_.core().OnFileDone(world_.files().RunOne(), world_.now());
  EXPECT_TRUE(Turn().empty());
  world_.Run(2 * kSecond);  // it is asked for them again
  Up({second});
  (void)Turn();
  EXPECT_FALSE(world_.files().has_jobs());

  world_.store().SetAway(false);
  EXPECT_EQ(Row().stored_bytes, 18'000U);
  world_.CrashControl();  // it finds out, and ends
  ListLinks();
  (void)Turn();
  Up({Final(4, GoodResult(3), agent().key())});
  (void)Turn();
  world_.core().OnFileDone(world_.files().RunOne(), world_.now());
  (void)Turn();
  EXPECT_EQ(Row().outcome, pb::OUTCOME_DONE) << Row().message;
}

// Records came on top of those whose commit is in doubt, for a file that no row here names yet.
TEST_F(ControlResultsTest, DeletesNoFileBeforeTheStoreSaysThatNoRowNamesIt) {
  Up({Received(), Chunk(1, std::string(6000, 'a'))});
  (void)Turn();
  const auto second = Chunk(2, std::string(6000, 'b'));
  Up({second});
  world_.store().LoseNextAnswer();
  world_.core().OnFileDone(world_.files().RunOne(), world_.now());
  (void)Turn();  // the next job began before this commit
  while (world_.files().has_jobs()) {
    world_.core().OnFileDone(world_.files().RunOne(), world_.now());
  }
  (void)Turn();
  EXPECT_EQ(world_.files().growing(), 1U);
  world_.store().SetAway(false);
  EXPECT_EQ(Row().stored_bytes, 6000U);
  world_.CrashControl();
  ListLinks();
  (void)Turn();
  Up({second, Final(3, GoodResult(2), agent().key())});
  (void)Turn();
  while (world_.files().has_jobs()) {
    world_.core().OnFileDone(world_.files().RunOne(), world_.now());
    (void)Turn();
  }
  EXPECT_EQ(Row().outcome, pb::OUTCOME_DONE) << Row().message;
}

TEST_F(ControlResultsTest, GoesOnWithAFileWhenAStoreThatFailedIsReachedAgain) {
  const auto first = Chunk(1, std::string(6000, 'a'));
  Up({Received(), first});
  (void)Turn();
  world_.store().FailNextCommits(1);
  world_.core().OnFileDone(world_.files().RunOne(), world_.now());
  EXPECT_TRUE(Turn().empty());
  world_.Run(2 * kSecond);
  Up({Received(), first});
  (void)Turn();
  ASSERT_TRUE(world_.files().has_jobs());
  world_.core().OnFileDone(world_.files().RunOne(), world_.now());
  (void)Turn();
  EXPECT_EQ(Row().stored_bytes, 6000U);
}

TEST_F(ControlResultsTest, LetsAnAgentTouchOnlyWhatTargetsIt) {
  Up({Received(), Chunk(1, "lies"), Final(2, GoodResult(1), other().key())}, &other());
  EXPECT_TRUE(Turn().empty());
  EXPECT_EQ(Row().next_seq, 0U);
  EXPECT_FALSE(world_.store().FindDelivery(digest_, other().id()).value());
}

TEST_F(ControlResultsTest, DropsFramesOfAnEpochThatIsOver) {
  Up({Received()}, nullptr, 1);
  EXPECT_TRUE(Turn().empty());
  EXPECT_EQ(Row().state, backend::DeliveryState::kSent);
}

TEST_F(ControlResultsTest, CallsAResultBadThatAnotherKeySigned) {
  Up({Received(), Final(1, GoodResult(0), other().key())});
  (void)Turn();
  EXPECT_EQ(Row().failure, pb::COMMAND_FAILURE_BAD_RESULT);
}

TEST_F(ControlResultsTest, CallsAResultBadThatDoesNotFitTheOutput) {
  pb::Result result = GoodResult(1);
  Up({Received(), Chunk(1, "rows"), Final(2, result, agent().key())});  // made before the chunk
  (void)Turn();
  EXPECT_EQ(Row().failure, pb::COMMAND_FAILURE_BAD_RESULT);
}

TEST_F(ControlResultsTest, CallsALargeResultBadWhoseHashDoesNotComeOut) {
  const auto chunk = Chunk(1, std::string(6000, 'x'));
  pb::Result result = GoodResult(1);
  result.set_output_sha256(std::string(32, 'h'));
  Up({Received(), chunk, Final(2, result, agent().key())});
  (void)Turn();
  world_.core().OnFileDone(world_.files().RunOne(), world_.now());
  EXPECT_TRUE(Turn().back().complete());
  EXPECT_EQ(Row().failure, pb::COMMAND_FAILURE_BAD_RESULT);
  EXPECT_EQ(world_.files().sealed(), 0U);
}

TEST_F(ControlResultsTest, CallsAStreamBadWhoseChunkHasTheWrongPlace) {
  auto chunk = Chunk(1, "rows");
  chunk.mutable_chunk()->set_offset(7);
  Up({Received(), chunk});
  EXPECT_TRUE(Turn().back().complete());
  EXPECT_EQ(Row().failure, pb::COMMAND_FAILURE_BAD_RESULT);
}

TEST_F(ControlResultsTest, StoresNoMoreThanTheSignedLimitsAllow) {
  Up({Received(), Chunk(1, std::string(kMaxOutput - 1, 'x'))});
  (void)Turn();
  world_.core().OnFileDone(world_.files().RunOne(), world_.now());
  (void)Turn();
  EXPECT_EQ(Row().stored_bytes, kMaxOutput - 1);
  Up({Chunk(2, "xy")});
  const auto acks = Turn();
  ASSERT_FALSE(acks.empty());
  EXPECT_TRUE(acks.back().complete());
  EXPECT_EQ(Row().outcome, pb::OUTCOME_FAILED);
  EXPECT_EQ(Row().failure, pb::COMMAND_FAILURE_OUTPUT_LIMIT);
  EXPECT_EQ(Row().stored_bytes, kMaxOutput - 1);
}

TEST_F(ControlResultsTest, AsksForWhatIsMissingInBetween) {
  Up({Received(), Chunk(2, "rows")});
  const auto acks = Turn();
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_EQ(acks[0].next_seq(), 1U);
  EXPECT_TRUE(acks[0].rewind());
}

TEST_F(ControlResultsTest, KeepsEarlierOutputWhenTheNextAttemptOnlySaysInterrupted) {
  Up({Received(), Chunk(1, "half of it")});
  (void)Turn();
  output_.clear();
  pb::Result result = GoodResult(0, 2);
  result.set_outcome(pb::OUTCOME_INTERRUPTED);
  result.set_failure(pb::COMMAND_FAILURE_INTERRUPTED);
  Up({Final(0, result, agent().key())});
  EXPECT_TRUE(Turn().back().complete());
  EXPECT_EQ(Row().outcome, pb::OUTCOME_INTERRUPTED);
  EXPECT_EQ(Row().stored_bytes, 10U);
  EXPECT_EQ(world_.store().ReadInline(digest_, agent().id(), 0, 99).value(), "half of it");
}

TEST_F(ControlResultsTest, DropsEarlierOutputWhenAnotherAttemptStarts) {
  Up({Received(), Chunk(1, "half of it")});
  (void)Turn();
  output_.clear();
  auto started = Record(0, 2);
  started.mutable_started();
  Up({started, Chunk(1, "all", 2), Final(2, GoodResult(1, 2), agent().key())});
  EXPECT_TRUE(Turn().back().complete());
  EXPECT_EQ(Row().outcome, pb::OUTCOME_DONE);
  EXPECT_EQ(world_.store().ReadInline(digest_, agent().id(), 0, 99).value(), "all");
}

TEST_F(ControlResultsTest, AnswersAStreamThatIsOverFromTheStore) {
  Up({Received(), Chunk(1, "rows"), Final(2, GoodResult(1), agent().key())});
  (void)Turn();
  const backend::DeliveryRow before = Row();
  Up({Received()});
  const auto acks = Turn();
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_TRUE(acks[0].complete());
  EXPECT_EQ(acks[0].next_seq(), 1U);  // no more than the agent is known to have
  EXPECT_EQ(Row().ended_ms, before.ended_ms);
}

TEST_F(ControlResultsTest, KeepsALateResultWithoutChangingTheState) {
  ASSERT_NO_FATAL_FAILURE(BeginAnewWithItInterrupted());
  Up({Received(), Chunk(1, "rows"), Final(2, GoodResult(1), agent().key())});
  const auto acks = Turn();
  ASSERT_FALSE(acks.empty());
  EXPECT_TRUE(acks.back().complete());
  EXPECT_EQ(Row().outcome, pb::OUTCOME_INTERRUPTED);
  EXPECT_FALSE(Row().result_envelope.empty());
}

TEST_F(ControlResultsTest, TakesAReceiptAndAStartOnlyWhereTheyBelong) {
  const auto audited = [this] {
    return world_.store().ListAudit(0, 1'000'000, digest_.str()).value().size();
  };
  const std::size_t before = audited();
  std::vector<link::v1::Up> records = {Received()};
  for (std::uint64_t seq = 1; seq < 60; ++seq) {
    records.push_back(Record(seq));
    records.back().mutable_started();
  }
  Up(records);
  EXPECT_TRUE(Turn().back().complete());
  EXPECT_EQ(Row().failure, pb::COMMAND_FAILURE_BAD_RESULT);
  EXPECT_EQ(audited() - before, 3U);  // received, started, ended
}

TEST_F(ControlResultsTest, EndsACommandThatIsAttemptedWithoutEnd) {
  const auto start = [this](std::uint32_t attempt) {
    auto started = Record(0, attempt);
    started.mutable_started();
    output_.clear();
    Up({started, Chunk(1, "rows", attempt)});
    return Turn();
  };
  EXPECT_FALSE(start(1000).back().complete());
  EXPECT_TRUE(start(1001).back().complete());
  EXPECT_EQ(Row().failure, pb::COMMAND_FAILURE_BAD_RESULT);
}

TEST_F(ControlResultsTest, TakesAnArchiveOfAnySizeWhenNoLimitIsSigned) {
  for (const bool is_archive : {true, false}) {
    pb::Command command = world_.fleet().GoodCommand();
    command.set_command_id(std::string(16, is_archive ? 'a' : 'q'));
    if (is_archive) command.mutable_archive()->add_paths("/var/log");
    command.mutable_target()->clear_agent_ids();
    command.mutable_target()->add_agent_ids(agent().id().str());
    command.set_issued_at_ms(world_.now().wall_ms());
    command.set_not_after_ms(world_.now().wall_ms() + kHourMs);
    command.mutable_limits()->clear_out_bytes();
    digest_ = world_.analyst().Submit(command);
    for (const std::string& message : world_.analyst().TakeMessages()) {
      world_.core().OnApiMessage(1, message, world_.now());
    }
    (void)Turn();
    output_.clear();
    Up({Received(), Chunk(1, std::string(kDefaultOutput + 1, 'x'))});
    (void)Turn();
    EXPECT_EQ(Row().ended(), !is_archive);
  }
}

TEST_F(ControlResultsTest, TellsTheEndOfAnOutputThatItsDiskHasLost) {
  const auto listen = [this] {
    for (int i = 0; i < 200; ++i) {
      for (const std::string& message : world_.analyst().TakeMessages()) {
        world_.core().OnApiMessage(1, message, world_.now());
      }
      (void)Turn();
      while (const auto message = world_.core().NextApiMessage(1)) {
        world_.analyst().OnMessage(*message);
      }
    }
  };
  listen();
  Up({Received(), Chunk(1, std::string(6000, 'a'))});
  (void)Turn();
  world_.core().OnFileDone(world_.files().RunOne(), world_.now());
  (void)Turn();
  world_.files().Forget({backend::FileArea::kResults, Row().output_name});
  Up({Chunk(2, std::string(6000, 'b'))});
  (void)Turn();
  world_.core().OnFileDone(world_.files().RunOne(), world_.now());
  (void)Turn();
  listen();
  ASSERT_EQ(Row().state, backend::DeliveryState::kEnded) << Row().message;
  EXPECT_TRUE(world_.analyst().jobs().at(digest_).finished);
}

TEST_F(ControlResultsTest, AcknowledgesALateStreamPieceByPiece) {
  ASSERT_NO_FATAL_FAILURE(BeginAnewWithItInterrupted());
  const std::uint64_t ended = world_.core().figures().commands_ended;
  Up({Received(), Chunk(1, "rows")});
  auto acks = Turn();
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_EQ(acks[0].next_seq(), 2U);
  EXPECT_FALSE(acks[0].complete());
  Up({Final(2, GoodResult(1), agent().key())});
  acks = Turn();
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_TRUE(acks[0].complete());
  EXPECT_EQ(Row().outcome, pb::OUTCOME_INTERRUPTED);
  EXPECT_FALSE(Row().result_envelope.empty());
  EXPECT_EQ(world_.core().figures().commands_ended, ended);  // it had ended before
}

TEST_F(ControlResultsTest, NotesWhatItHasInHandWhileItWorksOnIt) {
  std::set<std::string> seen;
  world_.crypto().on_verify = [&] { seen.insert(world_.counters().AtHand()); };
  Up({Received(), Final(1, GoodResult(0), agent().key())});
  (void)Turn();
  EXPECT_EQ(seen, std::set<std::string>{agent().id().str() + digest_.str()});
  EXPECT_EQ(world_.counters().AtHand(), "");
}

TEST_F(ControlResultsTest, SetsACommandAsideThatControlsDiedOver) {
  Up({Received(), Chunk(1, "rows")});
  (void)Turn();
  world_.CrashControl();
  world_.core().OnPoison({digest_, agent().id()});
  world_.core().OnPoison({Digest(), agent().id()});  // nothing of ours: no matter
  (void)Turn();
  EXPECT_EQ(Row().outcome, pb::OUTCOME_FAILED);
  EXPECT_EQ(Row().failure, pb::COMMAND_FAILURE_POISON);
  EXPECT_TRUE(Row().result_envelope.empty());
  // What comes again is not looked at, and the agent may forget it.
  bool looked = false;
  world_.crypto().on_verify = [&] { looked = true; };
  Up({Final(2, GoodResult(1), agent().key())});
  const auto acks = Turn();
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_TRUE(acks[0].complete());
  EXPECT_FALSE(looked);
}

TEST_F(ControlResultsTest, SetsACommandAsideWhereverItGoesAndNowhereElse) {
  pb::Command command = world_.fleet().GoodCommand();
  command.set_command_id(std::string(16, 'd'));
  command.mutable_target()->clear_agent_ids();
  for (SimAgent* const to : {&agent(), &other()}) {
    command.mutable_target()->add_agent_ids(to->id().str());
  }
  command.set_issued_at_ms(world_.now().wall_ms());
  command.set_not_after_ms(world_.now().wall_ms() + kHourMs);
  const Digest digest = world_.analyst().Submit(command);
  for (const std::string& message : world_.analyst().TakeMessages()) {
    world_.core().OnApiMessage(1, message, world_.now());
  }
  world_.core().EndTurn(world_.now());
  std::set<std::string> brought;
  while (const auto route = world_.core().NextOut()) {
    route::v1::ToGateway message;
    if (message.ParseFromString(route->bytes)) brought.insert(message.send().digest());
  }
  EXPECT_TRUE(brought.contains(digest.str()));
  world_.core().OnPoison({digest, AgentId()});
  (void)Turn();
  for (SimAgent* const to : {&agent(), &other()}) {
    const auto row = world_.store().FindDelivery(digest, to->id());
    ASSERT_TRUE(row.ok() && row.value());
    EXPECT_EQ(row.value()->failure, pb::COMMAND_FAILURE_POISON);
  }
  EXPECT_FALSE(Row().ended());
}

TEST_F(ControlResultsTest, SetsItAsideAlsoWhenTheFirstCommitFails) {
  world_.store().FailNextCommits(1);
  world_.core().OnPoison({digest_, agent().id()});
  (void)Turn();
  EXPECT_NE(Row().failure, pb::COMMAND_FAILURE_POISON);
  (void)Turn();
  EXPECT_EQ(Row().failure, pb::COMMAND_FAILURE_POISON);
}

TEST_F(ControlResultsTest, SaysAfterARestartAtOnceWhereEachStreamStands) {
  Up({Received(), Chunk(1, "rows")});
  (void)Turn();
  world_.CrashControl();
  ListLinks();
  const auto acks = Turn();
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_EQ(acks[0].next_seq(), 2U);
  EXPECT_TRUE(acks[0].rewind());
}

TEST_F(ControlResultsTest, SaysAfterRedisWasAwayAtOnceWhereEachStreamStands) {
  Up({Received(), Chunk(1, "rows")});
  (void)Turn();
  ListLinks();
  EXPECT_TRUE(Turn().empty());  // nothing was lost: nothing is to be said
  world_.core().OnTransport(false, world_.now());
  world_.core().OnTransport(true, world_.now());
  ListLinks();
  const auto acks = Turn();
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_EQ(acks[0].next_seq(), 2U);
  EXPECT_TRUE(acks[0].rewind());
  ListLinks();
  EXPECT_TRUE(Turn().empty());
}

TEST_F(ControlResultsTest, SendsAfterRedisWasAwayWhatHasNoReceipt) {
  const std::uint32_t sends = Row().sends;
  ListLinks();
  (void)Turn();
  EXPECT_EQ(Row().sends, sends);
  world_.core().OnTransport(false, world_.now());
  world_.core().OnTransport(true, world_.now());
  ListLinks();
  (void)Turn();
  EXPECT_EQ(Row().sends, sends + 1);
}

TEST_F(ControlResultsTest, AsksAfterARestartForAnswersThatTheOneBeforeNeverRead) {
  ASSERT_GT(Row().sends, 0U);
  ASSERT_EQ(Row().attempt, 0U);
  world_.CrashControl();
  ListLinks();
  const auto acks = Turn();
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_EQ(acks[0].attempt(), 1U);
  EXPECT_EQ(acks[0].next_seq(), 0U);
  EXPECT_TRUE(acks[0].rewind());
}

TEST_F(ControlResultsTest, EndsWhatItSentToAnAgentWhoseJournalWentBackInTime) {
  Up({Received()});
  (void)Turn();
  agent().OnClosed();
  world_.gateways()[0]->Hangup(agent());
  agent().SetContact(std::string(16, 'z'));  // not what control last told it
  world_.gateways()[0]->Dial(agent());
  for (const auto& entry : world_.gateways()[0]->TakeToControl()) {
    world_.core().OnEntry("2-0", entry, world_.now());
  }
  (void)Turn();
  EXPECT_EQ(Row().outcome, pb::OUTCOME_INTERRUPTED);
  EXPECT_EQ(Row().failure, pb::COMMAND_FAILURE_JOURNAL_LOST);
}

class ControlBlobsTest : public ControlResultsTest {
 protected:
  // A command that names one blob, delivered to the agent.
  ControlBlobsTest() {
    const std::string content(kBlobBytes, 'b');
    sha256_ = world_.crypto().Sha256(content);
    const auto half = *Nonce16::From(sha256_.view().substr(0, Nonce16::kSize));
    backend::FileJob job;
    job.file = {backend::FileArea::kBlobs, half};
    job.pieces = {content};
    job.seal = sha256_;
    world_.files().Start(job);
    HF_CHECK(world_.files().RunOne().status.ok());
    pb::Command command = world_.fleet().GoodCommand();
    command.set_command_id(std::string(16, 'p'));
    command.mutable_target()->clear_agent_ids();
    command.mutable_target()->add_agent_ids(agent().id().str());
    command.set_issued_at_ms(world_.now().wall_ms());
    command.set_not_after_ms(world_.now().wall_ms() + kHourMs);
    auto& blob = *command.add_blobs();
    blob.set_sha256(sha256_.str());
    blob.set_size(kBlobBytes);
    digest_ = world_.analyst().Submit(command);
    for (const std::string& message : world_.analyst().TakeMessages()) {
      world_.core().OnApiMessage(1, message, world_.now());
    }
    (void)Turn();
  }
  void Ask(int times) {
    route::v1::ToControl message;
    message.set_gateway(world_.gateways()[0]->instance());
    message.mutable_from_agent()->set_agent_id(agent().id().str());
    message.mutable_from_agent()->set_epoch(agent().epoch());
    link::Frame frame;
    frame.mutable_blob_request()->set_digest(digest_.str());
    frame.mutable_blob_request()->set_sha256(sha256_.str());
    frame.mutable_blob_request()->set_length(kBlobBytes);
    for (int i = 0; i < times; ++i)
      message.mutable_from_agent()->add_frames(frame.SerializeAsString());
    world_.core().OnEntry("1-0", message.SerializeAsString(), world_.now());
  }
  int Answers() { return Answers(world_.now()); }
  int Answers(backend::Moment now) {
    world_.core().EndTurn(now);
    int out = 0;
    while (const auto route = world_.core().NextOut()) {
      route::v1::ToGateway message;
      if (route->kind != backend::RouteOut::Kind::kAdd || !message.ParseFromString(route->bytes)) {
        continue;
      }
      sent_bytes_ = message.sent_bytes();
      for (const std::string& bytes : message.send().frames()) {
        const auto frame = link::DecodeFrame(bytes, link::Direction::kDown);
        out += frame.value().blob_data().data().size() == kBlobBytes ? 1 : 0;
      }
    }
    return out;
  }
  static constexpr std::size_t kBlobBytes = 256 * 1024;
  Digest sha256_;
  std::uint64_t sent_bytes_ = 0;  // of the last entry
};

TEST_F(ControlBlobsTest, AnswersOnlyAsManyQuestionsAtOnceAsADeliveryMayHaveOpen) {
  Ask(64);
  EXPECT_EQ(Answers(), 4);
  EXPECT_EQ(Answers(), 0);
  Ask(1);
  EXPECT_EQ(Answers(), 1);
}

TEST_F(ControlBlobsTest, SendsNoMoreThanTheGatewaysStreamMayHoldUnread) {
  using backend::StreamRoom;
  constexpr int kMost = StreamRoom::kMaxUnreadBytes / kBlobBytes;
  const auto until_it_waits = [this] {
    int sent = 0;
    for (int now = 1; now > 0 && sent <= 2 * kMost; sent += now) {
      Ask(4);
      now = Answers();
    }
    return sent;
  };
  const int first = until_it_waits();
  EXPECT_GE(first, kMost - 4);
  EXPECT_LE(first, kMost + 4);
  // The gateway has read all of it: what was asked for last follows.
  route::v1::ToControl up;
  up.set_gateway(world_.gateways()[0]->instance());
  up.mutable_gateway_up()->set_handled_bytes(sent_bytes_);
  world_.core().OnEntry("1-0", up.SerializeAsString(), world_.now());
  EXPECT_GE(until_it_waits(), kMost - 4);
  // Redis forgot all of it: nobody will say so.
  backend::Moment later = world_.now();
  later.at += StreamRoom::kPatience;
  EXPECT_EQ(Answers(later), 4);
}

TEST_F(ControlResultsTest, GivesBlobsOnlyToThoseWhoseCommandNamesThem) {
  link::Frame frame;
  frame.mutable_blob_request()->set_digest(digest_.str());
  frame.mutable_blob_request()->set_sha256(std::string(32, 'b'));
  frame.mutable_blob_request()->set_length(1000);
  route::v1::ToControl message;
  message.set_gateway(world_.gateways()[0]->instance());
  message.mutable_from_agent()->set_agent_id(agent().id().str());
  message.mutable_from_agent()->set_epoch(agent().epoch());
  message.mutable_from_agent()->add_frames(frame.SerializeAsString());
  world_.core().OnEntry("1-0", message.SerializeAsString(), world_.now());
  world_.core().EndTurn(world_.now());
  while (const auto route = world_.core().NextOut()) {
    EXPECT_NE(route->kind, backend::RouteOut::Kind::kAdd);
  }
}

}  // namespace
}  // namespace holdfast::testing
