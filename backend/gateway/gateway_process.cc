#include "backend/gateway/gateway_process.h"

#include <charconv>
#include <utility>

#include <ev.h>

#include "backend/adapters/linux/clocks.h"
#include "backend/adapters/linux/files.h"
#include "backend/core/live_settings.h"
#include "backend/gateway/fleet_identity.h"
#include "common/link/limits.h"

namespace holdfast::backend {
namespace {

namespace pb = ::holdfast::link::v1;

// A drain is over when all links are closed, or this long after all were told: those left do not read.
constexpr Duration kLastWords = std::chrono::seconds(3);
// Lines in the log about who was not let in: a scanner or a herd must not fill it.
constexpr int kRefusalsToldPerSecond = 10;

link::CloseReason ReasonFor(ServerClose why) {
  switch (why) {
    case ServerClose::kByPeer:
    case ServerClose::kByUs: return pb::CLOSE_REASON_PEER_GONE;
    case ServerClose::kHandshakeTimeout: return pb::CLOSE_REASON_HANDSHAKE_TIMEOUT;
    case ServerClose::kTlsFailed: return pb::CLOSE_REASON_CONNECT_FAILED;
    case ServerClose::kNotALink: return pb::CLOSE_REASON_NOT_A_LINK;
    case ServerClose::kTooLarge: return pb::CLOSE_REASON_FRAME_TOO_LARGE;
    case ServerClose::kProtocol: return pb::CLOSE_REASON_BAD_FRAME;
    case ServerClose::kStalled: return pb::CLOSE_REASON_SLOW_CONSUMER;
    case ServerClose::kRefused: return pb::CLOSE_REASON_TRY_LATER;
  }
  return pb::CLOSE_REASON_PEER_GONE;
}

GatewayLink& RouterLink(LwsLink& link) { return *static_cast<GatewayLink*>(link.user); }
LwsLink& Transport(void* transport) { return *static_cast<LwsLink*>(transport); }

}  // namespace

GatewayProcess::GatewayProcess(struct ev_loop* loop, const Config& config,
                               const WorkerIdentity& identity, const sign::Crypto& crypto)
    : loop_(loop),
      config_(config),
      identity_(identity),
      crypto_(crypto),
      log_(identity.slot, config.log_level) {}

Status GatewayProcess::Start() {
  Relatives relatives;
  relatives.adoption_socket = config_.adoption_socket();
  relatives.introduction = {.slot = identity_.slot, .instance = identity_.instance, .program = {}};
  HF_ASSIGN_OR_RETURN(relatives.introduction.program, OwnProgram());
  relatives.config = config_.text;
  HF_ASSIGN_OR_RETURN(worker_, WorkerProcess::Start(loop_, *this, std::move(relatives)));
  GatewayRouter::Options options;
  options.instance = identity_.instance;
  HF_ASSIGN_OR_RETURN(options.fleet_id, ReadFleetId(crypto_, config_.policy_file));
  options.server_names = config_.server_names();
  LinkPort& links = *this;
  router_.emplace(std::move(options), GatewayRouter::Ports{crypto_, links, worker_->counters()});
  router_->OnTime(MonotonicNow(), WallNow());

  StreamTransportDelegate& entries = *this;
  streams_.emplace(loop_,
                   RedisStreams::Options{config_.redis_address(), GatewayStream(identity_.instance),
                                         &worker_->counters(), identity_.redis},
                   entries);
  router_->SetStreams(*streams_);

  LwsServer::Options server;
  server.path = link::kPath;
  server.subprotocol = link::kSubprotocol;
  if (!config_.tls_plain) {
    server.cert_file = config_.tls_cert_file;
    server.key_file = config_.tls_key_file;
  }
  server.max_message_bytes = link::kMaxMessageBytes;
  server.rx_buffer_bytes = config_.gateway_rx_buffer_bytes;
  HF_ASSIGN_OR_RETURN(server_, LwsServer::Create(loop_, std::move(server), *this));
  worker_->SendReady();
  log_.Write(LogLine(LogLevel::kInfo, "gateway_started").Id("instance", identity_.instance));
  return Ok();
}

void GatewayProcess::OnWorkerMessage(WorkerMessageType type, std::string_view payload,
                                     UniqueFd fd) {
  switch (type) {
    case WorkerMessageType::kAgentSocket: return OnAgentSocket(payload, std::move(fd));
    case WorkerMessageType::kControl: return router_->OnControl(payload);
    case WorkerMessageType::kDrain: return OnDrain(payload);
    case WorkerMessageType::kShed: return OnShed(payload);
    case WorkerMessageType::kReload: return OnReload(payload);
    case WorkerMessageType::kTicketKeys: return OnTicketKeys(payload);
    case WorkerMessageType::kRedisLogin: return streams_->SetLogin(DecodeRedisLogin(payload));
    default: return;  // not for a gateway
  }
}

void GatewayProcess::OnDrain(std::string_view payload) {
  std::uint32_t window_s = 0;  // also for what is no number: at once
  std::from_chars(payload.data(), payload.data() + payload.size(), window_s);
  log_.Write(LogLine(LogLevel::kInfo, "gateway_drains")
                 .Num("links", static_cast<std::int64_t>(router_->links()))
                 .Num("window_s", window_s));
  router_->OnDrain(std::chrono::seconds(window_s));
  if (router_->empty()) ev_break(loop_, EVBREAK_ALL);
}

void GatewayProcess::OnShed(std::string_view payload) {
  std::uint32_t links = 0;
  std::uint32_t window_s = 0;
  const char* const end = payload.data() + payload.size();
  const auto first = std::from_chars(payload.data(), end, links);
  if (first.ec != std::errc() || first.ptr == end) return;  // of another version
  std::from_chars(first.ptr + 1, end, window_s);
  router_->OnShed(links, std::chrono::seconds(window_s));
}

void GatewayProcess::OnReload(std::string_view payload) {
  const auto settings = DecodeLiveSettings(payload);
  if (!settings) return;
  log_.SetLevel(settings->log_level);
  if (settings->cert_file.empty()) return;
  const Status taken = server_->SetCertificate(settings->cert_file, settings->key_file);
  if (!taken.ok()) {
    log_.Write(LogLine(LogLevel::kError, "certificate_refused").Err(taken.error()));
  }
}

void GatewayProcess::OnTicketKeys(std::string_view payload) {
  if (const auto keys = DecodeTicketKeys(payload)) server_->SetTicketKeys(*keys);
}

void GatewayProcess::OnTlsDone(bool resumed) {
  worker_->counters().Add(resumed ? Counter::kTlsResumed : Counter::kTlsFull);
}

void GatewayProcess::OnAgentSocket(std::string_view peer_address, UniqueFd fd) {
  router_->OnAccepted();
  // Without a descriptor left the kernel drops the one that travels, and with it the connection. The
  // supervisor has counted it as ours, so it must be counted as closed.
  if (!fd.valid()) {
    ++lost_sockets_;
    OnHandshakeDone(peer_address);
    return router_->OnSocketClosed(pb::CLOSE_REASON_TRY_LATER);
  }
  // A refusal has said OnClosed(nullptr) already, which counts it.
  static_cast<void>(server_->Adopt(fd.Release(), std::string(peer_address)));
}

void GatewayProcess::OnTurnStart() { router_->OnTime(MonotonicNow(), WallNow()); }

void GatewayProcess::OnTurnEnd() {
  router_->OnTurnEnd();
  ReportHandshakes();
}

void GatewayProcess::OnHandshakeDone(std::string_view peer_address) {
  done_.append(peer_address).append("\n");
}

void GatewayProcess::ReportHandshakes() {
  // As many whole lines as one message holds. One that the supervisor has no room for waits here: it
  // holds a place in admission for that address.
  while (!done_.empty()) {
    const std::size_t end = done_.rfind('\n', kMaxWorkerMessageBytes - 2) + 1;
    const std::string_view lines = std::string_view(done_).substr(0, end);
    if (!worker_->Send(WorkerMessageType::kHandshakesDone, lines).ok()) return;
    done_.erase(0, end);
  }
}

void GatewayProcess::OnSecond() {
  router_->OnSecond();
  told_refusals_ = 0;
  if (untold_refusals_ > 0) {
    log_.Write(
        LogLine(LogLevel::kInfo, "links_refused").Num("more", std::exchange(untold_refusals_, 0)));
  }
  if (lost_sockets_ > 0) {
    log_.Write(LogLine(LogLevel::kWarn, "sockets_lost")
                   .Num("count", std::exchange(lost_sockets_, 0))
                   .Text("why", "this process has no descriptor left"));
  }
  if (!router_->draining()) return;
  if (router_->empty() || router_->closed_all_for() > kLastWords) ev_break(loop_, EVBREAK_ALL);
}

WithoutSupervisor GatewayProcess::OnSupervisorGone() {
  done_.clear();  // another one has not counted them
  log_.Write(LogLine(LogLevel::kWarn, "supervisor_gone")
                 .Num("links", static_cast<std::int64_t>(router_->links())));
  return router_->draining() ? WithoutSupervisor::kFinishes : WithoutSupervisor::kSeeks;
}

std::optional<std::uint32_t> GatewayProcess::RefuseUpgrade() { return router_->RefuseUpgrade(); }

void GatewayProcess::OnOpened(LwsLink& link) {
  link.user = &router_->OnOpened(&link, std::string(link.peer_address()), link.host());
}

void GatewayProcess::OnMessage(LwsLink& link, std::string_view message) {
  router_->OnMessage(RouterLink(link), message);
}

void GatewayProcess::OnPong(LwsLink& link) { router_->OnPong(RouterLink(link)); }

void GatewayProcess::OnClosed(LwsLink* link, ServerClose why) {
  if (link == nullptr) {
    TellOfRefusal(not_opened_, ReasonFor(why));
    return router_->OnSocketClosed(ReasonFor(why));
  }
  GatewayLink& gone = RouterLink(*link);
  if (gone.greeting != nullptr && !gone.welcomed) {
    const bool is_ours = gone.reason != pb::CLOSE_REASON_UNSPECIFIED;
    TellOfRefusal(gone.greeting->peer_address, is_ours ? gone.reason : ReasonFor(why));
  }
  if (log_.wants(LogLevel::kDebug) && gone.welcomed) {
    log_.Write(LogLine(LogLevel::kDebug, "link_closed")
                   .Id("agent", gone.agent_id.hex())
                   .Num("epoch", static_cast<std::int64_t>(gone.epoch))
                   .Id("transport", link::ToString(ReasonFor(why)))
                   .Id("reason", link::ToString(gone.reason)));
  }
  router_->OnClosed(gone, ReasonFor(why));
}

void GatewayProcess::OnNotOpened(std::string_view peer_address) {
  not_opened_ = peer_address;
  OnHandshakeDone(peer_address);
}

// Who came and was not let in: a port scanner, a proxy in between, an agent with a used token.
void GatewayProcess::TellOfRefusal(std::string_view peer_address, link::CloseReason reason) {
  if (told_refusals_ >= kRefusalsToldPerSecond) {
    ++untold_refusals_;
    return;
  }
  ++told_refusals_;
  log_.Write(LogLine(LogLevel::kInfo, "link_refused")
                 .Text("peer", std::string(peer_address))
                 .Id("reason", link::ToString(reason)));
}

std::optional<std::string> GatewayProcess::NextMessage(LwsLink& link) {
  // libwebsockets may ask while OnOpened() is still at work.
  if (link.user == nullptr) return std::nullopt;
  return router_->NextMessage(RouterLink(link));
}

void GatewayProcess::WantWrite(void* transport) { Transport(transport).WantWrite(); }

void GatewayProcess::Ping(void* transport) { Transport(transport).Ping(); }

void GatewayProcess::Close(void* transport, std::uint16_t code, std::string_view text) {
  Transport(transport).Close(code, text);
}

void GatewayProcess::SetMaxMessageBytes(void* transport, std::size_t bytes) {
  Transport(transport).SetMaxMessageBytes(bytes);
}

void GatewayProcess::OnEntry(std::string_view id, std::string_view message) {
  router_->OnEntry(id, message);
}

void GatewayProcess::OnBatchEnd() { router_->OnBatchEnd(); }

void GatewayProcess::OnLost(const Error& why) {
  log_.Write(LogLine(LogLevel::kWarn, "redis_lost").Err(why));
  router_->OnLost(why);
}

void GatewayProcess::OnDenied(const Error& why) {
  if (worker_->is_orphan())
    return;  // the next supervisor's Redis has other passwords, which it will tell
  log_.Write(LogLine(LogLevel::kError, "redis_denied").Err(why));
}

void GatewayProcess::OnRestored() {
  log_.Write(LogLine(LogLevel::kInfo, "redis_restored"));
  router_->OnRestored();
}

}  // namespace holdfast::backend
