// LwsServer: accepted sockets become WebSocket connections, over TLS or plain, on one libev loop.
//
// Sockets come from outside (the supervisor passes them); this never listens. One server = one
// subprotocol and path, and one kind of message. Decides nothing but what the HTTP upgrade may look like:
// the exact path and subprotocol, no Origin header (browsers are refused with 403), no extensions,
// HTTP/1.1 only. Refusals carry "Server: holdfast", so that an agent knows whose answer it is. Tuning and its reasons: docs/decisions/0010-the-gateway-loop.md.
//
//   Adopt --> delegate: OnOpened OnMessage* OnClosed;  WantWrite --> delegate: NextMessage per turn
//
// Ordering:  OnClosed is the last call for a link, exactly once, also for one that never opened.
//            Messages that wait for a link leave in one write, in the order that NextMessage() gave.
// Limits:    see Options; a larger message closes with 1009 before it is buffered. Nothing is queued
//            outbound: NextMessage() is asked when a turn of the loop ends, and when a full socket has room.
// Ownership: owns its links; LwsLink references are valid until OnClosed returns.
// Threading: loop thread only.
// Errors:    Create(), SetCertificate(): kInvalid for certificate files that do not load, kInternal else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "backend/core/ticket_keys.h"
#include "common/base/result.h"
#include "common/base/time.h"

struct ev_loop;

namespace holdfast::backend {

// One connection past its upgrade. The delegate hangs its own state on `user`.
class LwsLink {
 public:
  virtual ~LwsLink() = default;
  virtual void WantWrite() = 0;
  // A WebSocket ping, which the peer's library answers by itself: OnPong() if it does.
  virtual void Ping() = 0;
  // NextMessage() is asked once more, then the WebSocket closes with this code and text.
  virtual void Close(std::uint16_t code, std::string_view text) = 0;
  // Empty once OnOpened() has returned.
  virtual std::string_view peer_address() const = 0;
  // The name the client dialled, as its Host header says it, without the port. Only in OnOpened().
  virtual std::string host() const = 0;
  virtual void SetMaxMessageBytes(std::size_t bytes) = 0;  // from now on
  void* user = nullptr;
};

// Why a link is over, as the transport saw it.
enum class ServerClose : std::uint8_t {
  kByPeer,
  kByUs,
  kHandshakeTimeout,
  kTlsFailed,
  kNotALink,
  kTooLarge,
  kProtocol,
  kStalled,
  kRefused,  // by RefuseUpgrade()
};

class LwsServerDelegate {
 public:
  virtual ~LwsServerDelegate() = default;
  // Asked before each upgrade. Seconds: 503 with that as Retry-After.
  virtual std::optional<std::uint32_t> RefuseUpgrade() { return std::nullopt; }
  virtual void OnOpened(LwsLink& link) = 0;
  // Just before OnOpened(), over TLS: whether a ticket made the handshake short.
  virtual void OnTlsDone(bool /*resumed*/) {}
  virtual void OnMessage(LwsLink& link, std::string_view message) = 0;  // one whole message
  virtual void OnPong(LwsLink& /*link*/) {}
  // `link` is null for a socket that ended before its upgrade; OnNotOpened() said which, just before.
  virtual void OnClosed(LwsLink* link, ServerClose why) = 0;
  virtual void OnNotOpened(std::string_view /*peer_address*/) {}
  virtual std::optional<std::string> NextMessage(LwsLink& link) = 0;
};

// What a link carries, both ways; the other kind closes it. Ours are binary.
enum class MessageKind : std::uint8_t { kBinary, kText };

class LwsServer {
 public:
  struct Options {
    std::string path;         // "/agent/v1"
    std::string subprotocol;  // "holdfast.link.v1"; empty: a request that asks for one is refused
    MessageKind messages = MessageKind::kBinary;
    std::string cert_file, key_file;  // empty: plain ws://
    std::size_t max_message_bytes = 512 * std::size_t{1024};
    std::size_t rx_buffer_bytes = 128;                      // per link; docs/decisions/0010
    Duration handshake_timeout = std::chrono::seconds(10);  // TLS and upgrade together
  };
  static Result<std::unique_ptr<LwsServer>> Create(struct ev_loop* loop, Options options,
                                                   LwsServerDelegate& delegate);
  virtual ~LwsServer() = default;
  // Takes the descriptor, also on failure.
  virtual Status Adopt(int fd, std::string peer_address) = 0;
  // For sockets adopted from now on; links keep what they have. Read anew even if the names are the same.
  // Not for a server without TLS. A certificate that was in use is kept in memory until the server ends.
  virtual Status SetCertificate(std::string cert_file, std::string key_file) = 0;
  // From now on TLS 1.3 clients get tickets under these; until then nobody does.
  virtual void SetTicketKeys(const TicketKeyPair& keys) = 0;
};

}  // namespace holdfast::backend
