// Links: a process's outgoing WebSockets, plain or over TLS, on one epoll loop.
//
// For a simulator that holds 18,000 of them: an idle plain link is some 200 bytes here, and a turn of the loop
// costs what happened in it, however many links stand. Decides nothing: no retry, no back-off, no timers
// but the handshake's and the close's.
//
//   Dial --> delegate: OnOpened OnMessage* OnClosed;  WantWrite --> delegate: NextMessage, until it has none
//
// Ordering:  OnClosed is the last call for a link, exactly once, also when it never opened, and never from
//            inside Dial(). Links that stand when Links is destroyed hear nothing more.
// Limits:    Options; one message at most waits for a socket that has no room, then NextMessage() is not asked.
// Ownership: owns its links; a Link is valid until OnClosed returns. Borrows delegates until then.
//            Delegates may call anything of their link, and Dial(); they must not destroy Links.
// Threading: loop thread only.
// Errors:    Create(): kInvalid for a CA that does not parse. Dial(): kInternal: the system refused a socket.
// Design:    docs/decisions/0074-the-simulators-own-websocket.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/adapters/lws/lws_client.h"
#include "common/base/result.h"
#include "common/base/time.h"

namespace holdfast::fleet {

class LinkDelegate {
 public:
  virtual ~LinkDelegate() = default;
  virtual void OnOpened() = 0;
  virtual void OnMessage(std::string_view message) = 0;  // one whole binary message
  virtual void OnClosed(const ClientEnd& end) = 0;
  // The socket has room: one whole message, or nullopt if there is nothing to send.
  virtual std::optional<std::string> NextMessage() = 0;
};

class Link {
 public:
  virtual ~Link() = default;
  virtual void WantWrite() = 0;
  // What NextMessage() still has at most once more, then a close; cut after 3 s without an answer.
  virtual void Close(std::uint16_t code) = 0;
  // Gone at once, with a reset: what a pulled plug or a killed process looks like.
  virtual void Cut() = 0;
  // Reads nothing more by itself, or does so again.
  virtual void Pause(bool paused) = 0;
  // While paused: takes at most this many bytes from the socket.
  virtual void ReadSome(std::size_t bytes) = 0;
  // These very bytes, whatever they are, as soon as TCP (and TLS) stand. For hostile agents.
  virtual void SendRaw(std::string bytes) = 0;
};

class Links {
 public:
  struct Options {
    std::string ca_pem;   // the one CA that is trusted; needed for wss
    bool resumes = true;  // TLS sessions
    std::size_t max_message_bytes = std::size_t{320} * 1024;
    Duration handshake_timeout = std::chrono::seconds(15);  // TCP, TLS and upgrade together
    Duration close_timeout = std::chrono::seconds(3);
  };
  struct Target {
    std::string url;  // wss://HOST:PORT or ws://HOST:PORT; the host is looked up once
    std::string path;
    std::string subprotocol;
    std::uint32_t source_ipv4 = 0;  // host order; 0: the system's choice
    bool without_upgrade = false;   // the link speaks by SendRaw() alone
  };
  static Result<std::unique_ptr<Links>> Create(Options options);
  virtual ~Links() = default;

  virtual Result<Link*> Dial(const Target& target, LinkDelegate& delegate) = 0;
  // Runs the loop once: waits for the network, a watched descriptor, or until `timeout`.
  virtual void Service(Duration timeout) = 0;
  // Service() returns at once while this descriptor is readable or its other end is gone. One at most.
  virtual Status WatchReadable(int fd) = 0;
  virtual std::size_t size() const = 0;  // links that stand or are being dialled
};

}  // namespace holdfast::fleet
