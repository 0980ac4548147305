// GatewayRouter: authenticates agents, and moves their frames between sockets and Redis.
//
// Has no opinion about what a command means and no state of record: whatever is lost here is repeated by
// the ends. Who may have a session is control's to say; until it does, a link carries one Hello.
//
//   sockets: OnOpened OnMessage OnClosed --> [GatewayRouter] --> LinkPort, NextMessage
//   Redis:   OnEntry OnLost OnRestored   --> [GatewayRouter] --> StreamTransport::Add
//
// Ordering:  frames of one agent keep their order, both ways. Nothing of an agent goes up before Welcome,
//            and nothing goes up without the proved id and the granted epoch on it.
//            Each link gets exactly one close reason.
// Limits:    see Options; greetings are bounded by the admission of the supervisor.
//            Without Redis links stay and beats are answered; new links are told TRY_LATER; frames that
//            go up are dropped, and agents send them again (docs/decisions/0012-gateway-without-redis.md).
// Ownership: owns its links; borrows crypto, ports and counters.
// Threading: thread-compatible; loop thread only.
// Errors:    none: what a peer does wrong closes its link with a reason.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "backend/core/counters.h"
#include "backend/core/gateway_frames.h"
#include "backend/core/gateway_link.h"
#include "backend/core/stream_transport.h"
#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/link/codec.h"
#include "common/link/limits.h"
#include "common/sign/crypto.h"
#include "holdfast/route/v1/route.pb.h"

namespace holdfast::backend {

class GatewayRouter final : public StreamTransportDelegate {
 public:
  struct Options {
    std::string instance;  // "<host>.<slot>.<nonce>"
    FleetId fleet_id;
    std::vector<std::string> server_names;  // names we serve under; the first by default
    Duration first_message = link::kFirstMessageTimeout;
    Duration claim = link::kClaimTimeout;
    // While Redis is away a Claim waits for it: a restart takes less, and a redial more.
    Duration claim_without_redis = std::chrono::seconds(2);
    // Idle agents beat after 73 s of silence at the latest, busy ones after 30 s. Both limits leave room for
    // the sweep below 90 s and 45 s, which is when a dead peer must be known (delivery.md section 9, C2).
    Duration silence_idle = std::chrono::seconds(84);
    Duration silence_busy = std::chrono::seconds(40);
    // An agent that does not say when it is idle beats as it likes: it is asked before it is given up.
    Duration ping_busy = std::chrono::seconds(31);
    Duration up_interval = std::chrono::seconds(5);  // GatewayUp; control gives up after 15 s
    // ... and so much read: control trims what is read, and sends blobs no faster than that (StreamRoom).
    std::size_t up_bytes = std::size_t{4} * 1024 * 1024;
    // Behind a drain's window, for agents that were about to go, or did not hear of it.
    Duration drain_slack = std::chrono::seconds(5);
    // Claims that control has not answered yet. At it an upgrade is refused: the agent is told to come later
    // before it has signed anything, and its place is free for one that is served.
    std::size_t max_greetings = 1000;
  };
  struct Ports {
    const sign::Crypto& crypto;
    LinkPort& links;
    CounterBlock& counters;
  };
  GatewayRouter(Options options, Ports ports);

  // Before anything else. The transport needs us as its delegate first, hence not in the constructor.
  void SetStreams(StreamTransport& streams) { streams_ = &streams; }

  // Every turn of the loop: first the time, then what happened, then the end of the turn.
  void OnTime(TimePoint now, WallTime wall);
  void OnTurnEnd();
  void OnSecond();

  // A socket was accepted; every one of these is followed by one OnClosed or OnSocketClosed.
  void OnAccepted();
  void OnSocketClosed(link::CloseReason reason);  // one that never became a link
  GatewayLink& OnOpened(void* transport, std::string peer_address, std::string_view host);
  void OnMessage(GatewayLink& link, std::string_view message);
  void OnPong(GatewayLink& link);
  std::optional<std::string> NextMessage(GatewayLink& link);
  // `reason` is the transport's view; one that was given before wins. The link is gone afterwards.
  void OnClosed(GatewayLink& link, link::CloseReason reason);

  // The supervisor says which control instance is current.
  void OnControl(std::string_view instance);
  // Asks all links to go within the window, each at a moment of its own, and closes who is left when it and
  // the slack are over. Zero: closes all at once. Sockets that were given to us before still become links.
  void OnDrain(Duration window);
  // Asks so many links to go within the window and dial again: idle ones first, of these the oldest. The others
  // stay, and so do those that do not listen.
  void OnShed(std::size_t count, Duration window);
  // What a client that wants to upgrade is told to wait instead, in seconds; nullopt: it may.
  std::optional<std::uint32_t> RefuseUpgrade() const;

  void OnEntry(std::string_view id, std::string_view message) override;
  void OnBatchEnd() override {}
  void OnLost(const Error& why) override;
  void OnRestored() override;

  std::size_t links() const { return table_.size(); }
  // Every socket that was accepted is gone.
  bool empty() const { return sockets_ == 0; }
  bool draining() const { return drain_by_.has_value(); }
  // Since a drain closed what was left; zero before.
  Duration closed_all_for() const { return closed_at_ ? now_ - *closed_at_ : Duration::zero(); }

 private:
  using ToControl = ::holdfast::route::v1::ToControl;
  using ToGateway = ::holdfast::route::v1::ToGateway;

  // gateway_router.cc: sockets and time
  void OnHello(GatewayLink& link, const link::LinkMessage& message);
  void OnOpenMessage(GatewayLink& link, const link::LinkMessage& message, std::string_view bytes);
  void Forward(GatewayLink& link, std::string_view frame);
  void MeterRequest(GatewayLink& link, const link::Frame& frame, std::string_view bytes);
  void PumpRequests(GatewayLink& link);
  void CheckGreetings();
  void CheckDrain();
  void CloseAll();
  void SayGoaway(GatewayLink& link, Duration window);
  void BecomeBusy(GatewayLink& link);
  void CheckSilence();
  void CheckSilence(GatewayLink& link);
  void Close(GatewayLink& link, link::CloseReason reason, std::uint32_t retry_after_s = 0);
  void CountClosed(link::CloseReason reason);
  void Forget(const GatewayLink& link);
  std::uint32_t RetryAfterSeconds() const;

  // gateway_router_routes.cc: control and Redis
  void Handle(const ToGateway& entry);
  void OnSend(const ::holdfast::route::v1::Send& send);
  void OnClaimAnswer(const ::holdfast::route::v1::ClaimAnswer& answer);
  void OnCloseLink(const ::holdfast::route::v1::CloseLink& close);
  void OnAnnounce();
  void Admit(GatewayLink& link, const ::holdfast::route::v1::ClaimAnswer& answer);
  void Queue(GatewayLink& link, const GatewayOutbox::SharedFrame& frame, GatewayOutbox::Lane lane);
  void QueueFrame(GatewayLink& link, const link::Frame& frame);
  void SendClaim(GatewayLink& link);
  void SendClaims();
  void SayNeverOpened(const ::holdfast::route::v1::ClaimAnswer& answer);
  void SendClosed(const AgentId& agent_id, std::uint64_t epoch, link::CloseReason reason);
  void SendUp();
  bool SendToControl(ToControl& message);
  bool AddToControl(std::string_view entry);
  void FlushBatch();
  std::uint32_t seconds(Duration duration) const;

  const Options options_;
  const sign::Crypto& crypto_;
  LinkPort& port_;
  CounterBlock& counters_;
  StreamTransport* streams_ = nullptr;

  TimePoint now_{};
  TimePoint start_{};
  WallTime wall_{0};
  std::uint32_t now_s_ = 0;  // whole seconds since start_

  std::vector<std::unique_ptr<GatewayLink>> table_;
  std::map<std::uint64_t, GatewayLink*>
      greetings_;  // by ref: kGreeting and kClaiming, oldest first
  // By agent id. The links have it: 16 bytes less each than beside them.
  struct ById {
    using is_transparent = void;
    std::size_t operator()(const GatewayLink* link) const noexcept {
      return (*this)(link->agent_id);
    }
    std::size_t operator()(const AgentId& id) const noexcept { return FixedBytesHash()(id); }
    bool operator()(const GatewayLink* a, const GatewayLink* b) const {
      return a->agent_id == b->agent_id;
    }
    bool operator()(const AgentId& id, const GatewayLink* link) const {
      return id == link->agent_id;
    }
    bool operator()(const GatewayLink* link, const AgentId& id) const {
      return id == link->agent_id;
    }
  };
  std::unordered_set<GatewayLink*, ById, ById> open_;
  std::uint64_t next_ref_ = 1;
  std::size_t sweep_at_ = 0;

  FromAgentBatch batch_;
  GatewayLink* batch_link_ = nullptr;  // whose frames are in batch_
  std::string control_stream_;         // empty: no control yet
  std::string control_;                // instance; empty: none yet
  std::string cursor_;
  std::uint64_t handled_bytes_ = 0;  // ToGateway.sent_bytes, of control_
  std::size_t unsaid_bytes_ = 0;     // read since the last GatewayUp
  std::uint64_t event_no_ = 0;
  TimePoint up_at_{};
  std::size_t sockets_ = 0;
  std::optional<TimePoint> drain_by_;   // the end of the window
  std::optional<TimePoint> closed_at_;  // everything that was left then
};

}  // namespace holdfast::backend
