#include "common/adapters/lws/lws_client.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <libwebsockets.h>
#include <unistd.h>

#include "common/adapters/lws/lws_connection.h"
#include "common/adapters/lws/lws_tls.h"
#include "common/base/check.h"

namespace holdfast::lws {
namespace {

constexpr std::size_t kMaxWatches = 8;

class LwsClientLoop final : public LwsClient {
 public:
  explicit LwsClientLoop(Options options) : options_(std::move(options)) {}
  ~LwsClientLoop() override;
  Status Init();

  Result<LwsClientConnection*> Connect(const LwsClientTarget& target,
                                       LwsClientDelegate& delegate) override;
  void Service(Duration timeout) override;
  Status WatchReadable(int fd, void (*on_readable)(void* user), void* user) override;
  void PauseReadable(int fd, bool paused) override;
  void UnwatchReadable(int fd) override;
  void Wake() override { lws_cancel_service(context_); }

 private:
  // lws closes what it adopts: it gets a duplicate.
  struct Watch {
    int fd;
    void (*on_readable)(void* user);
    void* user;
    struct ::lws* wsi = nullptr;
  };
  struct Timer {  // standard layout: lws hands back the address of its first member
    lws_sorted_usec_list_t entry{};
    lws_context* context = nullptr;
  };

  static int OnLink(struct ::lws* wsi, lws_callback_reasons reason, void* user, void* in,
                    std::size_t len);
  static int OnWatch(struct ::lws* wsi, lws_callback_reasons reason, void* user, void* in,
                     std::size_t len);
  Watch* FindWatch(int fd);

  const Options options_;
  lws_protocols protocols_[3] = {};
  TlsOwner tls_{nullptr, [](void*) {}};
  lws_context* context_ = nullptr;
  Timer timer_;
  std::vector<std::unique_ptr<LwsConnection>> connections_;
  std::vector<std::unique_ptr<Watch>> watches_;
  bool ending_ = false;
};

Status LwsClientLoop::Init() {
  lws_set_log_level(0, nullptr);  // what matters comes out as ClientEnd
  protocols_[0].name = "holdfast";
  protocols_[0].callback = OnLink;
  protocols_[0].rx_buffer_size = options_.rx_buffer_bytes;
  // One send for a whole message; below this size lws would cut it up (lws_issue_raw).
  protocols_[0].tx_packet_size = options_.max_message_bytes + 64;
  protocols_[1].name = "watch";
  protocols_[1].callback = OnWatch;

  lws_context_creation_info info{};
  info.port = CONTEXT_PORT_NO_LISTEN;
  info.protocols = protocols_;
  info.extensions = nullptr;
  info.user = this;
  info.gid = static_cast<decltype(info.gid)>(-1);
  info.uid = static_cast<decltype(info.uid)>(-1);
  info.pt_serv_buf_size =
      static_cast<unsigned>(std::max<std::size_t>(options_.rx_buffer_bytes, 4096));
  info.fd_limit_per_thread = options_.max_descriptors;
  info.http_proxy_address = "";  // otherwise lws obeys $http_proxy
  // Of one address of several, and of each step of the handshake; ours spans them all.
  info.timeout_secs = 10;
  info.connect_timeout_secs = 10;
  info.options = options_.ipv4_only ? LWS_SERVER_OPTION_DISABLE_IPV6 : 0;
#if defined(LWS_SERVER_OPTION_DISABLE_TLS_SESSION_CACHE)
  info.options |= LWS_SERVER_OPTION_DISABLE_TLS_SESSION_CACHE;
#endif
  if (!options_.ca_pem.empty()) {
    info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS;
    HF_ASSIGN_OR_RETURN(tls_, PrepareTls(options_.ca_pem, info));
  }
  context_ = lws_create_context(&info);
  if (context_ == nullptr) return Error{Code::kInternal, "lws_create_context failed"};
  timer_.context = context_;
  return Ok();
}

LwsClientLoop::~LwsClientLoop() {
  ending_ = true;
  if (context_ != nullptr) lws_context_destroy(context_);
}

Result<LwsClientConnection*> LwsClientLoop::Connect(const LwsClientTarget& target,
                                                    LwsClientDelegate& delegate) {
  HF_ASSIGN_OR_RETURN(const ServerUrl url, ParseServerUrl(target.url));
  if (url.tls && options_.ca_pem.empty()) {
    return Error{Code::kInvalid, "wss:// needs a CA certificate to trust"};
  }
  connections_.push_back(std::make_unique<LwsConnection>(options_, target.subprotocol, delegate));
  LwsConnection* connection = connections_.back().get();
  connection->Start(context_, url, target);
  return connection;
}

void LwsClientLoop::Service(Duration timeout) {
  // A dial that failed at once is reported here, not from inside Connect().
  const auto report = [this] {
    bool reported = false;
    for (std::size_t i = 0; i < connections_.size();) {
      if (!connections_[i]->ReportEnd()) {
        ++i;
        continue;
      }
      reported = true;
      connections_.erase(connections_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    return reported;
  };
  // How long to wait was said by somebody who did not know of that: he is asked again.
  if (report()) return;
  // lws waits for its own timers only: ours is one of them. It cuts microseconds off to whole
  // milliseconds, so just under the next one makes poll() wait exactly `timeout`.
  const auto wait = std::max<lws_usec_t>(timeout.count(), 0) * LWS_US_PER_MS + 999;
  const auto on_fire = [](lws_sorted_usec_list_t* entry) {
    // It may fire before poll() is entered: then poll() must not wait.
    lws_cancel_service(reinterpret_cast<Timer*>(entry)->context);
  };
  lws_sul_schedule(context_, 0, &timer_.entry, on_fire, wait);
  lws_service(context_, 0);
  report();
}

Status LwsClientLoop::WatchReadable(int fd, void (*on_readable)(void* user), void* user) {
  if (watches_.size() >= kMaxWatches) return Error{Code::kExhausted, "8 descriptors are watched"};
  lws_sock_file_fd_type duplicate{};
  duplicate.filefd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (duplicate.filefd < 0) return Error{Code::kInternal, "fcntl(F_DUPFD_CLOEXEC) failed"};
  auto watch = std::make_unique<Watch>(Watch{fd, on_readable, user});
  watch->wsi = lws_adopt_descriptor_vhost(lws_get_vhost_by_name(context_, "default"),
                                          LWS_ADOPT_RAW_FILE_DESC, duplicate, "watch", nullptr);
  if (watch->wsi == nullptr) return Error{Code::kInternal, "lws cannot watch the descriptor"};
  lws_set_opaque_user_data(watch->wsi, watch.get());
  watches_.push_back(std::move(watch));
  return Ok();
}

LwsClientLoop::Watch* LwsClientLoop::FindWatch(int fd) {
  const auto it = std::find_if(watches_.begin(), watches_.end(),
                               [fd](const auto& watch) { return watch->fd == fd; });
  return it == watches_.end() ? nullptr : it->get();
}

void LwsClientLoop::PauseReadable(int fd, bool paused) {
  const Watch* watch = FindWatch(fd);
  if (watch != nullptr && watch->wsi != nullptr) lws_rx_flow_control(watch->wsi, paused ? 0 : 1);
}

void LwsClientLoop::UnwatchReadable(int fd) {
  const auto it = std::find_if(watches_.begin(), watches_.end(),
                               [fd](const auto& watch) { return watch->fd == fd; });
  if (it == watches_.end()) return;
  if ((*it)->wsi != nullptr) {
    lws_set_opaque_user_data((*it)->wsi, nullptr);
    lws_set_timeout((*it)->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
  }
  watches_.erase(it);
}

int LwsClientLoop::OnLink(struct ::lws* wsi, lws_callback_reasons reason, void* user, void* in,
                          std::size_t len) {
  if (reason == LWS_CALLBACK_OPENSSL_LOAD_EXTRA_CLIENT_VERIFY_CERTS) {
    OnTlsContextCreated(user);
    return 0;
  }
  auto* self = static_cast<LwsClientLoop*>(lws_context_user(lws_get_context(wsi)));
  if (self == nullptr || self->ending_) return 0;
  auto* connection = static_cast<LwsConnection*>(lws_get_opaque_user_data(wsi));
  if (connection == nullptr) return 0;
  if (reason == LWS_CALLBACK_OPENSSL_PERFORM_SERVER_CERT_VERIFICATION) {
    // `user` is the verify context and `len` OpenSSL's own verdict, which stands either way.
    if (len == 0) connection->OnCertificateRefused(CertificateProblem(user));
    return 0;
  }
  return connection->OnCallback(wsi, reason, in, len);
}

int LwsClientLoop::OnWatch(struct ::lws* wsi, lws_callback_reasons reason, void* /*user*/,
                           void* /*in*/, std::size_t /*len*/) {
  auto* self = static_cast<LwsClientLoop*>(lws_context_user(lws_get_context(wsi)));
  if (self == nullptr || self->ending_) return 0;
  auto* watch = static_cast<Watch*>(lws_get_opaque_user_data(wsi));
  if (watch == nullptr) return 0;
  if (reason == LWS_CALLBACK_RAW_CLOSE_FILE) watch->wsi = nullptr;  // the other end is gone
  if (reason == LWS_CALLBACK_RAW_RX_FILE || reason == LWS_CALLBACK_RAW_CLOSE_FILE) {
    watch->on_readable(watch->user);
  }
  return 0;
}

}  // namespace
}  // namespace holdfast::lws

namespace holdfast {

Result<std::unique_ptr<LwsClient>> LwsClient::Create(Options options) {
  auto client = std::make_unique<lws::LwsClientLoop>(std::move(options));
  HF_TRY(client->Init());
  return std::unique_ptr<LwsClient>(std::move(client));
}

}  // namespace holdfast
