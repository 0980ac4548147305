#include "backend/sdk/api_connection.h"

#include <algorithm>
#include <utility>

#include "backend/sdk/clock.h"
#include "common/base/untrusted.h"

namespace holdfast::sdk {
namespace {

constexpr std::uint16_t kProtocolError = 1002;  // RFC 6455 section 7.4.1
constexpr std::size_t kMaxShownBytes = 1024;    // api.proto, ApiError.message
// Chunks of a file come in messages of 256 KiB: fewer turns of the loop for each.
constexpr std::size_t kRxBufferBytes = std::size_t{128} * 1024;

std::string Shown(const std::string& theirs) {
  return ForTerminal(Untrusted(theirs), kMaxShownBytes);
}

Code CodeFor(api::ApiCode code) {
  switch (code) {
    case api::API_CODE_INVALID:
    case api::API_CODE_TOO_LARGE: return Code::kInvalid;
    case api::API_CODE_DENIED: return Code::kDenied;
    case api::API_CODE_NOT_FOUND: return Code::kNotFound;
    case api::API_CODE_CONFLICT: return Code::kExists;
    case api::API_CODE_QUEUE_FULL: return Code::kExhausted;
    case api::API_CODE_UNAVAILABLE: return Code::kUnavailable;
    case api::API_CODE_EXPIRED: return Code::kExpired;
    default: return Code::kInternal;
  }
}

std::string NameOf(api::ApiCode code) {
  const std::string name = api::ApiCode_Name(code);
  constexpr std::string_view kPrefix = "API_CODE_";
  return name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : "code " + std::to_string(code);
}

constexpr Duration kLongestTurn = std::chrono::minutes(1);

}  // namespace

Error FromApi(const api::ApiError& error) {
  return {CodeFor(error.code()), NameOf(error.code()) + ": " + Shown(error.message())};
}

ApiConnection::ApiConnection(const sign::Crypto& crypto, const Operator& who, Options options)
    : crypto_(crypto), who_(who), options_(std::move(options)) {}

ApiConnection::~ApiConnection() = default;

Result<std::unique_ptr<ApiConnection>> ApiConnection::Create(const sign::Crypto& crypto,
                                                             const Operator& who, Options options) {
  LwsClient::Options lws;
  lws.ca_pem = options.ca_pem;
  lws.max_message_bytes = kMaxApiMessageBytes;
  lws.rx_buffer_bytes = kRxBufferBytes;
  std::unique_ptr<ApiConnection> made(new ApiConnection(crypto, who, std::move(options)));
  HF_ASSIGN_OR_RETURN(made->client_, LwsClient::Create(std::move(lws)));
  HF_TRY(made->WatchCancel());
  return made;
}

Status ApiConnection::WatchCancel() {
  if (options_.cancel_fd < 0) return Ok();
  const auto on_cancel = [](void* self) { static_cast<ApiConnection*>(self)->cancelled_ = true; };
  return client_->WatchReadable(options_.cancel_fd, on_cancel, this);
}

Status ApiConnection::Watch(int fd, OnReadable on_readable, void* user) {
  auto watched = std::make_unique<Watched>(Watched{this, fd, on_readable, user});
  const auto call = [](void* raw) {
    const auto* one = static_cast<Watched*>(raw);
    one->self->woken_ = true;
    one->on_readable(one->user);
  };
  HF_TRY(client_->WatchReadable(fd, call, watched.get()));
  watched_.push_back(std::move(watched));
  return Ok();
}

void ApiConnection::Unwatch(int fd) {
  client_->UnwatchReadable(fd);
  std::erase_if(watched_, [fd](const auto& watched) { return watched->fd == fd; });
}

Status ApiConnection::Open(TimePoint deadline) {
  if (open()) return Ok();
  if (connection_ != nullptr) {  // half open, from a dial that ran out of time
    connection_->Close(kProtocolError);
    while (connection_ != nullptr) HF_TRY(Turn(deadline));
  }
  breach_.reset();
  end_.reset();
  session_.emplace(crypto_, who_, options_.session);
  auto dialled =
      client_->Connect({options_.url, kApiPath, kApiSubprotocol, /*source_address=*/""}, *this);
  if (!dialled.ok()) return std::move(dialled).error();
  connection_ = dialled.value();
  while (!session_->open()) {
    if (login_refused()) return LostError();
    if (MonotonicNow() >= deadline) {
      return Error{Code::kUnavailable, options_.url + " does not answer"};
    }
    HF_TRY(Turn(deadline));
  }
  server_version_ = session_->server_version();
  return Ok();
}

Result<std::uint64_t> ApiConnection::Send(api::ClientMessage request) {
  if (!open()) return LostError();
  auto id = session_->Send(std::move(request));
  if (id.ok()) connection_->WantWrite();
  return id;
}

Result<std::optional<api::ServerMessage>> ApiConnection::Receive(TimePoint deadline) {
  for (;;) {
    if (!session_) return LostError();
    if (auto reply = session_->NextReply()) return reply;
    if (std::exchange(woken_, false) || MonotonicNow() >= deadline) {
      return std::optional<api::ServerMessage>();
    }
    HF_TRY(Turn(deadline));
  }
}

Status ApiConnection::Pause(TimePoint until) {
  while (MonotonicNow() < until) {
    if (cancelled_) return Error{Code::kCancelled, "stopped"};
    client_->Service(until - MonotonicNow());
  }
  return Ok();
}

Status ApiConnection::Turn(TimePoint deadline) {
  if (cancelled_) return Error{Code::kCancelled, "stopped"};
  if (connection_ == nullptr) return LostError();
  // "Forever" is a number of milliseconds that poll() cannot take.
  client_->Service(std::clamp(deadline - MonotonicNow(), Duration(0), kLongestTurn));
  if (breach_) return *breach_;
  return Ok();
}

void ApiConnection::OnMessage(std::string_view message) {
  if (breach_) return;
  Status taken = session_->OnMessage(message, WallNow());
  if (!taken.ok()) {
    breach_ = std::move(taken).error();
    connection_->Close(kProtocolError);
    return;
  }
  connection_->WantWrite();  // the login, or requests that waited for it
}

void ApiConnection::OnClosed(const ClientEnd& end) {
  connection_ = nullptr;
  end_ = end;
}

std::optional<std::string> ApiConnection::NextMessage() {
  return session_ && !breach_ ? session_->NextMessage() : std::nullopt;
}

Error ApiConnection::LostError() const {
  if (breach_) return *breach_;
  if (login_refused()) {
    Error refusal = FromApi(*session_->login_refusal());
    // That it cannot serve now is not about the operator.
    if (refusal.code == Code::kUnavailable) return refusal;
    return std::move(refusal).In("the backend refuses this operator");
  }
  if (!end_) return {Code::kUnavailable, "not connected to " + options_.url};
  const std::string detail = end_->detail.empty() ? "" : ": " + Shown(end_->detail);
  switch (end_->why) {
    case ClientClose::kProxyRefused:
    case ClientClose::kConnectFailed:
      return {Code::kUnavailable,
              "cannot reach " + options_.url + detail + "; is holdfastd running there?"};
    case ClientClose::kUntrusted:
      return {Code::kDenied, options_.url +
                                 " does not prove to be this fleet's server (wrong certificate "
                                 "authority or name); nothing was sent" +
                                 detail};
    case ClientClose::kRefused:
      return {Code::kUnavailable, options_.url + " is no Holdfast API: it answers HTTP " +
                                      std::to_string(end_->http_status) +
                                      "; look at `api` in fleet.toml"};
    case ClientClose::kNotHttp:
      return {Code::kUnavailable, options_.url +
                                      " is no Holdfast API: it does not answer in HTTP; look at "
                                      "`api` in fleet.toml"};
    case ClientClose::kTooLarge:
    case ClientClose::kProtocol:
      return {Code::kCorrupt, options_.url + " breaks the protocol" + detail};
    case ClientClose::kByPeer:
    case ClientClose::kByUs: break;
  }
  return {Code::kUnavailable, "the connection to " + options_.url + " was lost" + detail};
}

}  // namespace holdfast::sdk
