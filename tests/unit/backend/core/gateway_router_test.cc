#include "backend/core/gateway_router.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/gateway_rig.h"

namespace holdfast::testing {
namespace {

using backend::Counter;
using std::chrono::seconds;

TEST(GatewayRouterTest, GreetsWithAChallengeUnderTheNameThatWasDialled) {
  GatewayRig rig;
  for (const auto& [dialled, said] : {std::pair{"one.test", "one.test"},
                                      {"two.test", "two.test"},
                                      {"other.test", "one.test"},
                                      {"", "one.test"}}) {
    RigSocket& socket = rig.Open(dialled);
    const auto heard = rig.Hear(socket);
    ASSERT_EQ(heard.size(), 1U);
    EXPECT_EQ(heard[0].epoch(), 0U);
    EXPECT_EQ(heard[0].frames(0).challenge().server_name(), said);
    EXPECT_EQ(heard[0].frames(0).challenge().nonce().size(), 32U);
    EXPECT_EQ(socket.max_message_bytes, link::kMaxGreetingBytes);
  }
  EXPECT_EQ(rig.counters.Get(Counter::kHandshakes), 4U);
}

TEST(GatewayRouterTest, AdmitsAnAgentThatControlGrants) {
  GatewayRig rig;
  rig.ControlIsThere();
  const RigAgent agent = rig.NewAgent();
  RigSocket& socket = rig.Open();
  rig.Hello(socket, agent, 7);
  const auto sent = rig.ToControl();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].gateway(), kGatewayInstance);
  EXPECT_EQ(sent[0].claim().link_ref(), socket.link->ref);
  EXPECT_EQ(sent[0].claim().peer_address(), "192.0.2.1:1000");
  EXPECT_TRUE(rig.Hear(socket).empty());  // nothing before control's word

  rig.Answer(socket);
  const auto heard = rig.Hear(socket);
  ASSERT_EQ(heard.size(), 1U);
  EXPECT_EQ(heard[0].epoch(), 7U);
  EXPECT_EQ(heard[0].frames(0).welcome().epoch(), 7U);
  EXPECT_EQ(heard[0].frames(0).welcome().contact(), std::string(16, 'c'));
  EXPECT_EQ(socket.max_message_bytes, link::kMaxMessageBytes);
  EXPECT_EQ(rig.counters.Get(Counter::kLinks), 1U);
  EXPECT_EQ(rig.counters.Get(Counter::kHandshakes), 0U);
}

// Else control would take the agent for online until it comes again.
TEST(GatewayRouterTest, SaysThatALinkWasNeverOpenedWhoseSocketClosedBeforeTheGrant) {
  GatewayRig rig;
  rig.ControlIsThere();
  const RigAgent agent = rig.NewAgent();
  RigSocket& socket = rig.Open();
  rig.Hello(socket, agent, 7);
  ::holdfast::route::v1::ToGateway message;
  auto& answer = *message.mutable_claim_answer();
  answer.set_link_ref(socket.link->ref);
  answer.set_agent_id(agent.id.str());
  answer.set_epoch(7);
  answer.set_granted(true);
  answer.set_contact(std::string(16, 'c'));
  rig.Drop(socket);
  (void)rig.ToControl();
  rig.FromControl(message);
  const auto sent = rig.ToControl();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].link_closed().agent_id(), agent.id.str());
  EXPECT_EQ(sent[0].link_closed().epoch(), 7U);
  EXPECT_EQ(sent[0].link_closed().reason(), link_pb::CLOSE_REASON_PEER_GONE);

  RigSocket& next = rig.OpenLink(agent, 8);
  (void)rig.ToControl();
  answer.set_epoch(8);  // its own, for the second time
  rig.FromControl(message);
  EXPECT_TRUE(rig.ToControl().empty());
  EXPECT_FALSE(next.closed_by_router);
}

TEST(GatewayRouterTest, SaysThatALinkIsClosedWhoseClaimNobodyHadAnswered) {
  GatewayRig rig;
  rig.ControlIsThere();
  const RigAgent agent = rig.NewAgent();
  RigSocket& socket = rig.Open();
  rig.Hello(socket, agent, 7);
  (void)rig.ToControl();  // the answer to this is lost
  rig.Drop(socket);
  const auto sent = rig.ToControl();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].link_closed().agent_id(), agent.id.str());
  EXPECT_EQ(sent[0].link_closed().epoch(), 7U);
  // Control knows of the one that it has refused.
  RigSocket& refused = rig.Open();
  rig.Hello(refused, agent, 8);
  rig.Answer(refused, link_pb::CLOSE_REASON_TRY_LATER);
  (void)rig.ToControl();
  rig.Drop(refused);
  EXPECT_TRUE(rig.ToControl().empty());
}

TEST(GatewayRouterTest, PassesOnThatAnAgentsJournalWentBack) {
  for (const bool reverted : {false, true}) {
    GatewayRig rig;
    rig.ControlIsThere();
    RigSocket& socket = rig.Open();
    rig.Hello(socket, rig.NewAgent(), 7);
    ::holdfast::route::v1::ToGateway message;
    auto& answer = *message.mutable_claim_answer();
    answer.set_link_ref(socket.link->ref);
    answer.set_agent_id(socket.link->agent_id.str());
    answer.set_epoch(7);
    answer.set_granted(true);
    answer.set_contact(std::string(16, 'c'));
    answer.set_journal_reverted(reverted);
    rig.FromControl(message);
    EXPECT_EQ(rig.Hear(socket).at(0).frames(0).welcome().journal_reverted(), reverted);
  }
}

TEST(GatewayRouterTest, RefusesAHelloThatDoesNotVerify) {
  GatewayRig rig;
  rig.ControlIsThere();
  const RigAgent agent = rig.NewAgent();
  const RigAgent other = rig.NewAgent();
  using Hello = ::holdfast::command::v1::AgentHello;
  const std::vector<std::pair<const char*, std::function<void(Hello&)>>> changes = {
      {"challenge", [](Hello& hello) { hello.set_challenge(std::string(32, 'x')); }},
      {"fleet", [](Hello& hello) { hello.set_fleet_id(std::string(16, 'x')); }},
      {"name", [](Hello& hello) { hello.set_server_name("two.test"); }},
      {"id", [&](Hello& hello) { hello.set_agent_id(other.id.str()); }},
      {"key", [&](Hello& hello) { hello.set_pubkey(other.key->public_key().str()); }},
      {"epoch", [](Hello& hello) { hello.set_conn_epoch(0); }},
  };
  for (const auto& [what, change] : changes) {
    RigSocket& socket = rig.Open();
    Hello hello = rig.GoodHello(socket, agent);
    change(hello);
    rig.Say(socket, hello, *agent.key);
    EXPECT_EQ(rig.HearClose(socket), link_pb::CLOSE_REASON_BAD_IDENTITY) << what;
    EXPECT_TRUE(socket.closed_by_router) << what;
  }
  RigSocket& socket = rig.Open();
  rig.Say(socket, rig.GoodHello(socket, agent), *other.key);
  EXPECT_EQ(rig.HearClose(socket), link_pb::CLOSE_REASON_BAD_IDENTITY);
  EXPECT_TRUE(rig.ToControl().empty());
}

TEST(GatewayRouterTest, TellsARefusedAgentControlsReason) {
  GatewayRig rig;
  rig.ControlIsThere();
  RigSocket& socket = rig.Open();
  rig.Hello(socket, rig.NewAgent());
  rig.Answer(socket, link_pb::CLOSE_REASON_BAD_TOKEN);
  EXPECT_EQ(rig.HearClose(socket), link_pb::CLOSE_REASON_BAD_TOKEN);
  rig.Drop(socket);
  EXPECT_EQ(rig.Closed(link_pb::CLOSE_REASON_BAD_TOKEN), 1U);
  EXPECT_EQ(rig.Closed(link_pb::CLOSE_REASON_PEER_GONE), 0U);
  EXPECT_EQ(rig.counters.Get(Counter::kHandshakes), 0U);
}

TEST(GatewayRouterTest, AllowsNothingButOneHelloBeforeWelcome) {
  GatewayRig rig;
  rig.ControlIsThere();
  link_pb::LinkMessage up;
  *up.add_frames() = GatewayRig::UpChunk(0);
  for (const auto& message : {up, GatewayRig::Beat()}) {
    RigSocket& socket = rig.Open();
    rig.Say(socket, message);
    EXPECT_EQ(rig.HearClose(socket), link_pb::CLOSE_REASON_UNEXPECTED_FRAME);
  }
  RigSocket& claiming = rig.Open();
  rig.Hello(claiming, rig.NewAgent());
  rig.Say(claiming, up);
  EXPECT_EQ(rig.HearClose(claiming), link_pb::CLOSE_REASON_UNEXPECTED_FRAME);
  for (const auto& sent : rig.ToControl()) EXPECT_FALSE(sent.has_from_agent());

  const RigAgent agent = rig.NewAgent();
  RigSocket& twice = rig.Open();
  const auto hello = rig.GoodHello(twice, agent);
  rig.Say(twice, hello, *agent.key);
  EXPECT_FALSE(twice.closed_by_router);
  rig.Say(twice, hello, *agent.key);
  EXPECT_EQ(rig.HearClose(twice), link_pb::CLOSE_REASON_UNEXPECTED_FRAME);
}

TEST(GatewayRouterTest, ClosesGarbageAndFramesOfTheOtherDirection) {
  GatewayRig rig;
  RigSocket& garbage = rig.Open();
  rig.router.OnMessage(*garbage.link, "\xff\xff");
  EXPECT_EQ(rig.HearClose(garbage), link_pb::CLOSE_REASON_BAD_FRAME);
  RigSocket& down = rig.Open();
  link_pb::LinkMessage message;
  message.add_frames()->mutable_goaway()->set_window_s(1);
  rig.Say(down, message);
  EXPECT_EQ(rig.HearClose(down), link_pb::CLOSE_REASON_UNEXPECTED_FRAME);
}

TEST(GatewayRouterTest, ClosesAStrangerWhoseWebSocketAloneIsAlive) {
  GatewayRig rig;
  rig.ControlIsThere();
  const auto wait = [&rig](RigSocket& socket) {
    for (int s = 0; s < 12; ++s) {
      rig.Wait(std::chrono::seconds(1));
      if (!socket.closed_by_router) rig.router.OnPong(*socket.link);
    }
    return socket.closed_by_router;
  };
  EXPECT_TRUE(wait(rig.Open()));
  // One that has said Hello waits for control as long as any other.
  RigSocket& claiming = rig.Open();
  const RigAgent agent = rig.NewAgent();
  rig.Hello(claiming, agent);
  EXPECT_TRUE(wait(claiming));
}

TEST(GatewayRouterTest, ClosesWhoDoesNotGreetAndWhomControlDoesNotAnswer) {
  GatewayRig rig;
  rig.ControlIsThere();
  RigSocket& silent = rig.Open();
  RigSocket& waiting = rig.Open();
  rig.Hello(waiting, rig.NewAgent());
  rig.Wait(seconds(9));
  EXPECT_FALSE(silent.closed_by_router);
  EXPECT_FALSE(waiting.closed_by_router);
  rig.Wait(seconds(2));
  EXPECT_EQ(rig.HearClose(silent), link_pb::CLOSE_REASON_HANDSHAKE_TIMEOUT);
  const auto heard = rig.Hear(waiting);
  ASSERT_EQ(heard.size(), 1U);
  EXPECT_EQ(heard[0].frames(0).close().reason(), link_pb::CLOSE_REASON_TRY_LATER);
  EXPECT_GE(heard[0].frames(0).close().retry_after_s(), 2U);
}

TEST(GatewayRouterTest, AsksTheNextControlForWhatTheLastOneLeftUnanswered) {
  GatewayRig rig;
  rig.router.OnControl("test.c0.dead0000");
  RigSocket& socket = rig.Open();
  rig.Hello(socket, rig.NewAgent());
  rig.router.OnControl(kControlInstance);
  int claims = 0;
  for (const auto& sent : rig.ToControl()) claims += sent.has_claim() ? 1 : 0;
  EXPECT_EQ(claims, 1);
}

TEST(GatewayRouterTest, AnswersBeatsByItself) {
  GatewayRig rig;
  rig.ControlIsThere();
  RigSocket& socket = rig.OpenLink(rig.NewAgent(), 3);
  rig.redis.up = false;
  rig.Turn();
  rig.Say(socket, GatewayRig::Beat());
  const auto heard = rig.Hear(socket);
  ASSERT_EQ(heard.size(), 1U);
  EXPECT_EQ(heard[0].epoch(), 3U);
  EXPECT_EQ(heard[0].frames(0).beat().server_time_ms(), 1'800'000'000'000U);
}

TEST(GatewayRouterTest, StampsWhatGoesUpWithProvedIdAndEpochAndKeepsTheBytes) {
  GatewayRig rig;
  rig.ControlIsThere();
  const RigAgent agent = rig.NewAgent();
  RigSocket& socket = rig.OpenLink(agent, 5);
  link_pb::LinkMessage message;
  for (std::uint64_t seq = 0; seq < 3; ++seq) *message.add_frames() = GatewayRig::UpChunk(seq);
  message.add_frames()->mutable_beat();
  rig.Say(socket, message);
  const auto sent = rig.ToControl();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].gateway(), kGatewayInstance);
  EXPECT_EQ(sent[0].from_agent().agent_id(), agent.id.str());
  EXPECT_EQ(sent[0].from_agent().epoch(), 5U);
  ASSERT_EQ(sent[0].from_agent().frames_size(), 3);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(sent[0].from_agent().frames(i), message.frames(i).SerializeAsString());
  }
}

TEST(GatewayRouterTest, KeepsAgentsApartWithinOneTurn) {
  GatewayRig rig;
  rig.ControlIsThere();
  const RigAgent a = rig.NewAgent();
  const RigAgent b = rig.NewAgent();
  RigSocket& link_a = rig.OpenLink(a);
  RigSocket& link_b = rig.OpenLink(b);
  link_pb::LinkMessage up;
  *up.add_frames() = GatewayRig::UpChunk(0);
  for (RigSocket* const socket : {&link_a, &link_a, &link_b, &link_a}) rig.Say(*socket, up);
  const auto sent = rig.ToControl();
  ASSERT_EQ(sent.size(), 3U);
  EXPECT_EQ(sent[0].from_agent().agent_id(), a.id.str());
  EXPECT_EQ(sent[0].from_agent().frames_size(), 2);
  EXPECT_EQ(sent[1].from_agent().agent_id(), b.id.str());
  EXPECT_EQ(sent[2].from_agent().agent_id(), a.id.str());
}

TEST(GatewayRouterTest, SplitsWhatDoesNotFitOneEntry) {
  GatewayRig rig;
  rig.ControlIsThere();
  RigSocket& socket = rig.OpenLink(rig.NewAgent());
  link_pb::LinkMessage message;
  link_pb::Frame& frame = *message.add_frames();
  frame = GatewayRig::UpChunk(0);
  frame.mutable_up()->mutable_final()->set_envelope(std::string(16 * 1024, 'e'));
  for (int i = 0; i < 40; ++i) rig.Say(socket, message);
  int frames = 0;
  const auto sent = rig.ToControl();
  for (const auto& entry : sent) {
    EXPECT_LE(entry.ByteSizeLong(), backend::kMaxEntryBytes);
    frames += entry.from_agent().frames_size();
  }
  EXPECT_EQ(frames, 40);
  EXPECT_EQ(sent.size(), 2U);
}

TEST(GatewayRouterTest, WithoutRedisLinksStayAndNewOnesAreToldToComeLater) {
  GatewayRig rig;
  rig.ControlIsThere();
  RigSocket& old = rig.OpenLink(rig.NewAgent());
  rig.redis.up = false;
  rig.Turn();
  link_pb::LinkMessage up;
  *up.add_frames() = GatewayRig::UpChunk(0);
  rig.Say(old, up);
  RigSocket& young = rig.Open();
  rig.Hello(young, rig.NewAgent());
  rig.Wait(seconds(1));
  EXPECT_FALSE(young.closed_by_router);
  rig.Wait(seconds(1));
  EXPECT_EQ(rig.HearClose(young), link_pb::CLOSE_REASON_TRY_LATER);
  rig.Wait(seconds(20));
  EXPECT_FALSE(old.closed_by_router);
  rig.redis.up = true;
  rig.Turn();
  bool announced = false;
  for (const auto& sent : rig.ToControl()) {
    announced = announced || sent.has_gateway_up();
    EXPECT_FALSE(sent.has_from_agent());  // dropped, never kept
  }
  EXPECT_TRUE(announced);
}

TEST(GatewayRouterTest, ClaimsAnewWhatRedisForgotOrDidNotTake) {
  GatewayRig rig;
  rig.ControlIsThere();
  RigSocket& before = rig.Open();
  rig.Hello(before, rig.NewAgent());
  rig.ToControl();  // and lost with Redis
  rig.redis.up = false;
  rig.Turn();
  RigSocket& meanwhile = rig.Open();
  rig.Hello(meanwhile, rig.NewAgent());
  rig.Wait(seconds(1));
  rig.redis.up = true;
  rig.Turn();
  std::vector<std::uint64_t> claimed;
  for (const auto& sent : rig.ToControl()) {
    if (sent.has_claim()) claimed.push_back(sent.claim().link_ref());
  }
  EXPECT_EQ(claimed, (std::vector<std::uint64_t>{before.link->ref, meanwhile.link->ref}));
  rig.Answer(meanwhile);
  EXPECT_TRUE(meanwhile.link->welcomed);
}

TEST(GatewayRouterTest, SendsFramesToTheNamedAgentsOnly) {
  GatewayRig rig;
  rig.ControlIsThere();
  const RigAgent a = rig.NewAgent();
  const RigAgent b = rig.NewAgent();
  RigSocket& link_a = rig.OpenLink(a, 4);
  RigSocket& link_b = rig.OpenLink(b, 5);
  route::ToGateway message;
  route::Send& send = *message.mutable_send();
  send.add_agent_ids(a.id.str());
  send.add_agent_ids("short");
  send.add_agent_ids(rig.NewAgent().id.str());  // has no link here
  link_pb::Frame ack;
  ack.mutable_ack()->set_digest(std::string(32, 'd'));
  ack.mutable_ack()->set_attempt(1);
  send.add_frames(ack.SerializeAsString());
  send.add_frames(GatewayRig::UpChunk(0).SerializeAsString());  // may not travel down
  send.add_frames("\xff");
  rig.FromControl(message);
  const auto heard = rig.Hear(link_a);
  ASSERT_EQ(heard.size(), 1U);
  EXPECT_EQ(heard[0].epoch(), 4U);
  ASSERT_EQ(heard[0].frames_size(), 1);
  EXPECT_EQ(heard[0].frames(0).SerializeAsString(), ack.SerializeAsString());
  EXPECT_TRUE(rig.Hear(link_b).empty());
}

TEST(GatewayRouterTest, NotesWhatItHasInHandWhileItHandsItOn) {
  GatewayRig rig;
  rig.ControlIsThere();
  const RigAgent agent = rig.NewAgent();
  RigSocket& socket = rig.OpenLink(agent);
  rig.Hear(socket);
  route::ToGateway message;
  message.mutable_send()->add_agent_ids(agent.id.str());
  message.mutable_send()->set_digest(std::string(32, 'd'));
  link_pb::Frame deliver;
  deliver.mutable_deliver()->set_envelope("e");
  deliver.mutable_deliver()->set_cert_envelope("c");
  message.mutable_send()->add_frames(deliver.SerializeAsString());
  rig.FromControl(message);
  // Not at this agent alone: the next one's would be the same bytes.
  EXPECT_EQ(socket.at_hand, std::string(16, '\0') + std::string(32, 'd'));
  EXPECT_EQ(rig.counters.AtHand(), "");
}

TEST(GatewayRouterTest, ACommandPassesTheBlobsThatWait) {
  GatewayRig rig;
  rig.ControlIsThere();
  const RigAgent agent = rig.NewAgent();
  RigSocket& socket = rig.OpenLink(agent);
  route::ToGateway message;
  message.mutable_send()->add_agent_ids(agent.id.str());
  link_pb::Frame blob;
  blob.mutable_blob_data()->set_digest(std::string(32, 'd'));
  blob.mutable_blob_data()->set_sha256(std::string(32, 's'));
  blob.mutable_blob_data()->set_data(std::string(200 * 1024, 'x'));
  message.mutable_send()->add_frames(blob.SerializeAsString());
  message.mutable_send()->add_frames(blob.SerializeAsString());
  rig.FromControl(message);
  rig.Deliver(agent);
  rig.Say(socket, GatewayRig::Beat());
  const auto heard = rig.Hear(socket);
  ASSERT_EQ(heard.size(), 2U);
  ASSERT_EQ(heard[0].frames_size(), 3);
  EXPECT_TRUE(heard[0].frames(0).has_deliver());
  EXPECT_TRUE(heard[0].frames(1).has_beat());
  EXPECT_TRUE(heard[0].frames(2).has_blob_data());
  EXPECT_TRUE(heard[1].frames(0).has_blob_data());
}

TEST(GatewayRouterTest, AsksControlForBlobsAsFastAsTheSocketTakesThem) {
  GatewayRig rig;
  rig.ControlIsThere();
  const RigAgent agent = rig.NewAgent();
  RigSocket& socket = rig.OpenLink(agent);
  link_pb::LinkMessage ask;
  for (std::uint64_t i = 0; i < 6; ++i) {
    link_pb::BlobRequest& request = *ask.add_frames()->mutable_blob_request();
    request.set_digest(std::string(32, 'd'));
    request.set_sha256(std::string(32, 's'));
    request.set_offset(i * link::kMaxChunkBytes);
    request.set_length(link::kMaxChunkBytes);
  }
  rig.Say(socket, ask);
  std::size_t answered = 0;
  std::size_t received = 0;
  for (int turn = 0; turn < 20; ++turn) {
    // Control answers all that reached it in one batch.
    route::ToGateway answers;
    answers.mutable_send()->add_agent_ids(agent.id.str());
    for (const auto& sent : rig.ToControl()) {
      for (const std::string& bytes : sent.from_agent().frames()) {
        link_pb::Frame request;
        ASSERT_TRUE(request.ParseFromString(bytes) && request.has_blob_request());
        link_pb::Frame answer;
        answer.mutable_blob_data()->set_digest(request.blob_request().digest());
        answer.mutable_blob_data()->set_sha256(request.blob_request().sha256());
        answer.mutable_blob_data()->set_offset(request.blob_request().offset());
        answer.mutable_blob_data()->set_data(std::string(request.blob_request().length(), 'x'));
        answers.mutable_send()->clear_frames();
        answers.mutable_send()->add_frames(answer.SerializeAsString());
        rig.FromControl(answers);
        ++answered;
      }
    }
    EXPECT_LE(answered - received, 2U);
    if (turn % 3 == 2) received += rig.Hear(socket).size();  // slower than control
  }
  EXPECT_EQ(answered, 6U);
  EXPECT_EQ(received, 6U);  // none was dropped
  EXPECT_EQ(socket.link->blobs, nullptr);
}

TEST(GatewayRouterTest, BoundsTheQueueOfAReaderThatStalls) {
  GatewayRig rig;
  rig.ControlIsThere();
  const RigAgent agent = rig.NewAgent();
  RigSocket& socket = rig.OpenLink(agent);
  route::ToGateway message;
  message.mutable_send()->add_agent_ids(agent.id.str());
  link_pb::Frame blob;
  blob.mutable_blob_data()->set_digest(std::string(32, 'd'));
  blob.mutable_blob_data()->set_sha256(std::string(32, 's'));
  blob.mutable_blob_data()->set_data(std::string(256 * 1024, 'x'));
  message.mutable_send()->add_frames(blob.SerializeAsString());
  for (int i = 0; i < 20; ++i) rig.FromControl(message);
  std::size_t bytes = 0;
  for (const auto& heard : rig.Hear(socket)) {
    EXPECT_LE(heard.ByteSizeLong(), link::kMaxMessageBytes);
    bytes += heard.ByteSizeLong();
  }
  EXPECT_GE(bytes, std::size_t{512} * 1024);  // all that an agent asks for at a time
  EXPECT_LE(bytes, backend::GatewayOutbox::kMaxBlobBytes);
}

TEST(GatewayRouterTest, TheNewestLinkOfAnAgentWins) {
  GatewayRig rig;
  rig.ControlIsThere();
  const RigAgent agent = rig.NewAgent();
  RigSocket& old = rig.OpenLink(agent, 1);
  RigSocket& young = rig.OpenLink(agent, 2);
  EXPECT_EQ(rig.HearClose(old), link_pb::CLOSE_REASON_SUPERSEDED);
  rig.Drop(old);
  EXPECT_FALSE(young.closed_by_router);
  const auto sent = rig.ToControl();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].link_closed().epoch(), 1U);
  EXPECT_EQ(sent[0].link_closed().reason(), link_pb::CLOSE_REASON_SUPERSEDED);
  // What goes to the agent goes to the new link.
  route::ToGateway close;
  close.mutable_close_link()->set_agent_id(agent.id.str());
  close.mutable_close_link()->set_epoch(1);
  close.mutable_close_link()->set_reason(link_pb::CLOSE_REASON_REVOKED);
  rig.FromControl(close);
  EXPECT_FALSE(young.closed_by_router);  // an older epoch is meant
  close.mutable_close_link()->set_epoch(2);
  rig.FromControl(close);
  EXPECT_EQ(rig.HearClose(young), link_pb::CLOSE_REASON_REVOKED);
}

TEST(GatewayRouterTest, NumbersItsEventsAndListsItsLinks) {
  GatewayRig rig;
  rig.ControlIsThere();
  std::vector<RigAgent> agents;
  for (int i = 0; i < 3; ++i) {
    agents.push_back(rig.NewAgent());
    rig.OpenLink(agents.back(), 10);
  }
  rig.Drop(rig.sockets.front());
  EXPECT_EQ(rig.ToControl().at(0).link_closed().event_no(), 4U);  // after three claims
  route::ToGateway announce;
  announce.mutable_announce();
  rig.FromControl(announce);
  const auto sent = rig.ToControl();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_TRUE(sent[0].links().last());
  EXPECT_EQ(sent[0].links().event_no(), 4U);
  EXPECT_EQ(sent[0].links().links_size(), 2);
}

TEST(GatewayRouterTest, SaysEveryFiveSecondsThatItIsThere) {
  GatewayRig rig;
  rig.ControlIsThere();
  rig.Wait(seconds(20));
  int ups = 0;
  for (const auto& sent : rig.ToControl()) ups += sent.has_gateway_up() ? 1 : 0;
  EXPECT_EQ(ups, 4);
}

TEST(GatewayRouterTest, SaysHowFarItHasReadAfterEveryFewMiB) {
  GatewayRig rig;
  rig.ControlIsThere();
  const auto send = [&rig](const std::string& control, std::uint64_t sent_bytes) {
    route::ToGateway entry;
    entry.set_control(control);
    entry.set_sent_bytes(sent_bytes);
    entry.mutable_send()->add_frames(std::string(std::size_t{256} * 1024, 'x'));
    rig.FromControl(entry);
  };
  for (std::uint64_t i = 1; i < 16; ++i) send(kControlInstance, i * 1000);
  EXPECT_TRUE(rig.ToControl().empty());
  send(kControlInstance, 16'000);
  const auto said = rig.ToControl();
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].gateway_up().handled_bytes(), 16'000U);
  EXPECT_FALSE(said[0].gateway_up().cursor().empty());
  // What another control counted means nothing to this one.
  for (int i = 0; i < 16; ++i) send("test.c0.before", 99'000);
  ASSERT_EQ(rig.ToControl().at(0).gateway_up().handled_bytes(), 16'000U);
  rig.router.OnControl(kControlInstance);
  EXPECT_EQ(rig.ToControl().at(0).gateway_up().handled_bytes(), 0U);
}

TEST(GatewayRouterTest, CountsOneReasonForEachLinkWhateverTheTransportSays) {
  GatewayRig rig;
  rig.ControlIsThere();
  RigSocket& stalled = rig.OpenLink(rig.NewAgent());
  rig.Drop(stalled, link_pb::CLOSE_REASON_SLOW_CONSUMER);
  RigSocket& stopping = rig.OpenLink(rig.NewAgent());
  link_pb::LinkMessage goodbye;
  goodbye.add_frames()->mutable_close()->set_reason(link_pb::CLOSE_REASON_AGENT_STOPPING);
  rig.Say(stopping, goodbye);
  rig.Drop(stopping);
  EXPECT_EQ(rig.Closed(link_pb::CLOSE_REASON_SLOW_CONSUMER), 1U);
  EXPECT_EQ(rig.Closed(link_pb::CLOSE_REASON_AGENT_STOPPING), 1U);
  EXPECT_EQ(rig.Closed(link_pb::CLOSE_REASON_PEER_GONE), 0U);
}

TEST(GatewayLinkTest, IsSmall) {
  // scale.md rule 6 allows 600 bytes for everything; this is one part of it.
  EXPECT_LE(sizeof(backend::GatewayLink), 128U);
}

}  // namespace
}  // namespace holdfast::testing
