#include "common/adapters/lws/lws_connection.h"

#include <array>
#include <charconv>
#include <utility>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "common/adapters/lws/certificate_fault.h"
#include "common/adapters/lws/client_frame.h"
#include "common/adapters/lws/http_tunnel.h"
#include "common/adapters/lws/lws_dial_hooks.h"
#include "common/adapters/lws/tcp_facts.h"
#include "common/base/check.h"

namespace holdfast::lws {
namespace {

constexpr std::uint16_t kGoingAwayCode = 1001;
constexpr Duration kCloseTimeout = std::chrono::seconds(3);  // a close frame and its answer
// What the kernel keeps beyond what is on its way before it asks for more: a beat or an answer must not
// wait behind what a slow path will take seconds for. As on the server's side.
constexpr int kNotSentBytes = 128 * 1024;
// A message buffer above this is given back after use: a link is idle most of its life.
constexpr std::size_t kKeepBufferBytes = std::size_t{8} * 1024;
constexpr std::uint16_t kTooLargeCode = 1009;  // RFC 6455, 7.4.1
constexpr std::uint16_t kUnsupportedCode = 1003;
constexpr std::size_t kMaxServerNameBytes = 64;  // it goes into logs
// What lws says when the answer to the upgrade is not HTTP, or has a header that it has no room for.
constexpr std::string_view kUnparsable = "problems parsing header";

// lws's own liveness would wake us and end links by its own rule: ours is common/link's.
constexpr lws_retry_bo_t kNoValidityTimers{};

std::string Header(struct ::lws* wsi, lws_token_indexes token) {
  const int length = lws_hdr_total_length(wsi, token);
  if (length <= 0 || length > 256) return {};
  std::string out(static_cast<std::size_t>(length) + 1, '\0');
  const int copied = lws_hdr_copy(wsi, out.data(), length + 1, token);
  out.resize(copied > 0 ? static_cast<std::size_t>(copied) : 0);
  return out;
}

std::string PeerOf(int fd) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0) return {};
  const void* address = nullptr;
  if (peer.ss_family == AF_INET) address = &reinterpret_cast<sockaddr_in&>(peer).sin_addr;
  if (peer.ss_family == AF_INET6) address = &reinterpret_cast<sockaddr_in6&>(peer).sin6_addr;
  if (address == nullptr ||
      ::inet_ntop(peer.ss_family, address, text.data(), text.size()) == nullptr) {
    return {};
  }
  return text.data();
}

}  // namespace

void LwsConnection::Start(lws_context* context, const ServerUrl& url,
                          const LwsClientTarget& target) {
  context_ = context;
  tls_ = url.tls;
  const std::optional<int> tunnel = Tunnel(url, target);
  if (!tunnel) {
    state_ = State::kOver;
    return;
  }
  const std::string host_header = url.host + ":" + std::to_string(url.port);
  lws_client_connect_info info{};
  info.context = context;
  // Of a tunnel's socket lws only hears that it is connected: this needs no looking up.
  info.address = *tunnel >= 0 ? "127.0.0.1" : url.host.c_str();
  info.port = url.port;
  // Hostname check is on unless asked off; redirects would lead to a server nobody chose.
  info.ssl_connection = (url.tls ? LCCSCF_USE_SSL : 0) | LCCSCF_HTTP_NO_FOLLOW_REDIRECT;
  info.path = target.path.c_str();
  info.host = host_header.c_str();  // lws verifies the certificate against this, without the port
  info.protocol = subprotocol_.c_str();
  info.local_protocol_name = "holdfast";
  info.ietf_version_or_minus_one = -1;
  info.alpn = "http/1.1";
  info.iface = target.source_address.empty() ? nullptr : target.source_address.c_str();
  info.retry_and_idle_policy = &kNoValidityTimers;
  info.opaque_user_data = this;
  info.pwsi = &wsi_;
  DialHooks hooks(*tunnel, target.last_address);
  const bool dialling = lws_client_connect_via_info(&info) != nullptr;
  used_last_address_ = hooks.used_last_address();
  if (!dialling) {
    wsi_ = nullptr;
    End(ClientClose::kConnectFailed, "cannot reach " + url.host);
    state_ = State::kOver;
  }
  // From here: a resolver that was slow to fail has not used up the server's time.
  if (state_ == State::kDialling) Arm(options_.handshake_timeout);
}

std::optional<int> LwsConnection::Tunnel(const ServerUrl& url, const LwsClientTarget& target) {
  if (!target.proxy) return -1;
  auto opened = OpenTunnel(*target.proxy, url.host, url.port, options_.handshake_timeout);
  if (opened.ok()) {
    delegate_.OnStep(ClientStep::kTunnelled);
    return opened.value();
  }
  const bool refused = opened.error().code == Code::kDenied;
  End(refused ? ClientClose::kProxyRefused : ClientClose::kConnectFailed, opened.error().message);
  return std::nullopt;
}

void LwsConnection::WantWrite() {
  if (state_ == State::kOpen && wsi_ != nullptr) lws_callback_on_writable(wsi_);
}

std::size_t LwsConnection::Undelivered() const {
  int bytes = 0;
  if (wsi_ == nullptr || ioctl(lws_get_socket_fd(wsi_), TIOCOUTQ, &bytes) != 0) return 0;
  return static_cast<std::size_t>(bytes);
}

void LwsConnection::Pause(bool paused) {
  if (state_ == State::kOpen && wsi_ != nullptr) lws_rx_flow_control(wsi_, paused ? 0 : 1);
}

void LwsConnection::Close(std::uint16_t code) {
  if (state_ == State::kOver || state_ == State::kClosing) return;
  End(ClientClose::kByUs, "");
  close_code_ = code;
  if (state_ == State::kDialling) {
    Kill();
    return;
  }
  state_ = State::kClosing;
  Arm(kCloseTimeout);
  lws_rx_flow_control(wsi_, 1);  // the answer to our close must come through
  lws_callback_on_writable(wsi_);
}

void LwsConnection::Abort() {
  if (state_ == State::kOpen) {
    // A FIN would wait behind what nobody acknowledges any more; a reset goes out at once.
    const linger reset{1, 0};
    setsockopt(lws_get_socket_fd(wsi_), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  }
  Close(kGoingAwayCode);
}

void LwsConnection::Kill() {
  if (wsi_ != nullptr) lws_set_timeout(wsi_, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
}

void LwsConnection::Arm(Duration after) {
  deadline_.owner = this;
  const auto on_fire = [](lws_sorted_usec_list_t* timer) {
    LwsConnection* self = reinterpret_cast<Deadline*>(timer)->owner;
    self->End(ClientClose::kConnectFailed, "no answer in time");
    self->Kill();
  };
  lws_sul_schedule(context_, 0, &deadline_.timer, on_fire,
                   std::chrono::duration_cast<std::chrono::microseconds>(after).count());
}

void LwsConnection::Disarm() {
  lws_sul_schedule(context_, 0, &deadline_.timer, nullptr, LWS_SET_TIMER_USEC_CANCEL);
}

void LwsConnection::End(ClientClose why, std::string detail) {
  if (has_end_) return;
  has_end_ = true;
  end_.why = why;
  end_.detail = std::move(detail);
}

bool LwsConnection::ReportEnd() {
  if (state_ != State::kOver || reported_) return false;
  reported_ = true;
  Disarm();
  delegate_.OnClosed(end_);
  return true;
}

void LwsConnection::OnCertificateRefused(int x509_error) {
  if (has_end_) return;
  end_.certificate = FaultOfX509(x509_error);
  End(ClientClose::kUntrusted, std::string(Describe(end_.certificate)));
}

int LwsConnection::OnCallback(struct ::lws* wsi, lws_callback_reasons reason, void* in,
                              std::size_t len) {
  const std::string_view bytes(static_cast<const char*>(in), in == nullptr ? 0 : len);
  switch (reason) {
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:  // the request is about to be sent
      OnUpgradeAsked(wsi);
      return 0;
    case LWS_CALLBACK_CLIENT_FILTER_PRE_ESTABLISH: wsi_ = wsi; return OnPreEstablish();
    case LWS_CALLBACK_CLIENT_ESTABLISHED: OnEstablished(); return 0;
    case LWS_CALLBACK_CLIENT_RECEIVE: OnReceive(bytes); return 0;
    case LWS_CALLBACK_CLIENT_WRITEABLE: return OnWriteable();
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE: OnPeerClose(bytes); return 0;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
      wsi_ = wsi;
      OnConnectionError(std::string(bytes.substr(0, bytes.find('\0'))));
      return 0;
    case LWS_CALLBACK_CLIENT_CLOSED:
    case LWS_CALLBACK_WSI_DESTROY:
      End(state_ == State::kDialling ? ClientClose::kConnectFailed : ClientClose::kByPeer,
          "the connection broke");
      state_ = State::kOver;
      wsi_ = nullptr;
      return 0;
    default: return 0;
  }
}

void LwsConnection::OnUpgradeAsked(struct ::lws* wsi) {
  asked_upgrade_ = true;
  received_before_upgrade_ = BytesReceived(lws_get_socket_fd(wsi));
  delegate_.OnStep(ClientStep::kUpgradeAsked);
}

// 101 came. lws lets a server leave the subprotocol out or name an extension nobody offered.
int LwsConnection::OnPreEstablish() {
  if (lws_hdr_total_length(wsi_, WSI_TOKEN_EXTENSIONS) > 0) {
    End(ClientClose::kProtocol, "the server granted an extension that was not offered");
    return -1;
  }
  if (Header(wsi_, WSI_TOKEN_PROTOCOL) != subprotocol_) {
    End(ClientClose::kProtocol, "the server did not agree to the subprotocol " + subprotocol_);
    return -1;
  }
  return 0;
}

void LwsConnection::OnConnectionError(std::string text) {
  const int status = static_cast<int>(lws_http_client_http_response(wsi_));
  const CertificateFault fault = FaultOfText(text);
  if (fault != CertificateFault::kNone) {
    if (!has_end_) end_.certificate = fault;
    End(ClientClose::kUntrusted, std::string(Describe(fault)));
  } else if (status != 0 && status != 101) {
    end_.http_server = Header(wsi_, WSI_TOKEN_HTTP_SERVER).substr(0, kMaxServerNameBytes);
    End(ClientClose::kRefused,
        "HTTP " + std::to_string(status) + " from " +
            (end_.http_server.empty() ? "a server without a name" : "'" + end_.http_server + "'"));
    end_.http_status = status;
    const std::string after = Header(wsi_, WSI_TOKEN_HTTP_RETRY_AFTER);
    std::from_chars(after.data(), after.data() + after.size(), end_.retry_after_s);
  } else if (text == kUnparsable || (status == 0 && HeardSomething())) {
    End(ClientClose::kNotHttp, "the upgrade was answered with what is no HTTP");
  } else {
    // "HS: ..." is what lws found wrong with an answer that was a 101.
    const bool breach = status == 101 && text.starts_with("HS: ");
    End(breach ? ClientClose::kProtocol : ClientClose::kConnectFailed, std::move(text));
  }
  state_ = State::kOver;
}

// lws's parser swallows what is no header line, and then only says that the peer went away. Over TLS
// the kernel's count holds records that are no answer, and lws's word has to do.
bool LwsConnection::HeardSomething() const {
  constexpr std::uint64_t kEnd = 1;  // what the peer's FIN counts
  const bool is_http = lws_hdr_total_length(wsi_, WSI_TOKEN_HTTP) > 0;  // cut short, then
  return asked_upgrade_ && !tls_ && !is_http &&
         BytesReceived(lws_get_socket_fd(wsi_)) > received_before_upgrade_ + kEnd;
}

void LwsConnection::OnEstablished() {
  Disarm();
  const auto user_timeout = static_cast<unsigned>(options_.tcp_user_timeout.count());
  // NODELAY is lws's default for every socket.
  setsockopt(lws_get_socket_fd(wsi_), IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout,
             sizeof user_timeout);
  setsockopt(lws_get_socket_fd(wsi_), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kNotSentBytes,
             sizeof kNotSentBytes);
  if (has_end_) {  // Close() while dialling, and its kill has not come round yet
    Kill();
    return;
  }
  state_ = State::kOpen;
  peer_address_ = PeerOf(lws_get_socket_fd(wsi_));
  delegate_.OnOpened();
}

void LwsConnection::OnReceive(std::string_view piece) {
  if (state_ != State::kOpen) return;
  if (lws_is_first_fragment(wsi_) != 0 && lws_frame_is_binary(wsi_) == 0) {
    Refuse(ClientClose::kProtocol, kUnsupportedCode, "a text message");
    return;
  }
  const std::size_t rest = lws_remaining_packet_payload(wsi_);
  if (rest > options_.max_message_bytes ||
      received_.size() + piece.size() + rest > options_.max_message_bytes) {
    Refuse(ClientClose::kTooLarge, kTooLargeCode, "a message above the limit");
    return;
  }
  const bool whole = rest == 0 && lws_is_final_fragment(wsi_) != 0;
  if (whole && received_.empty()) {
    delegate_.OnMessage(piece);
    return;
  }
  if (received_.empty()) received_.reserve(piece.size() + rest);
  received_.append(piece);
  if (!whole) return;
  delegate_.OnMessage(received_);
  received_.clear();
  if (received_.capacity() > kKeepBufferBytes) received_.shrink_to_fit();
}

// Never by a non-zero return from CLIENT_RECEIVE: lws 4.1 would then keep its full receive buffer
// and, while it waits for the answer to its close, write what still comes in behind the buffer's
// end.
void LwsConnection::Refuse(ClientClose why, std::uint16_t code, std::string detail) {
  End(why, std::move(detail));
  close_code_ = code;
  last_write_done_ = true;
  state_ = State::kClosing;
  std::string().swap(received_);
  Arm(kCloseTimeout);
  lws_callback_on_writable(wsi_);
}

int LwsConnection::OnWriteable() {
  if (state_ != State::kOpen && state_ != State::kClosing) return 0;
  if (lws_partial_buffered(wsi_) != 0) {  // the message before is still going out
    lws_callback_on_writable(wsi_);
    return 0;
  }
  if (last_write_done_) {
    lws_close_reason(wsi_, static_cast<lws_close_status>(close_code_), nullptr, 0);
    return -1;
  }
  std::optional<std::string> message = delegate_.NextMessage();
  last_write_done_ = state_ == State::kClosing;
  if (message) {
    std::array<std::uint8_t, 4> mask{};
    if (lws_get_random(context_, mask.data(), mask.size()) != mask.size()) return -1;
    std::string frame = MaskedFrame(*message, mask);
    // RAW: the frame is ready. What the socket does not take lws keeps, and sends before all else.
    auto* start = reinterpret_cast<unsigned char*>(frame.data());
    if (lws_write(wsi_, start, frame.size(), LWS_WRITE_RAW) < static_cast<int>(frame.size())) {
      return -1;
    }
  }
  if (message || state_ == State::kClosing) lws_callback_on_writable(wsi_);
  return 0;
}

void LwsConnection::OnPeerClose(std::string_view payload) {
  if (payload.size() >= 2) {
    end_.close_code = static_cast<std::uint16_t>((static_cast<unsigned char>(payload[0]) << 8) |
                                                 static_cast<unsigned char>(payload[1]));
    payload.remove_prefix(2);
  }
  End(ClientClose::kByPeer, std::string(payload));
}

}  // namespace holdfast::lws
