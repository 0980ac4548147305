#include "backend/sdk/api_session.h"

#include <algorithm>
#include <utility>

#include "common/base/untrusted.h"
#include "common/sign/envelope.h"

namespace holdfast::sdk {
namespace {

constexpr std::uint32_t kProtocolVersion = 1;
constexpr std::size_t kMaxServerNameBytes = 256;  // of what a server says, in a message of ours

Error Breach(const std::string& what) {
  return {Code::kCorrupt, "the server breaks the protocol: " + what};
}

}  // namespace

ApiSession::ApiSession(const sign::Crypto& crypto, const Operator& who, Options options)
    : crypto_(crypto), who_(who), options_(std::move(options)) {}

Status ApiSession::OnMessage(std::string_view bytes, WallTime now) {
  if (bytes.size() > kMaxApiMessageBytes) return Breach("a message above 512 KiB");
  api::ServerMessage message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Breach("bytes that are no message");
  }
  if (message.has_hello()) {
    if (state_ != State::kGreeting) return Breach("a second greeting");
    return OnHello(message.hello(), now);
  }
  switch (state_) {
    case State::kGreeting: return Breach("no greeting");
    case State::kLogin: return OnLoginReply(message);
    case State::kOpen: return OnReply(std::move(message));
    case State::kRefused: return Ok();  // whatever follows a refusal is of no interest
  }
  HF_UNREACHABLE("a state outside its enum");
}

Status ApiSession::OnHello(const api::ServerHello& hello, WallTime now) {
  if (hello.protocol_version() != kProtocolVersion) {
    return Error{Code::kUnsupported, "the server speaks protocol version " +
                                         std::to_string(hello.protocol_version()) +
                                         ", this tool speaks 1; use tools of the server's version"};
  }
  if (!Nonce32::From(hello.challenge())) return Breach("a challenge that is not 32 bytes");
  const auto& names = options_.server_names;
  if (std::find(names.begin(), names.end(), hello.server_name()) == names.end()) {
    return Error{Code::kDenied,
                 "the server calls itself '" +
                     ForTerminal(Untrusted(hello.server_name()), kMaxServerNameBytes) +
                     "', which fleet.toml does not name (api, servers)"};
  }
  server_version_ = hello.version();
  ::holdfast::command::v1::Login login;
  login.set_fleet_id(options_.fleet_id.str());
  login.set_server_name(hello.server_name());
  login.set_challenge(hello.challenge());
  login.set_operator_serial(who_.cert.serial());
  login.set_at_ms(now.get());
  HF_ASSIGN_OR_RETURN(
      const std::string envelope,
      sign::SignEnvelope(crypto_, *who_.key, sign::kLoginType, login.SerializeAsString()));
  api::ClientMessage message;
  login_id_ = next_id_++;
  message.set_id(login_id_);
  message.mutable_login()->set_envelope(envelope);
  message.mutable_login()->set_cert_envelope(who_.cert_envelope);
  login_ = message.SerializeAsString();
  state_ = State::kLogin;
  return Ok();
}

Status ApiSession::OnLoginReply(const api::ServerMessage& message) {
  if (message.id() != login_id_) return Breach("an answer before the login's");
  if (message.has_error()) {
    login_refusal_ = message.error();
    state_ = State::kRefused;
    return Ok();
  }
  if (!message.has_login_ok()) return Breach("a login answered with something else");
  state_ = State::kOpen;
  return Ok();
}

bool ApiSession::EndsRequest(const api::ServerMessage& message) const {
  const bool is_event = message.has_watch_event() && !message.watch_event().has_finished();
  return !is_event || !watches_.contains(message.id());
}

Status ApiSession::OnReply(api::ServerMessage message) {
  if (message.body_case() == api::ServerMessage::BODY_NOT_SET) {
    return Error{Code::kUnsupported, "the server answers with something newer than this tool"};
  }
  if (!open_requests_.contains(message.id())) return Breach("an answer to no open request");
  if (message.has_watch_event() && !watches_.contains(message.id())) {
    return Breach("a watch event that nobody asked for");
  }
  if (EndsRequest(message)) {
    open_requests_.erase(message.id());
    watches_.erase(message.id());
  }
  replies_.push_back(std::move(message));
  return Ok();
}

Result<std::uint64_t> ApiSession::Send(api::ClientMessage request) {
  const std::uint64_t id = next_id_++;
  request.set_id(id);
  if (!request.has_flow() && !request.has_pty_input()) {  // which are never answered
    if (open_requests_.size() >= options_.max_open_requests) {
      return Error{Code::kExhausted, "too many requests are open on one connection"};
    }
    open_requests_.insert(id);
    if (request.has_watch()) watches_.insert(id);
  }
  std::string bytes = request.SerializeAsString();
  if (bytes.size() > kMaxApiMessageBytes) {
    open_requests_.erase(id);
    watches_.erase(id);
    return Error{Code::kInvalid, "the request is larger than 512 KiB"};
  }
  outgoing_.push_back(std::move(bytes));
  return id;
}

std::optional<std::string> ApiSession::NextMessage() {
  if (login_) return std::exchange(login_, std::nullopt);
  if (state_ != State::kOpen || outgoing_.empty()) return std::nullopt;
  std::string message = std::move(outgoing_.front());
  outgoing_.pop_front();
  return message;
}

std::optional<api::ServerMessage> ApiSession::NextReply() {
  if (replies_.empty()) return std::nullopt;
  api::ServerMessage reply = std::move(replies_.front());
  replies_.pop_front();
  return reply;
}

}  // namespace holdfast::sdk
