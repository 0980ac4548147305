// ApiSession: one connection to the API as a state machine: greeting, login, requests, replies.
//
// Knows the protocol of api.proto and nothing of sockets: bytes go in, bytes come out. What a reply
// means is its reader's business; that it answers an open request is checked here.
//
//   OnMessage(bytes)  Send(request) --> [ApiSession] --> NextMessage()  NextReply()
//   waiting for ServerHello -> login sent -> open;   an ApiError to the login -> refused
//
// Ordering:  requests leave in the order of Send(), replies come out in the order of arrival;
// requests
//            made before the login is accepted wait for it.
// Limits:    Options::max_open_requests; above it Send() is kExhausted. Messages above 512 KiB are
// a
//            breach. NextReply() holds what one turn of the loop brought; its reader drains it.
// Ownership: borrows the crypto and the operator for its life.
// Threading: thread-compatible.
// Errors:    OnMessage(): kCorrupt for a breach of the protocol, kDenied for a server that is not
// of
//            this fleet; close the connection then. login_refusal() says why a login failed.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "backend/sdk/operator_cert.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/sign/crypto.h"
#include "holdfast/api/v1/api.pb.h"

namespace holdfast::sdk {

namespace api = ::holdfast::api::v1;

inline constexpr char kApiPath[] = "/api/v1";
inline constexpr char kApiSubprotocol[] = "holdfast.api.v1";
inline constexpr std::size_t kMaxApiMessageBytes = std::size_t{512} * 1024;  // api.proto

class ApiSession {
 public:
  struct Options {
    FleetId fleet_id;
    // Names that the server may call itself: the host dialled and those that agents dial.
    std::vector<std::string> server_names;
    // A tool has a handful open, an upload up to 16; more is a leak of ours.
    std::size_t max_open_requests = 64;
  };
  ApiSession(const sign::Crypto& crypto, const Operator& who, Options options);

  Status OnMessage(std::string_view bytes, WallTime now);
  // Sets the request's id and queues it; returns the id.
  Result<std::uint64_t> Send(api::ClientMessage request);

  // The next message to write; nullopt when there is none, or none that may leave yet.
  std::optional<std::string> NextMessage();
  // The next reply to a request. A watch has many, any other request exactly one.
  std::optional<api::ServerMessage> NextReply();

  bool open() const { return state_ == State::kOpen; }
  const std::optional<api::ApiError>& login_refusal() const { return login_refusal_; }
  const std::string& server_version() const { return server_version_; }

 private:
  enum class State : std::uint8_t { kGreeting, kLogin, kOpen, kRefused };

  Status OnHello(const api::ServerHello& hello, WallTime now);
  Status OnLoginReply(const api::ServerMessage& message);
  Status OnReply(api::ServerMessage message);
  bool EndsRequest(const api::ServerMessage& message) const;

  const sign::Crypto& crypto_;
  const Operator& who_;
  const Options options_;
  State state_ = State::kGreeting;
  std::uint64_t next_id_ = 1;
  std::uint64_t login_id_ = 0;
  std::optional<std::string> login_;  // to be sent first
  std::deque<std::string> outgoing_;
  std::deque<api::ServerMessage> replies_;
  std::set<std::uint64_t> open_requests_;
  std::set<std::uint64_t> watches_;  // those of open_requests_ that have many replies
  std::optional<api::ApiError> login_refusal_;
  std::string server_version_;
};

}  // namespace holdfast::sdk
