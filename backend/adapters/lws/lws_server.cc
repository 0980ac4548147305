#include "backend/adapters/lws/lws_server.h"

#include <array>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include <ev.h>
#include <libwebsockets.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend/adapters/lws/lws_server_link.h"
#include "backend/adapters/lws/lws_server_tls.h"
#include "common/link/limits.h"

namespace holdfast::backend {
namespace {

// One read may bring eight whole TLS records; shared by all links of the process.
constexpr unsigned int kServiceBufferBytes = 128 * 1024;
// One write() may take this much; any message of ours.
constexpr std::size_t kTxPacketBytes = std::size_t{1024} * 1024;
// What a slow path keeps in the kernel beyond what is on its way: an acknowledgement that follows a blob
// must not wait behind megabytes (delivery.md section 7).
constexpr int kNotSentBytes = 128 * 1024;
// A request of ours has about 300 bytes of headers.
constexpr unsigned int kMaxHeaderBytes = 2048;
// Header tables exist only while a socket is in its handshake; admission bounds those.
constexpr unsigned int kMaxHeaderTables = 4096;

constexpr std::string_view kNotFound = "404 Not Found";
// Our own client asked, and something on the way took the upgrade off (RFC 9110, 15.5.22).
constexpr std::string_view kUpgradeRequired = "426 Upgrade Required\r\nUpgrade: websocket";
constexpr std::string_view kForbidden = "403 Forbidden";
constexpr std::string_view kUnavailable = "503 Service Unavailable";
constexpr char kServerName[] = "holdfast";

std::string g_last_error;  // what libwebsockets said while a server was made; then it is silent

void Remember(int /*level*/, const char* line) { g_last_error = line; }

class Server final : public LwsServer {
 public:
  Server(struct ev_loop* loop, const Options& options, LwsServerDelegate& delegate)
      : loop_(loop), core_(delegate, options) {}
  ~Server() override;
  Status Start();
  Status Adopt(int fd, std::string peer_address) override;
  Status SetCertificate(std::string cert_file, std::string key_file) override;
  void SetTicketKeys(const TicketKeyPair& keys) override { tickets_ = keys; }

 private:
  static int OnCallback(struct lws* wsi, enum lws_callback_reasons reason, void* user, void* in,
                        std::size_t bytes);
  int OnLinkCallback(ServerLink& link, struct lws* wsi, enum lws_callback_reasons reason,
                     std::string_view in);
  int ConfirmUpgrade(ServerLink& link, struct lws* wsi, std::string_view upgrade);
  int Refuse(struct lws* wsi, std::string_view status, std::string_view headers = {});
  int RefuseWithoutUpgrade(struct lws* wsi);
  void OnDestroyed(ServerLink* link);
  void OnSecond();
  void WatchTurns();
  Status StartContext();
  Status StartVhost(const std::string& cert_file, const std::string& key_file);
  bool tls() const { return !core_.options.cert_file.empty(); }
  unsigned int handshake_seconds() const {
    return static_cast<unsigned int>(
        std::chrono::ceil<std::chrono::seconds>(core_.options.handshake_timeout).count());
  }

  struct ev_loop* const loop_;
  ServerCore core_;
  std::array<struct lws_protocols, 3> protocols_{};
  lws_retry_bo_t validity_{};
  struct lws_context* context_ = nullptr;
  struct lws_vhost* vhost_ = nullptr;  // of new sockets; older ones live in context_
  ServerLink* adopting_ = nullptr;
  std::optional<TicketKeyPair> tickets_;  // its address is known to each SSL_CTX
  ev_timer second_{};
  ev_check turn_start_{};
  ev_prepare turn_end_{};
};

Server::~Server() {
  if (ev_is_active(&second_)) {
    ev_timer_stop(loop_, &second_);
    ev_check_stop(loop_, &turn_start_);
    ev_prepare_stop(loop_, &turn_end_);
  }
  if (context_ != nullptr) lws_context_destroy(context_);
}

Status Server::StartContext() {
  // Index 0 is where requests without a subprotocol end up; ConfirmUpgrade() refuses them if ours has one.
  protocols_[0].name = "http";
  protocols_[0].callback = &Server::OnCallback;
  protocols_[1].name = core_.options.subprotocol.c_str();
  protocols_[1].callback = &Server::OnCallback;
  struct lws_protocols& ours = protocols_[core_.options.subprotocol.empty() ? 0 : 1];
  ours.rx_buffer_size = core_.options.rx_buffer_bytes;
  // Left at 0 it would be rx_buffer_size: a write in pieces of that, each after a turn of the loop.
  ours.tx_packet_size = kTxPacketBytes;

  // No validity pings: they are timers, and timers on established links cost O(n) each.
  validity_.secs_since_valid_ping = 0;
  validity_.secs_since_valid_hangup = 0;

  std::array<void*, 1> loops{loop_};
  struct lws_context_creation_info info {};
  info.options = LWS_SERVER_OPTION_LIBEV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
  if (tls()) info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
  info.foreign_loops = loops.data();
  info.user = this;
  info.pt_serv_buf_size = kServiceBufferBytes;
  info.max_http_header_data2 = kMaxHeaderBytes;
  info.max_http_header_pool2 = kMaxHeaderTables;
  info.retry_and_idle_policy = &validity_;
  info.timeout_secs = handshake_seconds();
  info.server_string = kServerName;
  context_ = lws_create_context(&info);
  if (context_ == nullptr) return Error{Code::kInternal, "libwebsockets: " + g_last_error};
  return StartVhost(core_.options.cert_file, core_.options.key_file);
}

Status Server::StartVhost(const std::string& cert_file, const std::string& key_file) {
  struct lws_context_creation_info info {};
  info.options = LWS_SERVER_OPTION_LIBEV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
  if (tls()) info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
  info.retry_and_idle_policy = &validity_;
  info.timeout_secs = handshake_seconds();
  info.server_string = kServerName;
  info.user = this;
  info.port = CONTEXT_PORT_NO_LISTEN_SERVER;
  info.protocols = protocols_.data();
  info.extensions = nullptr;
  info.alpn = "http/1.1";
  info.keepalive_timeout = 1;
  info.vhost_name = kServerName;
  if (tls()) {
    info.ssl_cert_filepath = cert_file.c_str();
    info.ssl_private_key_filepath = key_file.c_str();
    info.ssl_cipher_list = kTls12Suites;
    info.ssl_options_set = ServerTlsOptions();
  }
  struct lws_vhost* const vhost = lws_create_vhost(context_, &info);
  if (vhost == nullptr) return Error{Code::kInternal, "libwebsockets: " + g_last_error};
  vhost_ = vhost;
  return Ok();
}

Status Server::SetCertificate(std::string cert_file, std::string key_file) {
  HF_TRY(CheckCertificate(cert_file, key_file));
  lws_set_log_level(LLL_ERR, &Remember);
  Status started = StartVhost(cert_file, key_file);
  lws_set_log_level(0, nullptr);
  return started;
}

Status Server::Start() {
  if (tls()) HF_TRY(CheckCertificate(core_.options.cert_file, core_.options.key_file));
  lws_set_log_level(LLL_ERR, &Remember);
  Status started = StartContext();
  // What it says later is what strangers make it say; our own lines tell the same with a bound.
  lws_set_log_level(0, nullptr);
  HF_TRY(std::move(started));
  ev_timer_init(
      &second_,
      [](struct ev_loop*, ev_timer* timer, int) { static_cast<Server*>(timer->data)->OnSecond(); },
      1.0, 1.0);
  second_.data = this;
  ev_timer_start(loop_, &second_);
  WatchTurns();
  return Ok();
}

void Server::WatchTurns() {
  ev_check_init(&turn_start_, [](struct ev_loop*, ev_check* check, int) {
    static_cast<Server*>(check->data)->core_.StartTurn();
  });
  ev_set_priority(&turn_start_, EV_MAXPRI);  // before the sockets
  turn_start_.data = this;
  ev_check_start(loop_, &turn_start_);
  ev_prepare_init(&turn_end_, [](struct ev_loop*, ev_prepare* prepare, int) {
    static_cast<Server*>(prepare->data)->core_.EndTurn();
  });
  // What our delegate does at the end of a turn comes after all that a turn does, so after this.
  ev_set_priority(&turn_end_, EV_MAXPRI);
  turn_end_.data = this;
  ev_prepare_start(loop_, &turn_end_);
}

Status Server::Adopt(int fd, std::string peer_address) {
  const int on = 1;
  const auto user_timeout_ms = static_cast<unsigned int>(link::kTcpUserTimeout.count());
  const int not_sent_bytes = kNotSentBytes;
  // A failure means that the peer is gone already, which the first read will tell.
  ::setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &not_sent_bytes, sizeof not_sent_bytes);
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms, sizeof user_timeout_ms);

  auto* const link =
      new ServerLink(core_, std::move(peer_address), core_.options.max_message_bytes);
  core_.handshaking.Join(*link, core_.now_s);
  adopting_ = link;
  lws_adopt_desc_t how{};
  how.vh = vhost_;
  how.type =
      static_cast<lws_adoption_type>(LWS_ADOPT_SOCKET | LWS_ADOPT_HTTP | LWS_ADOPT_ALLOW_SSL);
  how.fd.sockfd = fd;
  how.opaque = link;
  const bool adopted = lws_adopt_descriptor_vhost_via_info(&how) != nullptr;
  // Refused before libwebsockets had anything to destroy: nobody else says goodbye.
  if (!adopted && adopting_ == link) OnDestroyed(link);
  adopting_ = nullptr;
  if (!adopted) return Error{Code::kExhausted, "libwebsockets did not take the socket"};
  return Ok();
}

void Server::OnDestroyed(ServerLink* link) {
  if (adopting_ == link) adopting_ = nullptr;
  if (!link->opened()) core_.delegate.OnNotOpened(link->peer_address());
  core_.delegate.OnClosed(link->opened() ? link : nullptr, link->why(tls()));
  core_.Forget(*link);
  delete link;
}

void Server::OnSecond() {
  ++core_.now_s;
  const auto kill = [this](DeadlineQueue& queue, ServerClose why) {
    // Killed links are out of the queue, so this ends.
    while (DeadlineMember* const due = queue.TakeDue(core_.now_s)) {
      static_cast<ServerLink*>(due)->Kill(why);
    }
  };
  kill(core_.handshaking, ServerClose::kHandshakeTimeout);
  kill(core_.writing, ServerClose::kStalled);
  kill(core_.closing, ServerClose::kByPeer);
  // libwebsockets' libev adapter re-arms its timer only after an event; this is one.
  if (!core_.handshaking.empty() || !core_.closing.empty()) lws_cancel_service(context_);
}

int Server::OnCallback(struct lws* wsi, enum lws_callback_reasons reason, void* user, void* in,
                       std::size_t bytes) {
  if (reason == LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS) {
    // The SSL_CTX, for this reason; libwebsockets shows of whom by a vhost's stand-in for a connection.
    auto* const server = static_cast<Server*>(lws_context_user(lws_get_context(wsi)));
    TuneServerTls(user, server->tickets_);
    return 0;
  }
  auto* const link =
      wsi == nullptr ? nullptr : static_cast<ServerLink*>(lws_get_opaque_user_data(wsi));
  if (link == nullptr) return 0;
  auto* const self = static_cast<Server*>(lws_context_user(lws_get_context(wsi)));
  const std::string_view data =
      in == nullptr ? std::string_view() : std::string_view(static_cast<const char*>(in), bytes);
  return self->OnLinkCallback(*link, wsi, reason, data);
}

int Server::OnLinkCallback(ServerLink& link, struct lws* wsi, enum lws_callback_reasons reason,
                           std::string_view in) {
  switch (reason) {
    case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED: link.OnCreated(wsi); return 0;
    case LWS_CALLBACK_HTTP: link.OnHttp(); return RefuseWithoutUpgrade(wsi);
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
      link.OnHttp();
      // `in` is a zero-terminated word here, its length is not given.
      return ConfirmUpgrade(link, wsi, in.data() == nullptr ? "" : in.data());
    case LWS_CALLBACK_ESTABLISHED:
      if (tls()) core_.delegate.OnTlsDone(IsResumed(lws_get_ssl(wsi)));
      return link.OnEstablished();
    case LWS_CALLBACK_RECEIVE: return link.OnReceive(in);
    case LWS_CALLBACK_RECEIVE_PONG: link.OnPong(); return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE: return link.OnWriteable();
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE: link.OnPeerClose(); return 0;
    case LWS_CALLBACK_CLOSED: link.OnWsClosed(); return 0;
    case LWS_CALLBACK_WSI_DESTROY: OnDestroyed(&link); return 0;
    default: return 0;
  }
}

int Server::ConfirmUpgrade(ServerLink& link, struct lws* wsi, std::string_view upgrade) {
  // Browsers send Origin; nothing of ours does (security.md I1).
  if (lws_hdr_total_length(wsi, WSI_TOKEN_ORIGIN) > 0 ||
      lws_hdr_total_length(wsi, WSI_TOKEN_SWORIGIN) > 0) {
    return Refuse(wsi, kForbidden);
  }
  const bool ours = upgrade == "websocket" &&
                    RequestHeader(wsi, WSI_TOKEN_GET_URI) == core_.options.path &&
                    lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_URI_ARGS) == 0 &&
                    RequestHeader(wsi, WSI_TOKEN_PROTOCOL) == core_.options.subprotocol;
  if (!ours) return Refuse(wsi, kNotFound);
  const std::optional<std::uint32_t> wait_s = core_.delegate.RefuseUpgrade();
  if (!wait_s) return 0;
  link.OnRefused();
  return Refuse(wsi, kUnavailable, "Retry-After: " + std::to_string(*wait_s) + "\r\n");
}

int Server::RefuseWithoutUpgrade(struct lws* wsi) {
  const bool is_path = RequestHeader(wsi, WSI_TOKEN_GET_URI) == core_.options.path;
  return Refuse(wsi, is_path ? kUpgradeRequired : kNotFound);
}

int Server::Refuse(struct lws* wsi, std::string_view status, std::string_view headers) {
  // Not lws_return_http_status(): before the request is taken up that says HTTP/1.0.
  std::string answer(LWS_PRE, '\0');
  answer += "HTTP/1.1 ";
  answer += status;
  // Without our name the agent takes it for the answer of somebody in between (UPGRADE_BLOCKED).
  answer += "\r\nServer: ";
  answer += kServerName;
  answer += "\r\n";
  answer += headers;
  answer += "Content-Length: 0\r\nConnection: close\r\n\r\n";
  auto* const bytes = reinterpret_cast<unsigned char*>(answer.data()) + LWS_PRE;
  // Whether the answer went out or not, the socket closes.
  static_cast<void>(lws_write(wsi, bytes, answer.size() - LWS_PRE, LWS_WRITE_HTTP_HEADERS));
  return -1;
}

}  // namespace

Result<std::unique_ptr<LwsServer>> LwsServer::Create(struct ev_loop* loop, Options options,
                                                     LwsServerDelegate& delegate) {
  auto server = std::make_unique<Server>(loop, options, delegate);
  HF_TRY(server->Start());
  return std::unique_ptr<LwsServer>(std::move(server));
}

}  // namespace holdfast::backend
