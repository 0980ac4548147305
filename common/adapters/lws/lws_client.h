// LwsClient: outgoing WebSocket connections, over TLS or plain, on one libwebsockets loop.
//
// Used by the agent's link (built against the agent's own libwebsockets with mbedTLS) and by
// libholdfast and holdfast-fleet (the distribution's, with OpenSSL): the same source, compiled
// twice. Decides nothing: no retry, no back-off, no timers but the handshake deadline.
//
//   Connect --> delegate: OnOpened OnMessage* OnClosed;  WantWrite --> delegate: NextMessage per
//   turn
//
// Ordering:  OnClosed is the last call for a connection, exactly once, also when it never opened,
// and
//            never from inside Connect(). No OnMessage after Close(). Connections that stand when
//            the client is destroyed hear nothing more.
//            Connect() returns when the name is looked up and, with a proxy, the tunnel is open or not.
// Limits:    Options::max_message_bytes inbound; above it the connection is closed with kTooLarge
//            before the excess is buffered. Nothing is queued outbound: NextMessage() is asked each
//            time the socket has room.
// Ownership: LwsClient owns its connections; a Connection pointer is valid until OnClosed returns.
//            Borrows the delegate until then. Delegates may call WantWrite, Pause and Close, not
//            Connect, and must not destroy the client.
// Threading: loop thread only, except Wake().
// Errors:    Create(): kInvalid for a CA that does not parse, kInternal else. Connect(): kInvalid
// for a
//            URL that is not one, names an IPv6 address over TLS, or is wss without a CA.
// Design:    docs/decisions/0011-agent-libwebsockets.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/adapters/lws/http_proxy.h"
#include "common/base/result.h"
#include "common/base/time.h"

namespace holdfast {

// Why a connection is over, as the transport saw it.
enum class ClientClose : std::uint8_t {
  kByPeer,         // closed or reset after it was open, by the peer or the network
  kByUs,           // Close() was called
  kConnectFailed,  // DNS, TCP, TLS or the upgrade did not complete in time
  kUntrusted,      // the certificate does not lead to the given CA, or names another host
  kRefused,        // HTTP answered the upgrade with something else; http_status says what
  kNotHttp,        // the upgrade was answered with what is no HTTP
  kTooLarge,       // a message above max_message_bytes
  kProxyRefused,   // the proxy did not open the tunnel; detail has its words
  kProtocol,       // a text message, or a 101 that does not answer the upgrade that was asked for
};

// What is wrong with a certificate that was not trusted.
enum class CertificateFault : std::uint8_t {
  kNone,
  kOther,
  kUnknownCa,    // it does not lead to the given CA
  kWrongName,    // it is of another host
  kExpired,      // by this machine's clock
  kNotYetValid,  // the same
};

struct ClientEnd {
  ClientClose why = ClientClose::kConnectFailed;
  int http_status = 0;              // kRefused: the status; else 0
  std::uint32_t retry_after_s = 0;  // kRefused: Retry-After in seconds; 0 = none said
  std::string http_server;          // kRefused: the Server header, at most 64 B; hostile
  std::uint16_t close_code = 0;     // kByPeer: of the WebSocket close frame; 0 = there was none
  CertificateFault certificate = CertificateFault::kNone;  // kUntrusted
  std::string detail;  // for people; may hold what the peer said: treat as hostile
};

// How far a dial has come; for whoever wants to say where it stuck.
enum class ClientStep : std::uint8_t {
  kTunnelled,     // the proxy opened the tunnel
  kUpgradeAsked,  // TCP, and TLS if there is any, are up: the request for the upgrade goes out
};

class LwsClientDelegate {
 public:
  virtual ~LwsClientDelegate() = default;
  virtual void OnStep(ClientStep /*step*/) {}  // also from inside Connect()
  virtual void OnOpened() = 0;
  virtual void OnMessage(std::string_view message) = 0;  // one whole binary message
  virtual void OnClosed(const ClientEnd& end) = 0;
  // The socket has room: one whole message, or nullopt if there is nothing to send.
  virtual std::optional<std::string> NextMessage() = 0;
};

class LwsClientConnection {
 public:
  virtual ~LwsClientConnection() = default;
  virtual void WantWrite() = 0;
  // Bytes that this socket was given and the peer's kernel has not acknowledged.
  virtual std::size_t Undelivered() const = 0;
  // Stops (or resumes) reading from the socket: the peer then meets a full TCP window.
  virtual void Pause(bool paused) = 0;
  // Sends what NextMessage() still has at most once more, then a WebSocket close with this code.
  // A peer that does not answer the close within 3 s is cut.
  virtual void Close(std::uint16_t code) = 0;
  // As Close(), but ends with a reset: for a peer from which nothing comes. Where only its way to us is
  // dead, it knows at once.
  virtual void Abort() = 0;
  // Numeric, of the socket's other end: the server's, or the proxy's; empty until OnOpened().
  virtual const std::string& peer_address() const = 0;
  // The name was unknown, and Target::last_address was dialled in its place.
  virtual bool used_last_address() const = 0;
};

struct LwsClientTarget {
  std::string url;             // wss://HOST:PORT or ws://HOST:PORT, nothing after the port
  std::string path;            // "/agent/v1"
  std::string subprotocol;     // "holdfast.link.v1"
  std::string source_address;  // IPv4 to bind to, needs Options::ipv4_only; empty = system's choice
  std::optional<HttpProxy> proxy = {};  // through which to go; TLS still runs to the url's host
  // Numeric: dialled when the host cannot be looked up, with the host as the name that TLS verifies.
  std::string last_address = {};
};

// What a URL names; kInvalid with the reason if it is not one of ours.
struct ServerUrl {
  bool tls = false;
  std::string host;  // without brackets; at most kMaxHostBytes
  int port = 0;      // 1..65535
};
// libwebsockets copies the name that it verifies into 128 bytes: a longer one would be cut.
inline constexpr std::size_t kMaxHostBytes = 127;
Result<ServerUrl> ParseServerUrl(std::string_view url);

class LwsClient {
 public:
  struct Options {
    std::string ca_pem;  // the one CA that is trusted, one PEM certificate; needed for wss
    std::size_t max_message_bytes = 512 * std::size_t{1024};
    Duration handshake_timeout = std::chrono::seconds(15);  // name, TCP, TLS and upgrade together
    Duration tcp_user_timeout = std::chrono::seconds(20);   // unacknowledged bytes: dead path
    std::size_t rx_buffer_bytes = 4096;                     // how large a piece one read may bring
    // Connections and watched descriptors together: 16 B each, searched linearly. 0 = as many as
    // the process may open, found by index: for fleets.
    unsigned max_descriptors = 16;
    bool ipv4_only = false;
  };
  static Result<std::unique_ptr<LwsClient>> Create(Options options);
  virtual ~LwsClient() = default;

  virtual Result<LwsClientConnection*> Connect(const LwsClientTarget& target,
                                               LwsClientDelegate& delegate) = 0;
  // Runs the loop once: waits for network, a watched descriptor, Wake(), or until `timeout`. Does not wait when it has
  // the end of a dial to report that failed at once.
  virtual void Service(Duration timeout) = 0;
  // Service() also returns, and calls `on_readable`, when this descriptor is readable or its other
  // end is gone. The descriptor stays the caller's. At most 8.
  virtual Status WatchReadable(int fd, void (*on_readable)(void* user), void* user) = 0;
  virtual void PauseReadable(int fd, bool paused) = 0;
  virtual void UnwatchReadable(int fd) = 0;
  virtual void Wake() = 0;  // any thread
};

}  // namespace holdfast
