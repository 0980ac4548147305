#include "backend/core/control_api_session.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "backend/core/control_convert.h"
#include "common/sign/envelope.h"
#include "common/sign/strict.h"

namespace holdfast::backend {

namespace api = ::holdfast::api::v1;

namespace {
constexpr std::uint32_t kProtocolVersion = 1;
constexpr std::string_view kActClass = "act";  // as `holdfast init` names it
// command.proto: the verbs for which Command.blobs is there.
constexpr std::string_view kVerbsWithContent[] = {"put", "run", "scan", "update"};

bool TakesContent(const ::holdfast::command::v1::VerbClass& verb_class) {
  return std::any_of(verb_class.verbs().begin(), verb_class.verbs().end(), [](const auto& verb) {
    return std::find(std::begin(kVerbsWithContent), std::end(kVerbsWithContent), verb) !=
           std::end(kVerbsWithContent);
  });
}
}  // namespace

ApiSession::ApiSession(Options options, ApiPorts ports, std::uint64_t connection, std::string peer,
                       Moment now)
    : options_(options),
      ports_(ports),
      connection_(connection),
      peer_(std::move(peer)),
      opened_at_(now.at),
      challenge_(ports.crypto.RandomBytes<Nonce32>()) {
  api::ServerMessage message;
  auto& hello = *message.mutable_hello();
  hello.set_protocol_version(kProtocolVersion);
  hello.set_challenge(challenge_.str());
  hello.set_server_name(ports_.settings.server_name);
  hello.set_version(ports_.settings.version);
  hello.set_server_time_ms(now.wall_ms());
  ready_.push_back(message.SerializeAsString());
}

// --- coming in ------------------------------------------------------------------------------------

void ApiSession::OnMessage(std::string_view bytes, Moment now) {
  if (closing_) return;
  api::ClientMessage message;
  if (bytes.size() > max_message_bytes() ||
      !message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || message.id() == 0) {
    return Close("not a message of this protocol");
  }
  const std::size_t open = held_.size() + ready_.size() + later_;
  if (open >= 2 * options_.open_requests) return Close("too many requests without reading answers");
  const bool is_answered = !message.has_flow() && !message.has_pty_input();
  if (open >= options_.open_requests && is_answered) {
    return Fail(message.id(), api::API_CODE_TOO_LARGE, "64 requests are open; wait for answers");
  }
  if (!operator_id_.empty() && now.wall_ms() > cert_not_after_ms_) {
    Fail(message.id(), api::API_CODE_DENIED, "the operator's certificate has expired");
    return Close("certificate expired");
  }
  Handle(message, now);
}

void ApiSession::Handle(const api::ClientMessage& message, Moment now) {
  const std::uint64_t id = message.id();
  if (message.has_login()) return Login(id, message.login(), now);
  if (operator_id_.empty()) return Fail(id, api::API_CODE_DENIED, "log in first");
  switch (message.body_case()) {
    case api::ClientMessage::kListAgents: return ListAgents(id, message.list_agents(), now);
    case api::ClientMessage::kSubmit: return Submit(id, message.submit(), now);
    case api::ClientMessage::kListCommands: return ListCommands(id, message.list_commands());
    case api::ClientMessage::kGetCommand: return GetCommand(id, message.get_command());
    case api::ClientMessage::kWatch: return StartWatch(id, message.watch());
    case api::ClientMessage::kUnwatch: return Unwatch(id, message.unwatch());
    case api::ClientMessage::kCreateToken: return CreateToken(id, message.create_token(), now);
    case api::ClientMessage::kListAudit: return ListAudit(id, message.list_audit());
    case api::ClientMessage::kBlobBegin: return BeginBlob(id, message.blob_begin());
    case api::ClientMessage::kBlobPart: return PartOfBlob(id, message.blob_part());
    case api::ClientMessage::kRemoveAgent: return RemoveAgent(id, message.remove_agent(), now);
    case api::ClientMessage::kFlow: return Flow(message.flow());
    case api::ClientMessage::kPtyInput: return Typed(message.pty_input());
    case api::ClientMessage::kLogin:
    case api::ClientMessage::BODY_NOT_SET: break;
  }
  Fail(id, api::API_CODE_INVALID, "this server does not know the request; is the tool newer?");
}

void ApiSession::OnTick(Moment now) {
  if (operator_id_.empty() && now.at - opened_at_ >= options_.login_timeout) {
    Close("no login in time");
  } else if (!operator_id_.empty() && now.wall_ms() > cert_not_after_ms_) {
    Close("certificate expired");
  }
}

void ApiSession::Login(std::uint64_t id, const api::LoginRequest& request, Moment now) {
  if (!operator_id_.empty()) return Fail(id, api::API_CODE_INVALID, "already logged in");
  const Status status = CheckLogin(request, now);
  if (!status.ok()) {
    Fail(id, api::API_CODE_DENIED, status.error().message);
    if (++failed_logins_ >= options_.failed_logins) Close("too many failed logins");
    return;
  }
  ports_.audit.Append({operator_id_, "operator.login", {}, {}, "from " + peer_}, now);
  api::ServerMessage message;
  message.mutable_login_ok()->set_operator_id(operator_id_);
  message.mutable_login_ok()->set_cert_not_after_ms(cert_not_after_ms_);
  Send(id, std::move(message));
}

Status ApiSession::CheckLogin(const api::LoginRequest& request, Moment now) {
  HF_ASSIGN_OR_RETURN(const auto cert, sign::VerifyCert(ports_.crypto, ports_.trust,
                                                        request.cert_envelope(), now.wall));
  HF_ASSIGN_OR_RETURN(const sign::Envelope envelope,
                      sign::ParseEnvelope(request.envelope(), sign::kLoginType));
  const auto key = PublicKey::From(cert.pubkey());
  if (!key) return Error{Code::kInvalid, "the certificate has no key"};
  HF_TRY(sign::VerifySignedBy(ports_.crypto, envelope, *key));
  HF_ASSIGN_OR_RETURN(const auto login, sign::ParseLogin(envelope.payload()));
  if (login.fleet_id() != ports_.trust.fleet_id.view()) {
    return Error{Code::kDenied, "the login is for another fleet"};
  }
  if (login.challenge() != challenge_.view()) {
    return Error{Code::kDenied, "the login answers another challenge"};
  }
  if (login.server_name() != ports_.settings.server_name) {
    return Error{Code::kDenied, "the login is for the server \"" +
                                    login.server_name().substr(0, 64) + "\", this is \"" +
                                    ports_.settings.server_name + "\""};
  }
  if (login.operator_serial() != cert.serial()) {
    return Error{Code::kDenied, "the login names another certificate"};
  }
  operator_id_ = cert.operator_id();
  cert_not_after_ms_ = cert.not_after_ms();
  const auto& classes = cert.classes();
  const auto holds = [&classes](std::string_view class_id) {
    return std::find(classes.begin(), classes.end(), class_id) != classes.end();
  };
  may_act_ = holds(kActClass);
  const auto& known = ports_.trust.policy.classes();
  may_upload_ = std::any_of(known.begin(), known.end(), [&](const auto& verb_class) {
    return holds(verb_class.class_id()) && TakesContent(verb_class);
  });
  cert_envelope_ = request.cert_envelope();
  cert_ = cert;
  login_in_turn_ = true;
  return Ok();
}

bool ApiSession::MayAct(std::uint64_t id) {
  if (may_act_) return true;
  Fail(id, api::API_CODE_DENIED, "this needs an operator's certificate with the class \"act\"");
  return false;
}

bool ApiSession::MayUpload(std::uint64_t id) {
  if (may_upload_) return true;
  Fail(id, api::API_CODE_DENIED,
       "this needs an operator's certificate with a class that may \"put\" or \"run\"");
  return false;
}

// --- going out ------------------------------------------------------------------------------------

void ApiSession::Send(std::uint64_t id, api::ServerMessage message) {
  message.set_id(id);
  held_.push_back({id, message.SerializeAsString()});
}

void ApiSession::Fail(std::uint64_t id, const Error& error) {
  api::ServerMessage message;
  *message.mutable_error() = ToApiError(error);
  Send(id, std::move(message));
}

void ApiSession::Fail(std::uint64_t id, api::ApiCode code, std::string text) {
  api::ServerMessage message;
  message.mutable_error()->set_code(code);
  message.mutable_error()->set_message(std::move(text));
  Send(id, std::move(message));
}

void ApiSession::Answer(std::uint64_t id, const Result<Blobs::Progress>& progress) {
  if (later_ > 0) --later_;
  if (!progress.ok()) return Fail(id, progress.error());
  api::ServerMessage message;
  message.mutable_blob_state()->set_have_bytes(progress.value().have_bytes);
  message.mutable_blob_state()->set_complete(progress.value().complete);
  Send(id, std::move(message));
}

void ApiSession::Keep() {
  for (Held& held : std::exchange(held_, {})) ready_.push_back(std::move(held.bytes));
  for (auto& [id, open] : watches_) open.fresh = false;
  login_in_turn_ = false;
}

void ApiSession::Undo() {
  for (const Held& held : std::exchange(held_, {})) {
    api::ServerMessage message;
    message.set_id(held.id);
    message.mutable_error()->set_code(api::API_CODE_UNAVAILABLE);
    message.mutable_error()->set_message(
        "the server cannot write to its store now; nothing was changed; retry later");
    ready_.push_back(message.SerializeAsString());
  }
  if (login_in_turn_) operator_id_.clear();
  login_in_turn_ = false;
  for (auto& [id, open] : watches_) open.fresh = false;
}

bool ApiSession::wants_write() const {
  if (!ready_.empty()) return true;
  return std::any_of(watches_.begin(), watches_.end(),
                     [](const auto& entry) { return entry.second.ready && !entry.second.fresh; });
}

std::optional<std::string> ApiSession::NextMessage() {
  if (ready_.empty() && !NextWatchMessage()) return std::nullopt;
  std::string bytes = std::move(ready_.front());
  ready_.pop_front();
  return bytes;
}

// Puts one event of one watch into ready_; the watches take turns.
bool ApiSession::NextWatchMessage() {
  for (std::size_t tries = watches_.size(); tries > 0; --tries) {
    auto at = watches_.upper_bound(next_watch_);
    if (at == watches_.end()) at = watches_.begin();
    next_watch_ = at->first;
    OpenWatch& open = at->second;
    if (open.fresh || !open.ready) continue;
    Result<std::optional<api::WatchEvent>> event = open.watch.Next();
    api::ServerMessage message;
    message.set_id(at->first);
    if (!event.ok()) {
      *message.mutable_error() = ToApiError(event.error());
    } else if (event.value()) {
      *message.mutable_watch_event() = *std::move(event).value();
    } else {
      open.ready = false;
      continue;
    }
    ready_.push_back(message.SerializeAsString());
    if (message.has_error() || open.watch.finished()) watches_.erase(at);
    return true;
  }
  return false;
}

void ApiSession::OnChanged(const DeliveryKey& key) {
  for (auto& [id, open] : watches_) {
    if (open.watch.digest() != key.digest) continue;
    open.watch.OnChanged(key.agent);
    open.ready = true;
  }
}

}  // namespace holdfast::backend
