// LwsClient: outgoing WebSocket connections, over TLS or plain, on one libwebsockets loop.
//
// Used by the agent's link (built against the agent's own libwebsockets with mbedTLS) and by
// libholdfast and holdfast-fleet (the distribution's, with OpenSSL): the same source, compiled twice.
// Decides nothing: no retry, no back-off, no timers but the handshake deadline.
//
//   Connect --> delegate: OnOpened OnMessage* OnClosed;  WantWrite --> delegate: NextMessage per turn
//
// Ordering:  OnClosed is the last call for a connection, exactly once, also when it never opened.
// Limits:    Options::max_message_bytes inbound; above it the connection is closed with kTooLarge.
//            Nothing is queued outbound: NextMessage() is asked each time the socket has room.
// Ownership: LwsClient owns its connections; a Connection reference is valid until OnClosed returns.
//            Borrows the delegate until then. Delegates may call WantWrite and Close, not Connect.
// Threading: loop thread only, except Wake().
// Errors:    Create(): kInternal. Connect(): kInvalid for a URL or CA that does not parse.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/time.h"

namespace holdfast {

// Why a connection is over, as the transport saw it.
enum class ClientClose : std::uint8_t {
  kByPeer,         // orderly close or reset after it was open
  kByUs,           // Close() was called
  kConnectFailed,  // DNS, TCP, proxy or TLS did not complete in time
  kUntrusted,      // the certificate does not lead to the given CA, or names another host
  kRefused,        // HTTP answered the upgrade with something else; http_status says what
  kTooLarge,       // a message above max_message_bytes
  kProtocol,       // a text message, or a breach of WebSocket itself
};

class LwsClientDelegate {
 public:
  virtual ~LwsClientDelegate() = default;
  virtual void OnOpened() = 0;
  virtual void OnMessage(std::string_view message) = 0;  // one whole binary message
  virtual void OnClosed(ClientClose why, int http_status, std::string detail) = 0;
  // The socket has room: one whole message, or nullopt if there is nothing to send.
  virtual std::optional<std::string> NextMessage() = 0;
};

class LwsClientConnection {
 public:
  virtual ~LwsClientConnection() = default;
  virtual void WantWrite() = 0;
  // Sends what NextMessage() still has at most once more, then a WebSocket close.
  virtual void Close(std::uint16_t code) = 0;
};

struct LwsClientTarget {
  std::string url;            // wss://HOST:PORT or ws://HOST:PORT, nothing after the port
  std::string path;           // "/agent/v1"
  std::string subprotocol;    // "holdfast.link.v1"
  std::string source_address; // bind to it; empty = the system's choice
};

class LwsClient {
 public:
  struct Options {
    std::string ca_pem;                                 // the one CA that is trusted; needed for wss
    std::size_t max_message_bytes = 512 * std::size_t{1024};
    Duration handshake_timeout = std::chrono::seconds(15);  // TCP 5 s, TLS 10 s
    Duration tcp_user_timeout = std::chrono::seconds(20);
    std::size_t rx_buffer_bytes = 4096;                 // how large a piece one read may bring
  };
  static Result<std::unique_ptr<LwsClient>> Create(Options options);
  virtual ~LwsClient() = default;

  virtual Result<LwsClientConnection*> Connect(const LwsClientTarget& target,
                                               LwsClientDelegate& delegate) = 0;
  // Runs the loop once: waits for network, a watched descriptor, Wake(), or until `timeout`.
  virtual void Service(Duration timeout) = 0;
  // Service() also returns, and calls `on_readable`, when this descriptor is readable. At most 8.
  virtual Status WatchReadable(int fd, void (*on_readable)(void* user), void* user) = 0;
  virtual void UnwatchReadable(int fd) = 0;
  virtual void Wake() = 0;  // any thread
};

}  // namespace holdfast
