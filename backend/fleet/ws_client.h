// WsClient: the client's half of one WebSocket (RFC 6455), as bytes in and events out.
//
// Small on purpose: a process of the simulator holds 18,000 of them, and an idle one keeps no buffer.
// Unlike a library's client it also lets its owner say what no correct client would (AppendFrame without a
// mask, or no frame at all): a hostile agent is simulated with it.
//
//   OnBytes --> [WsClient] --> Next(): kOpened kMessage kPing kOver
//
// Ordering:  events come in the order of the bytes; kOver is the last.
// Limits:    kMaxAnswerBytes of HTTP answer; Options' max_message_bytes of message, fragments together:
//            above it kOver before the excess is kept. A partial frame is the only thing that is kept.
// Ownership: the bytes given to OnBytes(), and what an event points to, are the caller's and valid until the
//            next call.
// Threading: thread-compatible; loop thread only.
// Errors:    what the peer does wrong is kOver with a ClientEnd.
// Design:    docs/decisions/0074-the-simulators-own-websocket.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/adapters/lws/lws_client.h"

namespace holdfast::fleet {

enum class WsOpcode : std::uint8_t {
  kContinuation = 0,
  kText = 1,
  kBinary = 2,
  kClose = 8,
  kPing = 9,
  kPong = 10,
};

// One final frame, masked as a client's must be. `mask` should not repeat from frame to frame.
void AppendFrame(std::string& out, WsOpcode opcode, std::string_view payload, std::uint32_t mask);
std::string CloseFrame(std::uint16_t code, std::uint32_t mask);

struct WsUpgrade {
  std::string host;         // HOST:PORT
  std::string path;         // "/agent/v1"
  std::string subprotocol;  // "holdfast.link.v1"
  std::string key;          // base64 of 16 random bytes
};
std::string UpgradeRequest(const WsUpgrade& upgrade);

struct WsEvent {
  enum class Kind : std::uint8_t { kOpened, kMessage, kPing, kOver };
  Kind kind = Kind::kOver;
  std::string_view bytes;  // kMessage, kPing
  ClientEnd end;           // kOver
};

class WsClient {
 public:
  static constexpr std::size_t kMaxAnswerBytes = std::size_t{8} * 1024;

  // `accept`: what Sec-WebSocket-Accept must say (RFC 6455, 4.2.2), `subprotocol` what was asked for.
  WsClient(std::string accept, std::string subprotocol, std::size_t max_message_bytes);

  void OnBytes(std::string_view bytes);
  std::optional<WsEvent> Next();

  bool is_open() const { return handshake_ == nullptr; }

 private:
  struct Handshake {
    std::string accept;
    std::string subprotocol;
  };
  struct Header {
    bool final = false;
    WsOpcode opcode = WsOpcode::kContinuation;
    std::size_t header_bytes = 0;
    std::uint64_t payload_bytes = 0;
  };

  std::optional<WsEvent> NextOfAnswer();
  std::optional<WsEvent> OnAnswer(std::string_view answer);
  std::optional<WsEvent> NextOfFrames();
  // nullopt: not all of it is here. A header that breaks the protocol has opcode 15.
  std::optional<Header> ReadHeader() const;
  std::optional<WsEvent> OnFrame(const Header& header, std::string_view payload);
  std::optional<WsEvent> OnData(const Header& header, std::string_view payload);
  WsEvent Over(ClientClose why, std::string detail);
  void KeepRest();

  std::unique_ptr<Handshake> handshake_;   // until it is open
  std::unique_ptr<std::string> partial_;   // a frame, or the answer, that is not all here
  std::unique_ptr<std::string> message_;   // fragments of a message so far
  std::unique_ptr<std::string> complete_;  // the last event's message, if it came in fragments
  std::string_view input_;                 // what Next() has not read yet
  std::uint32_t max_message_bytes_;
  bool over_ = false;
};

}  // namespace holdfast::fleet
