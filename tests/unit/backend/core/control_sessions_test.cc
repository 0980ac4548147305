#include "backend/core/control_sessions.h"

#include <gtest/gtest.h>

#include "common/sign/envelope.h"
#include "tests/support/fake_store.h"
#include "tests/support/seeded_crypto.h"
#include "tests/support/test_fleet.h"

namespace holdfast::backend {
namespace {

namespace pb = ::holdfast::command::v1;
using ::holdfast::link::v1::CloseReason;
using ::holdfast::testing::FakeStore;
using ::holdfast::testing::SeededCrypto;
using ::holdfast::testing::TestFleet;

class SessionsTest : public ::testing::Test {
 protected:
  SessionsTest() {
    Tokens::Wanted wanted;
    wanted.uses = 2;
    wanted.ttl_ms = 1000 * 3600;
    wanted.labels = {{"env", "lab"}};
    token_ = tokens_.Create(wanted, now_).value().token;
    hello_.set_fleet_id(fleet_.fleet_id.str());
    hello_.set_server_name("server");
    hello_.set_challenge(std::string(32, 'x'));
    hello_.set_agent_id(sign::AgentIdOf(crypto_, key_->public_key()).str());
    hello_.set_pubkey(key_->public_key().str());
    hello_.set_incarnation(std::string(16, 'i'));
    hello_.set_conn_epoch(5);
    hello_.set_instance_nonce(std::string(16, 'n'));
    hello_.set_fingerprint(std::string(32, 'p'));
    hello_.set_enrol_token(token_);
    sessions_.OnTransport(true, now_);
  }
  void BecomeAnother() {
    key_ = fleet_.NewKey();
    hello_.set_pubkey(key_->public_key().str());
    hello_.set_agent_id(sign::AgentIdOf(crypto_, key_->public_key()).str());
  }
  AgentId id() const { return *AgentId::From(hello_.agent_id()); }
  route::v1::Claim MakeClaim(const std::string& gateway) {
    route::v1::Claim claim;
    claim.set_link_ref(++ref_);
    claim.set_event_no(++events_[gateway]);
    claim.set_hello_envelope(
        sign::SignEnvelope(crypto_, *key_, sign::kHelloType, hello_.SerializeAsString()).value());
    return claim;
  }
  void Claim(const std::string& gateway = "g0") {
    sessions_.OnClaim(gateway, MakeClaim(gateway), now_);
  }
  // The answer to the last claim, after the commit.
  route::v1::ClaimAnswer Answer() {
    Keep();
    route::v1::ClaimAnswer out;
    for (const auto& answer : sessions_.TakeAnswers()) {
      if (answer.message.has_claim_answer()) out = answer.message.claim_answer();
      if (answer.message.has_announce()) ++announced_;
      if (answer.message.has_close_link()) closed_ = answer.message.close_link().reason();
    }
    return out;
  }
  void Keep() {
    agents_.Keep();
    audit_.Keep();
    sessions_.Keep(now_);
  }
  void LetIn() {
    Claim();
    const auto answer = Answer();
    ASSERT_TRUE(answer.granted());
    hello_.set_contact(answer.contact());
    hello_.set_conn_epoch(hello_.conn_epoch() + 1);
  }
  void Pass(Duration time) { now_.at += time; }
  route::v1::LinkClosed Closed(std::uint64_t epoch) {
    route::v1::LinkClosed closed;
    closed.set_agent_id(id().str());
    closed.set_epoch(epoch);
    closed.set_event_no(++events_["g0"]);
    return closed;
  }

  SeededCrypto crypto_{3};
  TestFleet fleet_{crypto_};
  FakeStore store_;
  Moment now_{TimePoint(std::chrono::seconds(100)), WallTime(testing::kNowMs)};
  AuditLog audit_{crypto_};
  AgentTable agents_;
  Tokens tokens_{{}, store_, crypto_};
  Sessions::Options Options() const {
    Sessions::Options options;
    options.fleet_id = fleet_.fleet_id;
    return options;
  }
  Sessions sessions_{Options(), crypto_, agents_, tokens_, audit_};
  std::unique_ptr<sign::SigningKey> key_ = fleet_.NewKey();
  pb::AgentHello hello_;
  std::string token_;
  std::uint64_t ref_ = 0;
  std::map<std::string, std::uint64_t> events_;
  int announced_ = 0;
  CloseReason closed_{};
};

TEST_F(SessionsTest, EnrolsWithATokenAndRemembersItsLabels) {
  Claim();
  EXPECT_FALSE(sessions_.online(id()));  // not before the commit
  EXPECT_TRUE(Answer().granted());
  EXPECT_TRUE(sessions_.online(id()));
  EXPECT_EQ(agents_.Find(id())->labels, (Labels{{"env", "lab"}}));
  EXPECT_EQ(agents_.Find(id())->epoch, 5U);
}

TEST_F(SessionsTest, RefusesStrangersAndBadTokens) {
  hello_.clear_enrol_token();
  Claim();
  EXPECT_EQ(Answer().reason(), CloseReason::CLOSE_REASON_NOT_ENROLLED);
  hello_.set_enrol_token("not a token");
  Claim();
  EXPECT_EQ(Answer().reason(), CloseReason::CLOSE_REASON_BAD_TOKEN);
  hello_.set_enrol_token(token_);
  now_.wall = WallTime(testing::kNowMs + 1000 * 3600);
  Claim();
  EXPECT_EQ(Answer().reason(), CloseReason::CLOSE_REASON_BAD_TOKEN);
  EXPECT_TRUE(agents_.rows().empty());
}

TEST_F(SessionsTest, SpendsATokenOnlyAsOftenAsItSays) {
  for (int i = 0; i < 2; ++i) {
    BecomeAnother();
    Claim();
    EXPECT_TRUE(Answer().granted());
  }
  BecomeAnother();
  Claim();
  EXPECT_EQ(Answer().reason(), CloseReason::CLOSE_REASON_BAD_TOKEN);
}

TEST_F(SessionsTest, EnrolsAHundredASecondAndTellsTheOthersWhenToComeAgain) {
  Tokens::Wanted wanted;
  wanted.uses = 1000;
  wanted.ttl_ms = 1000 * 3600;
  hello_.set_enrol_token(tokens_.Create(wanted, now_).value().token);
  const auto enrol = [&] {
    BecomeAnother();
    Claim();
    return Answer();
  };
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(enrol().granted()) << i;
  std::map<std::uint32_t, int> delays;
  for (int i = 0; i < 250; ++i) {
    const auto answer = enrol();
    ASSERT_EQ(answer.reason(), CloseReason::CLOSE_REASON_TRY_LATER);
    ++delays[answer.retry_after_s()];
  }
  EXPECT_EQ(delays, (std::map<std::uint32_t, int>{{2, 100}, {3, 100}, {4, 50}}));
  hello_.clear_enrol_token();
  EXPECT_EQ(enrol().reason(), CloseReason::CLOSE_REASON_NOT_ENROLLED);  // no queue for strangers
  hello_.set_enrol_token(tokens_.Create(wanted, now_).value().token);
  Pass(std::chrono::seconds(1));
  EXPECT_TRUE(enrol().granted());
  EXPECT_EQ(agents_.rows().size(), 101U);
}

TEST_F(SessionsTest, LetsAnAgentThatItKnowsInHoweverManyEnrol) {
  LetIn();
  Sessions::Options options = Options();
  options.max_enrolments_per_second = 1;
  Sessions slow(options, crypto_, agents_, tokens_, audit_);
  const pb::AgentHello known = hello_;
  std::unique_ptr<sign::SigningKey> key = std::move(key_);
  Tokens::Wanted many;
  many.uses = 1000;
  many.ttl_ms = std::uint64_t{1000} * 3600;
  hello_.set_enrol_token(tokens_.Create(many, now_).value().token);
  for (int i = 0; i < 100; ++i) {
    BecomeAnother();
    slow.OnClaim("g0", MakeClaim("g0"), now_);
  }
  std::vector<Sessions::Answer> answers = slow.TakeAnswers();
  EXPECT_EQ(answers.back().message.claim_answer().retry_after_s(), 60U);  // and no longer
  hello_ = known;
  key_ = std::move(key);
  slow.OnClaim("g0", MakeClaim("g0"), now_);
  slow.Keep(now_);
  answers = slow.TakeAnswers();
  EXPECT_TRUE(answers.back().message.claim_answer().granted());
}

TEST_F(SessionsTest, RefusesAHelloThatNamesAnotherAgentOrFleet) {
  hello_.set_agent_id(std::string(16, 'z'));
  Claim();
  EXPECT_EQ(Answer().reason(), CloseReason::CLOSE_REASON_BAD_IDENTITY);
  hello_.set_agent_id(sign::AgentIdOf(crypto_, key_->public_key()).str());
  hello_.set_fleet_id(std::string(16, 'z'));
  Claim();
  EXPECT_EQ(Answer().reason(), CloseReason::CLOSE_REASON_BAD_IDENTITY);
}

TEST_F(SessionsTest, GrantsOnlyAGreaterEpochAndClosesTheOlderLink) {
  LetIn();
  Claim("g1");
  EXPECT_TRUE(Answer().granted());
  EXPECT_EQ(closed_, CloseReason::CLOSE_REASON_SUPERSEDED);
  EXPECT_EQ(sessions_.FindLink(id())->gateway(), "g1");
  hello_.set_conn_epoch(5);
  Claim("g0");
  EXPECT_EQ(Answer().reason(), CloseReason::CLOSE_REASON_SUPERSEDED);
  EXPECT_FALSE(agents_.Find(id())->clone_suspected);
}

TEST_F(SessionsTest, CallsAnOldEpochOfAnotherInstanceAClone) {
  LetIn();
  hello_.set_instance_nonce(std::string(16, 'm'));
  for (const std::uint64_t epoch : {5U, 4U}) {
    hello_.set_conn_epoch(epoch);
    Claim("g1");
    EXPECT_EQ(Answer().reason(), CloseReason::CLOSE_REASON_CLONE);
  }
  EXPECT_TRUE(agents_.Find(id())->clone_suspected);
  EXPECT_EQ(sessions_.FindLink(id())->gateway(), "g0");
}

TEST_F(SessionsTest, AnswersARepeatedClaimTheSame) {
  Claim();
  const auto first = Answer();
  --ref_;
  Claim();
  const auto again = Answer();
  EXPECT_TRUE(again.granted());
  EXPECT_EQ(again.contact(), first.contact());
}

TEST_F(SessionsTest, SuspectsACloneWhenTheContactIsNotWhatWasGiven) {
  LetIn();
  hello_.set_contact(std::string(16, 'z'));
  Claim();
  EXPECT_TRUE(Answer().granted());
  EXPECT_TRUE(agents_.Find(id())->clone_suspected);
}

TEST_F(SessionsTest, TakesAJournalThatWentBackInTimeForLost) {
  LetIn();
  const std::string old_contact = hello_.contact();
  for (int welcomes = 0; welcomes < 2; ++welcomes) LetIn();
  EXPECT_TRUE(sessions_.lost_journals().empty());
  hello_.set_contact(old_contact);
  Claim();
  EXPECT_EQ(sessions_.lost_journals(), (std::vector<AgentId>{id()}));
  EXPECT_TRUE(Answer().granted());
}

TEST_F(SessionsTest, TellsAnAgentThatItsJournalWentBackUntilItHasHeardIt) {
  LetIn();
  const std::string old_contact = hello_.contact();
  for (int welcomes = 0; welcomes < 2; ++welcomes) LetIn();
  hello_.set_contact(old_contact);
  Claim();
  EXPECT_TRUE(Answer().journal_reverted());
  --ref_;
  Claim();  // the answer got lost on its way to the gateway: the same again
  EXPECT_TRUE(Answer().journal_reverted());
  hello_.set_conn_epoch(hello_.conn_epoch() + 1);
  Claim();  // and then the Welcome
  auto answer = Answer();
  EXPECT_TRUE(answer.journal_reverted());
  // It has begun a new journal, and says so.
  hello_.set_conn_epoch(hello_.conn_epoch() + 1);
  hello_.set_incarnation(std::string(16, 'j'));
  hello_.set_contact(answer.contact());
  Claim();
  answer = Answer();
  EXPECT_TRUE(answer.granted());
  EXPECT_FALSE(answer.journal_reverted());
}

TEST_F(SessionsTest, NeverSaysOfAnHonestJournalThatItWentBack) {
  Claim();
  EXPECT_FALSE(Answer().journal_reverted());  // just enrolled
  hello_.set_conn_epoch(hello_.conn_epoch() + 1);
  Claim();  // the Welcome was lost: still without a contact
  auto answer = Answer();
  EXPECT_FALSE(answer.journal_reverted());
  for (int i = 0; i < 3; ++i) {
    hello_.set_contact(answer.contact());
    for (int lost_welcomes = 0; lost_welcomes < 3; ++lost_welcomes) {
      hello_.set_conn_epoch(hello_.conn_epoch() + 1);
      Claim();
      answer = Answer();
      EXPECT_TRUE(answer.granted());
      EXPECT_FALSE(answer.journal_reverted());
      --ref_;
      Claim();
      EXPECT_FALSE(Answer().journal_reverted());
    }
  }
  hello_.set_conn_epoch(hello_.conn_epoch() + 1);
  hello_.set_incarnation(std::string(16, 'j'));  // a journal that is new says so itself
  hello_.clear_contact();
  Claim();
  EXPECT_FALSE(Answer().journal_reverted());
}

TEST_F(SessionsTest, AcceptsTheContactBeforeWhileTheLastWasNotConfirmed) {
  LetIn();
  for (int lost_welcomes = 0; lost_welcomes < 3; ++lost_welcomes) {
    Claim();
    EXPECT_TRUE(Answer().granted());
    hello_.set_conn_epoch(hello_.conn_epoch() + 1);
  }
  EXPECT_FALSE(agents_.Find(id())->clone_suspected);
}

TEST_F(SessionsTest, TakesTheContactBeforeForAnOldJournalOnceTheLastIsConfirmed) {
  LetIn();
  Claim();
  ASSERT_TRUE(Answer().granted());
  // It says something: so it has stored the contact of this link.
  ASSERT_TRUE(sessions_.OnFrames("g0", id(), hello_.conn_epoch(), now_));
  --ref_;
  Claim();  // the same claim, read a second time
  EXPECT_FALSE(Answer().journal_reverted());
  hello_.set_conn_epoch(hello_.conn_epoch() + 1);
  Claim();  // with the contact of the link before
  EXPECT_EQ(sessions_.lost_journals(), (std::vector<AgentId>{id()}));
  EXPECT_TRUE(Answer().journal_reverted());
}

TEST_F(SessionsTest, SaysThatAJournalWasLost) {
  LetIn();
  hello_.set_incarnation(std::string(16, 'j'));
  hello_.clear_contact();
  Claim();
  EXPECT_EQ(sessions_.lost_journals(), (std::vector<AgentId>{id()}));
  EXPECT_TRUE(Answer().granted());
  EXPECT_FALSE(agents_.Find(id())->clone_suspected);
}

TEST_F(SessionsTest, DoesNotLetTwinsTakeTheSessionFromEachOtherWithoutEnd) {
  LetIn();
  hello_.set_instance_nonce(std::string(16, 'm'));
  Claim("g1");
  EXPECT_EQ(Answer().reason(), CloseReason::CLOSE_REASON_TRY_LATER);
  Pass(std::chrono::seconds(10));
  Claim("g1");
  EXPECT_TRUE(Answer().granted());
}

TEST_F(SessionsTest, NeverLetsARemovedAgentBackIn) {
  LetIn();
  agents_.Change(id()).removed = true;
  sessions_.Revoke(id(), now_);
  Claim();
  EXPECT_EQ(Answer().reason(), CloseReason::CLOSE_REASON_REVOKED);
  EXPECT_EQ(closed_, CloseReason::CLOSE_REASON_REVOKED);
  EXPECT_FALSE(sessions_.online(id()));
}

TEST_F(SessionsTest, AsksToTryLaterWhenTheCommitFails) {
  Claim();
  agents_.Undo();
  sessions_.Undo();
  EXPECT_EQ(sessions_.TakeAnswers().back().message.claim_answer().reason(),
            CloseReason::CLOSE_REASON_TRY_LATER);
  EXPECT_FALSE(sessions_.online(id()));
}

TEST_F(SessionsTest, AsksForTheListOfLinksWhenEventsAreMissing) {
  LetIn();
  route::v1::Links links;
  links.set_last(true);
  links.set_event_no(events_["g0"]);
  sessions_.OnLinks("g0", links, now_);  // the grant is fresh: not yet in the list
  EXPECT_TRUE(sessions_.online(id()));
  announced_ = 0;
  Pass(std::chrono::seconds(20));
  route::v1::GatewayUp up;
  up.set_event_no(events_["g0"] + 3);
  sessions_.OnGatewayUp("g0", up, now_);
  (void)Answer();
  EXPECT_EQ(announced_, 1);
  links.set_event_no(events_["g0"] + 3);
  sessions_.OnLinks("g0", links, now_);
  EXPECT_FALSE(sessions_.online(id()));
}

TEST_F(SessionsTest, GrantsNothingToALinkThatIsClosedInTheSameTurn) {
  Claim();
  route::v1::LinkClosed closed;
  closed.set_agent_id(id().str());
  closed.set_epoch(hello_.conn_epoch());
  closed.set_event_no(++events_["g0"]);
  sessions_.OnLinkClosed("g0", closed, now_);
  EXPECT_FALSE(Answer().granted());
  EXPECT_FALSE(sessions_.online(id()));
}

TEST_F(SessionsTest, AsksAgainForAListThatAFreshLinkIsMissingFrom) {
  LetIn();
  route::v1::Links links;
  links.set_last(true);
  route::v1::GatewayUp up;
  const auto list = [&] {
    links.set_event_no(events_["g0"]);
    up.set_event_no(events_["g0"]);
    announced_ = 0;
    sessions_.OnGatewayUp("g0", up, now_);
    (void)Answer();
    if (announced_ > 0) sessions_.OnLinks("g0", links, now_);
    return announced_;
  };
  (void)Answer();
  sessions_.OnLinks("g0", links, now_);  // and neither answer nor close came to its end
  EXPECT_TRUE(sessions_.online(id()));
  for (int i = 0; i < 4; ++i) {
    Pass(std::chrono::seconds(5));
    (void)list();
  }
  EXPECT_FALSE(sessions_.online(id()));
  Pass(std::chrono::seconds(5));
  EXPECT_EQ(list(), 0);
}

TEST_F(SessionsTest, LetsNobodyTakeATurnOfEnrolmentWithAMadeUpToken) {
  const auto mine = hello_;
  auto my_key = std::move(key_);
  for (std::uint32_t i = 0; i < Options().max_enrolments_per_second; ++i) {
    BecomeAnother();
    hello_.set_enrol_token("made up");
    Claim();
    EXPECT_EQ(Answer().reason(), CloseReason::CLOSE_REASON_BAD_TOKEN);
  }
  key_ = std::move(my_key);
  hello_ = mine;
  Claim();
  EXPECT_TRUE(Answer().granted());
}

TEST_F(SessionsTest, LearnsLinksFromAListAndClosesWhatWasNeverGranted) {
  LetIn();
  Sessions fresh(Options(), crypto_, agents_, tokens_, audit_);  // a control that has just started
  route::v1::Links links;
  auto& ref = *links.add_links();
  ref.set_agent_id(id().str());
  ref.set_epoch(5);
  auto& stranger = *links.add_links();
  stranger.set_agent_id(std::string(16, 'z'));
  stranger.set_epoch(1);
  links.set_last(true);
  fresh.OnLinks("g0", links, now_);
  EXPECT_TRUE(fresh.online(id()));
  const auto answers = fresh.TakeAnswers();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].message.close_link().reason(), CloseReason::CLOSE_REASON_NOT_ENROLLED);
}

TEST_F(SessionsTest, KeepsOfAListOnlyAgentsThatItKnows) {
  LetIn();
  std::size_t closed = 0;
  for (std::uint32_t part = 0; part < 100; ++part) {
    route::v1::Links links;
    for (std::uint32_t i = 0; i < 100; ++i) {
      auto& stranger = *links.add_links();
      stranger.set_agent_id(crypto_.RandomBytes<Nonce16>().str());
      stranger.set_epoch(1);
    }
    links.set_event_no(events_["g0"]);
    sessions_.OnLinks("g0", links, now_);
    // Not kept until a last part comes, which may never be.
    for (const auto& answer : sessions_.TakeAnswers()) closed += answer.message.has_close_link();
  }
  EXPECT_EQ(closed, 10'000U);
}

TEST_F(SessionsTest, TakesASilentGatewayForGoneButNotWhileRedisIsAway) {
  LetIn();
  sessions_.OnTransport(false, now_);
  Pass(std::chrono::seconds(60));
  sessions_.OnTick(now_);
  EXPECT_TRUE(sessions_.online(id()));
  sessions_.OnTransport(true, now_);
  Pass(std::chrono::seconds(14));
  sessions_.OnTick(now_);
  EXPECT_TRUE(sessions_.online(id()));
  Pass(std::chrono::seconds(1));
  sessions_.OnTick(now_);
  EXPECT_FALSE(sessions_.online(id()));
  EXPECT_EQ(sessions_.TakeHousekeeping().back().trim_to, "");
}

TEST_F(SessionsTest, TakesNoGatewayForGoneWhoseWordsItDoesNotRead) {
  LetIn();
  for (int s = 0; s < 60; ++s) {
    Pass(std::chrono::seconds(1));
    sessions_.OnTick(now_, /*is_reading=*/false);
  }
  EXPECT_TRUE(sessions_.online(id()));
  Pass(std::chrono::seconds(14));
  sessions_.OnTick(now_, true);
  EXPECT_TRUE(sessions_.online(id()));
  Pass(std::chrono::seconds(1));
  sessions_.OnTick(now_, true);
  EXPECT_FALSE(sessions_.online(id()));
}

TEST_F(SessionsTest, AsksForTheListOfLinksWhenRedisIsBack) {
  LetIn();
  route::v1::Links links;
  links.set_last(true);
  links.set_event_no(events_["g0"]);
  sessions_.OnLinks("g0", links, now_);
  (void)Answer();
  announced_ = 0;
  sessions_.OnTransport(false, now_);
  Pass(std::chrono::seconds(20));
  (void)Answer();
  EXPECT_EQ(announced_, 0);
  sessions_.OnTransport(true, now_);  // the event that the link closed was lost with Redis
  (void)Answer();
  EXPECT_EQ(announced_, 1);
  sessions_.OnLinks("g0", links, now_);
  EXPECT_FALSE(sessions_.online(id()));
}

TEST_F(SessionsTest, CountsFramesOfTheNewestEpochOnly) {
  LetIn();
  Claim("g1");
  (void)Answer();
  EXPECT_TRUE(sessions_.OnFrames("g1", id(), 6, now_));
  EXPECT_FALSE(sessions_.OnFrames("g0", id(), 5, now_));
  EXPECT_FALSE(sessions_.OnFrames("g0", id(), 6, now_));
  EXPECT_FALSE(sessions_.OnFrames("g1", id(), 7, now_));
}

// docs/decisions/0097: the ledger is an older copy, the agent has linked since.
class RestoredSessionsTest : public SessionsTest {
 protected:
  void Restore() {
    AgentRow& row = agents_.Change(id());
    row.epoch = 0;
    row.instance_nonce = {};
    row.fingerprint = {};
    row.incarnation = {};
    row.contact = {};
    row.prev_contact = {};
    agents_.Keep();
  }
  std::size_t Suspicions() { return agents_.Find(id())->clone_suspected ? 1 : 0; }
};

TEST_F(RestoredSessionsTest, TakesTheAgentBackWithTheWordThatItsJournalBeginsAnew) {
  LetIn();
  hello_.set_contact(std::string(16, 'q'));  // given to it since the copy was made
  Restore();
  sessions_.OnLinkClosed("g0", Closed(5), now_);
  Claim();
  const auto answer = Answer();
  EXPECT_TRUE(answer.granted());
  EXPECT_TRUE(answer.journal_reverted());
  EXPECT_EQ(Suspicions(), 0U);
  // It has begun anew, and is let in for good.
  hello_.set_conn_epoch(hello_.conn_epoch() + 1);
  hello_.set_incarnation(std::string(16, 'j'));
  hello_.clear_contact();
  Claim();
  const auto second = Answer();
  EXPECT_TRUE(second.granted());
  EXPECT_FALSE(second.journal_reverted());
  EXPECT_EQ(Suspicions(), 0U);
}

TEST_F(RestoredSessionsTest, TakesItBackAlsoWhenTheFirstWelcomesAreLost) {
  LetIn();
  hello_.set_contact(std::string(16, 'q'));
  Restore();
  sessions_.OnLinkClosed("g0", Closed(5), now_);
  for (int lost = 0; lost < 3; ++lost) {
    Claim();
    EXPECT_TRUE(Answer().journal_reverted());
    EXPECT_EQ(Suspicions(), 0U);
    sessions_.OnLinkClosed("g0", Closed(hello_.conn_epoch()), now_);
    hello_.set_conn_epoch(hello_.conn_epoch() + 1);
  }
  // What knows a contact of ours, and shows another one, is a copy again.
  hello_.set_incarnation(std::string(16, 'j'));
  hello_.clear_contact();
  LetIn();
  LetIn();
  EXPECT_EQ(Suspicions(), 0U);
  hello_.set_contact(std::string(16, 'q'));
  Claim();
  EXPECT_TRUE(Answer().journal_reverted());
  EXPECT_EQ(Suspicions(), 1U);
}

TEST_F(RestoredSessionsTest, TakesBackAnAgentWhoseOwnDiskIsOlderThanTheCopy) {
  LetIn();
  hello_.set_conn_epoch(1);
  hello_.set_instance_nonce(std::string(16, 'm'));
  Restore();
  sessions_.OnLinkClosed("g0", Closed(5), now_);
  Claim();
  EXPECT_TRUE(Answer().granted());
}

}  // namespace
}  // namespace holdfast::backend
