// GatewayLink: what a gateway knows of one WebSocket past its upgrade.
//
// Small on purpose: a process holds 20,000 of them (scale.md rule 6). What only a handshake needs lives
// in `greeting`, what only waits to be sent in `outbox`, and both are gone in an idle link.
//
//   kGreeting (Challenge sent) -> kClaiming (Hello verified) -> kOpen (Welcome) -> kClosing
//
// Limits:    see GatewayOutbox.
// Ownership: owned by GatewayRouter. `transport` is whatever the driver wants to be called back with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "backend/core/blob_meter.h"
#include "backend/core/gateway_outbox.h"
#include "common/base/ids.h"
#include "holdfast/link/v1/close_reason.pb.h"

namespace holdfast::backend {

struct GatewayLink {
  enum class State : std::uint8_t { kGreeting, kClaiming, kOpen, kClosing };

  struct Greeting {
    Nonce32 challenge;
    std::string server_name;
    std::string peer_address;
    std::string hello_envelope;  // from kClaiming on
    bool claimed = false;        // Redis took the Claim, or the last one at least; no answer yet
  };

  void* transport = nullptr;
  std::uint64_t ref = 0;    // names this socket within the gateway instance
  std::uint64_t epoch = 0;  // from kClaiming on
  AgentId agent_id;         // from kClaiming on
  std::unique_ptr<Greeting> greeting;
  std::unique_ptr<GatewayOutbox> outbox;
  std::unique_ptr<BlobMeter> blobs;  // while it pulls any
  std::uint32_t heard_s = 0;         // tick of the last message
  std::uint32_t busy_s = 0;          // tick at which it became busy, while it is
  std::uint32_t slot = 0;            // place in the router's table
  State state = State::kGreeting;
  bool shed = false;  // asked to move elsewhere; not twice
  ::holdfast::link::v1::CloseReason reason = ::holdfast::link::v1::CLOSE_REASON_UNSPECIFIED;
  bool welcomed = false;  // was open once: counts as a link, its messages carry the epoch
  bool busy = false;      // something is open at the agent: silence means more
  bool crossing = false;  // a Deliver went down since the last record came up: Beats may cross it
  bool pinged = false;    // since it was heard last
};

// Sockets as the router uses them; `transport` is GatewayLink::transport.
class LinkPort {
 public:
  virtual ~LinkPort() = default;
  // Asks for NextMessage() when the socket has room.
  virtual void WantWrite(void* transport) = 0;
  // Asks the peer's WebSocket, not its program, for a sign of life: OnPong() if it gives one.
  virtual void Ping(void* transport) = 0;
  // What NextMessage() still has, then a WebSocket close.
  virtual void Close(void* transport, std::uint16_t code, std::string_view text) = 0;
  virtual void SetMaxMessageBytes(void* transport, std::size_t bytes) = 0;
  // The socket from this address is a link now, or gone before it was one.
  virtual void OnHandshakeDone(std::string_view peer_address) = 0;
};

}  // namespace holdfast::backend
