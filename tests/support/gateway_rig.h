// GatewayRig: a GatewayRouter with agents, control and time in a test's hands.
//
//   GatewayRig rig;  rig.ControlIsThere();
//   auto link = rig.Open();  rig.Hello(link, agent);  rig.Grant(link, agent);
//
// Ownership: owns the router and everything around it.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/core/gateway_router.h"
#include "common/adapters/openssl/openssl_crypto.h"
#include "common/link/codec.h"
#include "common/sign/envelope.h"
#include "holdfast/command/v1/trust.pb.h"
#include "holdfast/route/v1/route.pb.h"
#include "tests/support/fake_stream_transport.h"

namespace holdfast::testing {

namespace link_pb = ::holdfast::link::v1;
namespace route = ::holdfast::route::v1;

inline constexpr char kGatewayInstance[] = "test.g0.00000000";
inline constexpr char kControlInstance[] = "test.c0.00000000";

// One socket, as the router sees it.
struct RigSocket {
  backend::GatewayLink* link = nullptr;
  std::size_t max_message_bytes = 0;
  bool wants_write = false;
  std::string at_hand;  // when it last wanted to write
  int pings = 0;
  bool closed_by_router = false;
};

struct RigAgent {
  std::unique_ptr<sign::SigningKey> key;
  AgentId id;
};

class GatewayRig final : public backend::LinkPort {
 public:
  GatewayRig()
      : router(Options(), {*crypto, *this, counters}),
        streams(redis, backend::GatewayStream(kGatewayInstance), router) {
    router.SetStreams(streams);
    Advance(std::chrono::seconds(0));
    streams.Turn();
  }

  backend::GatewayRouter::Options Options() const {
    backend::GatewayRouter::Options options;
    options.instance = kGatewayInstance;
    options.fleet_id = fleet_id;
    options.server_names = {"one.test", "two.test"};
    return options;
  }

  // --- time and Redis -----------------------------------------------------------------------------
  void Advance(Duration by) {
    now += by;
    router.OnTime(now, WallTime(1'800'000'000'000));
  }
  // Second by second, as the driver does.
  void Wait(std::chrono::seconds time) {
    for (auto s = time; s.count() > 0; --s) {
      Advance(std::chrono::seconds(1));
      router.OnSecond();
      Turn();
    }
  }
  void Turn() {
    router.OnTurnEnd();
    streams.Turn();
  }
  void ControlIsThere() {
    router.OnControl(kControlInstance);
    Turn();
    ToControl();
  }
  // What control has been sent since the last call.
  std::vector<route::ToControl> ToControl() {
    Turn();
    std::vector<route::ToControl> out;
    for (const FakeRedis::Entry& entry : redis.streams[backend::ControlStream(kControlInstance)]) {
      if (!out.emplace_back().ParseFromString(entry.message)) out.pop_back();
    }
    redis.streams[backend::ControlStream(kControlInstance)].clear();
    return out;
  }
  void FromControl(const route::ToGateway& message) {
    redis.streams[backend::GatewayStream(kGatewayInstance)].push_back(
        {redis.next_number++, message.SerializeAsString()});
    Turn();
  }

  // --- agents -------------------------------------------------------------------------------------
  RigAgent NewAgent() const {
    RigAgent agent;
    agent.key = crypto->GenerateKey().value();
    agent.id = sign::AgentIdOf(*crypto, agent.key->public_key());
    return agent;
  }
  RigSocket& Open(std::string_view host = "one.test") {
    RigSocket& socket = sockets.emplace_back();
    router.OnAccepted();
    socket.link = &router.OnOpened(&socket, "192.0.2.1:1000", host);
    return socket;
  }
  void Say(RigSocket& socket, const link_pb::LinkMessage& message) {
    router.OnMessage(*socket.link, message.SerializeAsString());
  }
  // Everything that waits for this socket.
  std::vector<link_pb::LinkMessage> Hear(RigSocket& socket) {
    std::vector<link_pb::LinkMessage> out;
    while (const auto bytes = router.NextMessage(*socket.link)) {
      auto message = link::DecodeMessage(*bytes, link::Direction::kDown);
      HF_CHECK(message.ok());
      out.push_back(std::move(message).value());
    }
    return out;
  }
  // The reason of the Close frame that waits for this socket.
  link::CloseReason HearClose(RigSocket& socket) {
    for (const auto& message : Hear(socket)) {
      for (const auto& frame : message.frames()) {
        if (frame.has_close()) return frame.close().reason();
      }
    }
    return link_pb::CLOSE_REASON_UNSPECIFIED;
  }
  ::holdfast::command::v1::AgentHello GoodHello(RigSocket& socket, const RigAgent& agent,
                                                std::uint64_t epoch = 1) {
    const auto greeting = Hear(socket);
    HF_CHECK(greeting.size() == 1 && greeting[0].frames(0).has_challenge());
    ::holdfast::command::v1::AgentHello hello;
    hello.set_fleet_id(fleet_id.str());
    hello.set_server_name(greeting[0].frames(0).challenge().server_name());
    hello.set_challenge(greeting[0].frames(0).challenge().nonce());
    hello.set_agent_id(agent.id.str());
    hello.set_pubkey(agent.key->public_key().str());
    hello.set_incarnation(std::string(16, 'i'));
    hello.set_conn_epoch(epoch);
    hello.set_instance_nonce(std::string(16, 'n'));
    hello.set_fingerprint(std::string(32, 'f'));
    return hello;
  }
  void Say(RigSocket& socket, const ::holdfast::command::v1::AgentHello& hello,
           const sign::SigningKey& key) {
    link_pb::LinkMessage message;
    message.add_frames()->mutable_hello()->set_envelope(
        sign::SignEnvelope(*crypto, key, sign::kHelloType, hello.SerializeAsString()).value());
    Say(socket, message);
  }
  void Hello(RigSocket& socket, const RigAgent& agent, std::uint64_t epoch = 1) {
    Say(socket, GoodHello(socket, agent, epoch), *agent.key);
  }
  // Control's answer to the Claim that this socket waits for.
  void Answer(RigSocket& socket, link::CloseReason refused = link_pb::CLOSE_REASON_UNSPECIFIED) {
    route::ToGateway message;
    route::ClaimAnswer& answer = *message.mutable_claim_answer();
    answer.set_link_ref(socket.link->ref);
    answer.set_agent_id(socket.link->agent_id.str());
    answer.set_epoch(socket.link->epoch);
    answer.set_granted(refused == link_pb::CLOSE_REASON_UNSPECIFIED);
    answer.set_contact(std::string(16, 'c'));
    answer.set_reason(refused);
    FromControl(message);
  }
  RigSocket& OpenLink(const RigAgent& agent, std::uint64_t epoch = 1) {
    RigSocket& socket = Open();
    Hello(socket, agent, epoch);
    Answer(socket);
    Hear(socket);
    ToControl();
    return socket;
  }
  void Drop(RigSocket& socket, link::CloseReason why = link_pb::CLOSE_REASON_PEER_GONE) {
    router.OnClosed(*socket.link, why);
    socket.link = nullptr;
  }
  static link_pb::LinkMessage Beat(bool idle = false) {
    link_pb::LinkMessage message;
    message.add_frames()->mutable_beat()->set_idle(idle);
    return message;
  }
  // Control sends one command to this agent.
  void Deliver(const RigAgent& agent) {
    route::ToGateway message;
    message.mutable_send()->add_agent_ids(agent.id.str());
    link_pb::Frame frame;
    frame.mutable_deliver()->set_envelope("command");
    frame.mutable_deliver()->set_cert_envelope("certificate");
    message.mutable_send()->add_frames(frame.SerializeAsString());
    FromControl(message);
  }
  static link_pb::Frame UpChunk(std::uint64_t seq);
  std::uint64_t Closed(link::CloseReason reason) const {
    return counters.Get(
        static_cast<backend::Counter>(static_cast<std::size_t>(backend::Counter::kClosedBase) +
                                      static_cast<std::size_t>(reason)));
  }

  // LinkPort
  void WantWrite(void* transport) override {
    static_cast<RigSocket*>(transport)->wants_write = true;
    static_cast<RigSocket*>(transport)->at_hand = counters.AtHand();
  }
  void Ping(void* transport) override { ++static_cast<RigSocket*>(transport)->pings; }
  void Close(void* transport, std::uint16_t /*code*/, std::string_view /*text*/) override {
    static_cast<RigSocket*>(transport)->closed_by_router = true;
  }
  void SetMaxMessageBytes(void* transport, std::size_t bytes) override {
    static_cast<RigSocket*>(transport)->max_message_bytes = bytes;
  }

  void OnHandshakeDone(std::string_view /*peer_address*/) override { ++handshakes_done; }

  int handshakes_done = 0;
  const FleetId fleet_id = *FleetId::From(std::string(16, 'F'));
  const std::unique_ptr<sign::Crypto> crypto = NewOpensslCrypto();
  backend::CounterBlock counters{};
  FakeRedis redis;
  TimePoint now{std::chrono::hours(1)};
  std::deque<RigSocket> sockets;  // addresses stay
  backend::GatewayRouter router;
  FakeStreamTransport streams;
};

inline link_pb::Frame GatewayRig::UpChunk(std::uint64_t seq) {
  link_pb::Frame frame;
  frame.mutable_up()->set_digest(std::string(32, 'd'));
  frame.mutable_up()->set_attempt(1);
  frame.mutable_up()->set_seq(seq);
  frame.mutable_up()->mutable_received()->set_at_ms(1);
  return frame;
}

}  // namespace holdfast::testing
