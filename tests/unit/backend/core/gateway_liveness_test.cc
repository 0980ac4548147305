#include <chrono>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "backend/core/gateway_router.h"
#include "tests/support/gateway_rig.h"

namespace holdfast::testing {
namespace {

using backend::Counter;
using std::chrono::seconds;

// Seconds until the router gives this socket up.
int SilenceOf(GatewayRig& rig, RigSocket& socket) {
  int waited = 0;
  while (!socket.closed_by_router && waited < 200) {
    rig.Wait(seconds(1));
    ++waited;
  }
  EXPECT_EQ(rig.HearClose(socket), link_pb::CLOSE_REASON_PEER_SILENT);
  return waited;
}

// The window of the Goaway that waits for this socket.
std::optional<std::uint32_t> HearGoaway(GatewayRig& rig, RigSocket& socket) {
  for (const auto& message : rig.Hear(socket)) {
    for (const auto& frame : message.frames()) {
      if (frame.has_goaway()) return frame.goaway().window_s();
    }
  }
  return std::nullopt;
}

TEST(GatewayLivenessTest, ClosesAnIdleLinkThatFellSilentWithin90Seconds) {
  GatewayRig rig;
  rig.ControlIsThere();
  RigSocket& alive = rig.OpenLink(rig.NewAgent());
  for (int i = 0; i < 3; ++i) {
    rig.Wait(seconds(76));  // the longest an idle agent takes, and some network
    rig.Say(alive, GatewayRig::Beat(true));
  }
  EXPECT_FALSE(alive.closed_by_router);
  EXPECT_EQ(alive.pings, 0);
  for (int i = 0; i < 20; ++i) rig.OpenLink(rig.NewAgent());
  RigSocket& silent = rig.OpenLink(rig.NewAgent());
  const int waited = SilenceOf(rig, silent);
  EXPECT_GE(waited, 83);
  EXPECT_LE(waited, 88);
}

TEST(GatewayLivenessTest, ClosesABusyLinkThatFellSilentWithin45Seconds) {
  GatewayRig rig;
  rig.ControlIsThere();
  for (int i = 0; i < 20; ++i) rig.OpenLink(rig.NewAgent());
  const RigAgent agent = rig.NewAgent();
  RigSocket& delivered = rig.OpenLink(agent);
  rig.Deliver(agent);
  int waited = SilenceOf(rig, delivered);
  EXPECT_GE(waited, 39);
  EXPECT_LE(waited, 44);

  RigSocket& uploads = rig.OpenLink(rig.NewAgent());  // came with work, after a cut
  link_pb::LinkMessage up;
  *up.add_frames() = GatewayRig::UpChunk(0);
  rig.Say(uploads, up);
  waited = SilenceOf(rig, uploads);
  EXPECT_LE(waited, 44);
}

// It may sleep for 73 s: what it did not say before the command came says nothing about it.
TEST(GatewayLivenessTest, ACommandForAnAgentThatWasSilentWhileIdleLeavesItTimeToAnswer) {
  GatewayRig rig;
  rig.ControlIsThere();
  const RigAgent agent = rig.NewAgent();
  RigSocket& socket = rig.OpenLink(agent);
  rig.Wait(seconds(43));
  rig.Deliver(agent);
  rig.Wait(seconds(5));
  EXPECT_FALSE(socket.closed_by_router);
  EXPECT_EQ(socket.pings, 0);
  const int waited = 5 + SilenceOf(rig, socket);
  EXPECT_GE(waited, 39);
  EXPECT_LE(waited, 44);

  const RigAgent dead = rig.NewAgent();
  RigSocket& late = rig.OpenLink(dead);
  rig.Wait(seconds(75));
  rig.Deliver(dead);  // no reason to wait longer than without it
  EXPECT_LE(SilenceOf(rig, late), 13);
}

TEST(GatewayLivenessTest, ABeatThatSaysIdleEndsBeingBusyAndAnotherDoesNot) {
  GatewayRig rig;
  rig.ControlIsThere();
  const RigAgent agent = rig.NewAgent();
  RigSocket& socket = rig.OpenLink(agent);
  rig.Deliver(agent);
  rig.Say(socket, GatewayRig::Beat(false));
  rig.Wait(seconds(35));
  EXPECT_EQ(socket.pings, 1);
  link_pb::LinkMessage up;
  *up.add_frames() = GatewayRig::UpChunk(0);
  rig.Say(socket, up);
  rig.Say(socket, GatewayRig::Beat(true));
  rig.Wait(seconds(76));
  EXPECT_FALSE(socket.closed_by_router);
  EXPECT_EQ(socket.pings, 1);
}

TEST(GatewayLivenessTest, AnIdleBeatThatADeliverCrossedLeavesTheLinkBusyAndTheNextOneDoesNot) {
  GatewayRig rig;
  rig.ControlIsThere();
  const RigAgent agent = rig.NewAgent();
  RigSocket& died = rig.OpenLink(agent);
  rig.Deliver(agent);
  rig.Say(died, GatewayRig::Beat(true));  // had left before the Deliver came
  EXPECT_LE(SilenceOf(rig, died), 44);

  const RigAgent other = rig.NewAgent();
  RigSocket& knew_it = rig.OpenLink(other);  // the command was over long ago: no record comes of it
  rig.Deliver(other);
  rig.Say(knew_it, GatewayRig::Beat(true));
  rig.Say(knew_it, GatewayRig::Beat(true));
  rig.Wait(seconds(76));
  EXPECT_FALSE(knew_it.closed_by_router);
  EXPECT_EQ(knew_it.pings, 0);
}

TEST(GatewayLivenessTest, AnAgentThatNeverSaysIdleStaysAsLongAsItsSocketAnswers) {
  GatewayRig rig;
  rig.ControlIsThere();
  const RigAgent agent = rig.NewAgent();
  RigSocket& socket = rig.OpenLink(agent);
  rig.Deliver(agent);
  for (int i = 1; i <= 600; ++i) {
    const int pings = socket.pings;
    rig.Wait(seconds(1));
    if (socket.pings > pings) rig.router.OnPong(*socket.link);
    if (i % 66 == 0) rig.Say(socket, GatewayRig::Beat(false));  // as idle agents of before do
  }
  EXPECT_FALSE(socket.closed_by_router);
  EXPECT_GE(socket.pings, 9);
  EXPECT_LE(socket.pings, 20);
}

TEST(GatewayLivenessTest, ADrainWithAWindowLetsAgentsChooseTheirMomentAndClosesWhoStays) {
  GatewayRig rig;
  rig.ControlIsThere();
  const RigAgent agent = rig.NewAgent();
  RigSocket& open = rig.OpenLink(agent);
  RigSocket& leaver = rig.OpenLink(rig.NewAgent());
  RigSocket& claiming = rig.Open();
  rig.Hello(claiming, rig.NewAgent());
  rig.ToControl();
  rig.router.OnDrain(seconds(10));
  const auto said = rig.ToControl();
  ASSERT_EQ(said.size(), 1U);
  EXPECT_TRUE(said[0].gateway_up().draining());
  EXPECT_EQ(HearGoaway(rig, open), 10U);
  EXPECT_EQ(HearGoaway(rig, leaver), 10U);
  rig.Drop(leaver);
  rig.Wait(seconds(4));
  rig.Answer(claiming);  // it was on its way: it is served, and told
  EXPECT_EQ(HearGoaway(rig, claiming), 6U);
  rig.Deliver(agent);
  EXPECT_EQ(rig.Hear(open).size(), 1U);  // who is still here is served
  rig.Wait(seconds(5));
  RigSocket& late = rig.Open();  // given to us before the supervisor knew
  EXPECT_FALSE(late.closed_by_router);
  EXPECT_EQ(rig.router.RefuseUpgrade(), std::nullopt);
  rig.Wait(seconds(5));
  EXPECT_FALSE(open.closed_by_router);
  EXPECT_NE(rig.router.RefuseUpgrade(), std::nullopt);
  rig.Wait(seconds(1));
  for (RigSocket* const socket : {&open, &claiming, &late}) {
    EXPECT_TRUE(socket->closed_by_router);
    EXPECT_EQ(rig.HearClose(*socket), link_pb::CLOSE_REASON_GOING_AWAY);
    EXPECT_FALSE(rig.router.empty());
    rig.Drop(*socket);
  }
  EXPECT_TRUE(rig.router.empty());
}

TEST(GatewayLivenessTest, ShedsIdleLinksFirstTheOldestOfThemAndNoneTwice) {
  GatewayRig rig;
  rig.ControlIsThere();
  const RigAgent worker = rig.NewAgent();
  RigSocket& busy = rig.OpenLink(worker);
  RigSocket& oldest = rig.OpenLink(rig.NewAgent());
  RigSocket& older = rig.OpenLink(rig.NewAgent());
  RigSocket& newest = rig.OpenLink(rig.NewAgent());
  RigSocket& greeting = rig.Open();
  rig.Hear(greeting);
  rig.Deliver(worker);
  rig.Hear(busy);
  rig.router.OnShed(2, seconds(7));
  EXPECT_EQ(HearGoaway(rig, oldest), 7U);
  EXPECT_EQ(HearGoaway(rig, older), 7U);
  for (RigSocket* const stays : {&busy, &newest, &greeting}) {
    EXPECT_TRUE(rig.Hear(*stays).empty());
  }
  rig.router.OnShed(2, seconds(3));
  EXPECT_EQ(HearGoaway(rig, newest), 3U);
  EXPECT_EQ(HearGoaway(rig, busy), 3U);
  rig.router.OnShed(9, seconds(3));
  for (RigSocket& socket : rig.sockets) {
    EXPECT_TRUE(rig.Hear(socket).empty());
    EXPECT_FALSE(socket.closed_by_router);
  }
  EXPECT_EQ(rig.counters.Get(Counter::kLinksShed), 4U);
  rig.Wait(seconds(30));
  EXPECT_FALSE(oldest.closed_by_router);  // who does not listen stays
  RigSocket& back = rig.OpenLink(worker, 2);
  rig.router.OnShed(1, seconds(2));  // a new link is another one
  EXPECT_EQ(HearGoaway(rig, back), 2U);
}

TEST(GatewayLivenessTest, ADrainingGatewayShedsNobody) {
  GatewayRig rig;
  rig.ControlIsThere();
  RigSocket& open = rig.OpenLink(rig.NewAgent());
  rig.router.OnDrain(seconds(10));
  EXPECT_EQ(HearGoaway(rig, open), 10U);
  rig.router.OnShed(1, seconds(1));
  EXPECT_TRUE(rig.Hear(open).empty());
}

TEST(GatewayLivenessTest, ASocketInItsHandshakeKeepsADrainingGatewayAlive) {
  GatewayRig rig;
  rig.router.OnAccepted();
  rig.router.OnDrain(seconds(10));
  EXPECT_FALSE(rig.router.empty());
  rig.router.OnSocketClosed(link_pb::CLOSE_REASON_CONNECT_FAILED);
  EXPECT_TRUE(rig.router.empty());
}

TEST(GatewayLivenessTest, RefusesUpgradesWhileTooManyWaitForControl) {
  GatewayRig rig;
  rig.ControlIsThere();
  for (std::size_t i = 0; i < rig.Options().max_greetings; ++i) {
    EXPECT_EQ(rig.router.RefuseUpgrade(), std::nullopt);
    rig.Open();
  }
  const auto wait_s = rig.router.RefuseUpgrade();
  ASSERT_TRUE(wait_s);
  EXPECT_GE(*wait_s, 2U);
  EXPECT_LE(*wait_s, 10U);
  rig.Drop(rig.sockets.back());
  EXPECT_EQ(rig.router.RefuseUpgrade(), std::nullopt);
}

TEST(GatewayLivenessTest, DrainSaysGoodbyeToAllAndTakesNoneAnymore) {
  GatewayRig rig;
  rig.ControlIsThere();
  RigSocket& open = rig.OpenLink(rig.NewAgent());
  RigSocket& greeting = rig.Open();
  rig.router.OnDrain(seconds(0));
  EXPECT_EQ(rig.HearClose(open), link_pb::CLOSE_REASON_GOING_AWAY);
  EXPECT_EQ(rig.HearClose(greeting), link_pb::CLOSE_REASON_GOING_AWAY);
  RigSocket& late = rig.Open();
  EXPECT_EQ(rig.HearClose(late), link_pb::CLOSE_REASON_GOING_AWAY);
  for (RigSocket* const socket : {&open, &greeting, &late}) rig.Drop(*socket);
  EXPECT_EQ(rig.router.links(), 0U);
  EXPECT_EQ(rig.Closed(link_pb::CLOSE_REASON_GOING_AWAY), 3U);
  EXPECT_EQ(rig.counters.Get(Counter::kLinks), 0U);
  EXPECT_EQ(rig.counters.Get(Counter::kHandshakes), 0U);
}

}  // namespace
}  // namespace holdfast::testing
