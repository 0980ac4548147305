#include "backend/fleet/links.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <system_error>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend/fleet/moments.h"
#include "backend/fleet/tls_client.h"
#include "backend/fleet/ws_client.h"
#include "common/link/limits.h"

namespace holdfast::fleet {
namespace {

constexpr int kEventsPerTurn = 512;
// One read takes a whole TLS record, or what a plain socket has.
constexpr std::size_t kReadBytes = std::size_t{32} * 1024;
constexpr std::uint64_t kWatched = ~std::uint64_t{0};  // epoll data of the watched descriptor

std::string Reason(int error) { return std::generic_category().message(error); }

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

Result<Address> LookUp(const ServerUrl& url) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(url.host.c_str(), std::to_string(url.port).c_str(), &hints, &found);
  if (error != 0) return Error{Code::kUnavailable, url.host + ": " + gai_strerror(error)};
  Address out;
  out.size = found->ai_addrlen;
  std::memcpy(&out.storage, found->ai_addr, found->ai_addrlen);
  freeaddrinfo(found);
  return out;
}

class EpollLinks;

class EpollLink final : public Link {
 public:
  enum class State : std::uint8_t { kConnecting, kTls, kUpgrading, kOpen, kClosing, kOver };

  EpollLink(EpollLinks& loop, WsClient ws, LinkDelegate& delegate)
      : loop_(loop), delegate_(delegate), ws_(std::move(ws)) {}
  ~EpollLink() override {
    tls_.reset();
    if (fd_ >= 0) ::close(fd_);
  }

  void WantWrite() override;
  void Close(std::uint16_t code) override;
  void Cut() override;
  void Pause(bool paused) override;
  void ReadSome(std::size_t bytes) override;
  void SendRaw(std::string bytes) override;

  Status Start(const Address& to, std::uint32_t source_ipv4);
  void OnReady(std::uint32_t events);
  void Flush();
  void OnTimeout();
  void End(ClientEnd end);
  void End(ClientClose why, std::string detail);
  bool has_end() const { return end_ != nullptr; }
  void Report() { delegate_.OnClosed(*end_); }

 private:
  friend class EpollLinks;

  bool is_tls() const { return tls_ != nullptr; }
  bool is_up() const { return state_ >= State::kUpgrading && state_ < State::kOver; }
  void OnConnected();
  void OnTransportUp();
  void ContinueTls();
  void Read();
  // Takes up to `most` bytes; false: nothing is there now, or it is over.
  bool ReadOnce(std::size_t most, bool& drained);
  void Drain();
  void OnEvent(const WsEvent& event);
  bool Send(std::string_view bytes);  // false: what did not go is in out_
  bool SendOut();

  EpollLinks& loop_;
  LinkDelegate& delegate_;
  WsClient ws_;
  std::unique_ptr<TlsSession> tls_;
  std::unique_ptr<std::string> first_;  // what goes out as soon as the transport is up
  std::unique_ptr<std::string> out_;    // what the socket had no room for
  std::unique_ptr<ClientEnd> end_;
  int fd_ = -1;
  std::uint32_t slot_ = 0;
  std::uint32_t generation_ = 0;
  std::uint16_t close_code_ = 0;
  State state_ = State::kConnecting;
  bool wants_write_ = false;
  bool paused_ = false;
  bool closes_ = false;  // Close() was asked for, the frame is not out
};

class EpollLinks final : public Links {
 public:
  explicit EpollLinks(Options options) : options_(std::move(options)), read_(kReadBytes) {}
  ~EpollLinks() override {
    links_.clear();
    if (epoll_ >= 0) ::close(epoll_);
  }
  Status Init();

  Result<Link*> Dial(const Target& target, LinkDelegate& delegate) override;
  void Service(Duration timeout) override;
  Status WatchReadable(int fd) override;
  std::size_t size() const override { return links_.size() - free_.size(); }

  // From links.
  void Touch(EpollLink& link) { touched_.push_back(HandleOf(link)); }
  void CloseLater(const EpollLink& link) {
    closing_.push_back({Now() + options_.close_timeout, HandleOf(link)});
  }
  std::uint32_t NextMask() {  // xorshift: the peer is ours, it only must differ
    mask_ ^= mask_ << 13;
    mask_ ^= mask_ >> 17;
    mask_ ^= mask_ << 5;
    return mask_;
  }
  std::vector<char>& read_buffer() { return read_; }
  int epoll() const { return epoll_; }
  static std::uint64_t HandleOf(const EpollLink& link) {
    return std::uint64_t{link.generation_} << 32 | link.slot_;
  }

 private:
  struct Peer {
    ServerUrl url;
    Address address;
    std::string host_port;
  };
  struct Due {
    TimePoint at;
    std::uint64_t handle;
  };

  Result<Peer*> Find(const std::string& url);
  EpollLink* LinkOf(std::uint64_t handle);
  std::uint32_t TakeSlot();
  void FlushTouched();
  void CheckTimes();
  int WaitMs(Duration timeout) const;

  const Options options_;
  std::vector<char> read_;
  std::unique_ptr<TlsClient> tls_;
  std::map<std::string, Peer> peers_;
  std::vector<std::unique_ptr<EpollLink>> links_;  // by slot
  std::vector<std::uint32_t> free_;
  std::vector<std::uint64_t> touched_;  // want to write, or to report their end
  std::deque<Due> dialling_;            // all wait equally long: sorted as they come
  std::deque<Due> closing_;
  std::uint32_t generation_ = 0;
  std::uint32_t mask_ = 0x9e3779b9;
  int epoll_ = -1;
};

// --- one link -------------------------------------------------------------------------------------

Status EpollLink::Start(const Address& to, std::uint32_t source_ipv4) {
  fd_ = ::socket(to.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return Error{Code::kInternal, "socket: " + Reason(errno)};
  const int on = 1;
  const auto user_timeout_ms = static_cast<unsigned>(link::kTcpUserTimeout.count());
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd_, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms, sizeof user_timeout_ms);
  if (source_ipv4 != 0) {
    // The port is chosen at connect(), when the other end is known: 28,000 for each pair of addresses.
    ::setsockopt(fd_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    sockaddr_in from{};
    from.sin_family = AF_INET;
    from.sin_addr.s_addr = htonl(source_ipv4);
    if (::bind(fd_, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) {
      return Error{Code::kInternal, "bind: " + Reason(errno)};
    }
  }
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = EpollLinks::HandleOf(*this);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to.storage), to.size) != 0 &&
      errno != EINPROGRESS) {
    return Error{Code::kUnavailable, "connect: " + Reason(errno)};
  }
  if (::epoll_ctl(loop_.epoll(), EPOLL_CTL_ADD, fd_, &event) != 0) {
    return Error{Code::kInternal, "epoll: " + Reason(errno)};
  }
  return Ok();
}

void EpollLink::End(ClientEnd end) {
  if (has_end()) return;
  end_ = std::make_unique<ClientEnd>(std::move(end));
  state_ = State::kOver;
  loop_.Touch(*this);
}

void EpollLink::End(ClientClose why, std::string detail) {
  ClientEnd end;
  end.why = why;
  end.detail = std::move(detail);
  End(std::move(end));
}

void EpollLink::OnReady(std::uint32_t events) {
  if (state_ == State::kConnecting) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return End(ClientClose::kConnectFailed, "connect: " + Reason(error));
    if ((events & EPOLLOUT) == 0) return;
    OnConnected();
  }
  if (state_ == State::kTls) ContinueTls();
  if (!is_up()) return;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0 && !paused_) Read();
  if ((events & EPOLLOUT) == 0 || !is_up()) return;
  if (is_tls()) tls_->Flush();
  if (out_ != nullptr) WantWrite();
}

void EpollLink::OnConnected() {
  if (!is_tls()) return OnTransportUp();
  state_ = State::kTls;
  const Status started = tls_->Start(fd_);
  if (!started.ok()) End(ClientClose::kConnectFailed, started.error().message);
}

void EpollLink::ContinueTls() {
  switch (tls_->Handshake()) {
    case TlsSession::Step::kDone: return OnTransportUp();
    case TlsSession::Step::kAgain: return;
    case TlsSession::Step::kUntrusted: return End(ClientClose::kUntrusted, tls_->Trouble());
    case TlsSession::Step::kFailed: return End(ClientClose::kConnectFailed, tls_->Trouble());
  }
}

void EpollLink::OnTransportUp() {
  state_ = State::kUpgrading;
  if (const auto first = std::exchange(first_, nullptr)) Send(*first);
}

bool EpollLink::ReadOnce(std::size_t most, bool& drained) {
  std::vector<char>& buffer = loop_.read_buffer();
  const std::size_t wanted = std::min(most, buffer.size());
  const bool open = state_ == State::kOpen || state_ == State::kClosing;
  const ClientClose why = open ? ClientClose::kByPeer : ClientClose::kConnectFailed;
  ssize_t got = 0;
  if (is_tls()) {
    got = tls_->Read({buffer.data(), wanted});
    drained = got < 0;
  } else {
    got = ::recv(fd_, buffer.data(), wanted, 0);
    drained =
        got < static_cast<ssize_t>(wanted);  // epoll(7): a stream socket that gave less has no more
    if (got < 0 && errno != EAGAIN) {
      End(why, Reason(errno));
      return false;
    }
  }
  if (got == 0) {
    End(why, "closed by the peer");
    return false;
  }
  if (got < 0) return false;
  ws_.OnBytes({buffer.data(), static_cast<std::size_t>(got)});
  Drain();
  return !has_end();
}

void EpollLink::Read() {
  bool drained = false;
  while (!paused_ && ReadOnce(kReadBytes, drained) && !drained) {
  }
}

void EpollLink::ReadSome(std::size_t bytes) {
  bool drained = false;
  if (is_up()) ReadOnce(bytes, drained);
}

void EpollLink::Pause(bool paused) {
  const bool resumes = std::exchange(paused_, paused) && !paused;
  if (resumes && is_up()) Read();
}

void EpollLink::Drain() {
  while (const std::optional<WsEvent> event = ws_.Next()) {
    OnEvent(*event);
    if (has_end()) return;
  }
}

void EpollLink::OnEvent(const WsEvent& event) {
  switch (event.kind) {
    case WsEvent::Kind::kOpened: state_ = State::kOpen; return delegate_.OnOpened();
    case WsEvent::Kind::kMessage:
      if (state_ == State::kOpen) delegate_.OnMessage(event.bytes);
      return;
    case WsEvent::Kind::kPing: {
      if (out_ != nullptr)
        return;  // a peer that asks while we cannot answer will see that we do not
      std::string pong;
      AppendFrame(pong, WsOpcode::kPong, event.bytes, loop_.NextMask());
      Send(pong);
      return;
    }
    case WsEvent::Kind::kOver: {
      ClientEnd end = event.end;
      if (end.why == ClientClose::kByPeer && state_ == State::kOpen) {
        Send(CloseFrame(end.close_code == 0 ? 1000 : end.close_code, loop_.NextMask()));
      }
      if (end.why == ClientClose::kByPeer && state_ == State::kClosing)
        end.why = ClientClose::kByUs;
      return End(std::move(end));
    }
  }
}

bool EpollLink::Send(std::string_view bytes) {
  if (out_ != nullptr) {
    out_->append(bytes);
    return false;
  }
  while (!bytes.empty()) {
    const ssize_t sent =
        is_tls() ? tls_->Write(bytes) : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) break;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  // A socket that is broken says so when it is read.
  if (bytes.empty()) return true;
  out_ = std::make_unique<std::string>(bytes);
  return false;
}

bool EpollLink::SendOut() {
  if (out_ == nullptr) return true;
  const auto waiting = std::exchange(out_, nullptr);
  return Send(*waiting);
}

void EpollLink::WantWrite() {
  if (wants_write_ || state_ == State::kOver) return;
  wants_write_ = true;
  loop_.Touch(*this);
}

void EpollLink::SendRaw(std::string bytes) {
  if (state_ < State::kUpgrading) {
    first_ = std::make_unique<std::string>(std::move(bytes));
  } else if (is_up()) {
    Send(bytes);
  }
}

void EpollLink::Flush() {
  wants_write_ = false;
  if (!is_up() || !SendOut()) return;
  if (state_ == State::kOpen) {
    while (auto message = delegate_.NextMessage()) {
      std::string frame;
      AppendFrame(frame, WsOpcode::kBinary, *message, loop_.NextMask());
      if (!Send(frame) || closes_ || state_ != State::kOpen) break;
    }
  }
  if (!closes_ || out_ != nullptr || !is_up()) return;
  closes_ = false;
  state_ = State::kClosing;
  Send(CloseFrame(close_code_, loop_.NextMask()));
}

void EpollLink::Close(std::uint16_t code) {
  if (state_ == State::kOver || closes_ || state_ == State::kClosing) return;
  if (state_ != State::kOpen) return End(ClientClose::kByUs, {});
  close_code_ = code;
  closes_ = true;
  paused_ = false;
  loop_.CloseLater(*this);
  WantWrite();
}

void EpollLink::Cut() {
  const linger now{1, 0};
  if (fd_ >= 0) ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  End(ClientClose::kByUs, {});
}

void EpollLink::OnTimeout() {
  if (state_ == State::kClosing || closes_) return End(ClientClose::kByUs, {});
  if (state_ < State::kOpen) End(ClientClose::kConnectFailed, "no answer in time");
}

// --- all of them ----------------------------------------------------------------------------------

Status EpollLinks::Init() {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) return Error{Code::kInternal, "epoll: " + Reason(errno)};
  if (options_.ca_pem.empty()) return Ok();
  HF_ASSIGN_OR_RETURN(tls_, TlsClient::Create(options_.ca_pem, options_.resumes));
  return Ok();
}

Result<EpollLinks::Peer*> EpollLinks::Find(const std::string& url) {
  const auto known = peers_.find(url);
  if (known != peers_.end()) return &known->second;
  Peer peer;
  HF_ASSIGN_OR_RETURN(peer.url, ParseServerUrl(url));
  if (peer.url.tls && tls_ == nullptr) {
    return Error{Code::kInvalid, "wss:// needs a CA certificate to trust"};
  }
  HF_ASSIGN_OR_RETURN(peer.address, LookUp(peer.url));
  peer.host_port = url.substr(url.find("://") + 3);
  return &peers_.emplace(url, std::move(peer)).first->second;
}

std::uint32_t EpollLinks::TakeSlot() {
  if (free_.empty()) {
    links_.emplace_back();
    return static_cast<std::uint32_t>(links_.size() - 1);
  }
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  return slot;
}

Result<Link*> EpollLinks::Dial(const Target& target, LinkDelegate& delegate) {
  HF_ASSIGN_OR_RETURN(Peer* const peer, Find(target.url));
  const WsKey key = NewWsKey();
  auto link = std::make_unique<EpollLink>(
      *this, WsClient(key.accept, target.subprotocol, options_.max_message_bytes), delegate);
  if (!target.without_upgrade) {
    link->first_ = std::make_unique<std::string>(
        UpgradeRequest({peer->host_port, target.path, target.subprotocol, key.text}));
  }
  if (peer->url.tls) {
    HF_ASSIGN_OR_RETURN(link->tls_, tls_->NewSession(peer->url.host));
  }
  link->slot_ = TakeSlot();
  link->generation_ = ++generation_;
  EpollLink* const out = link.get();
  links_[link->slot_] = std::move(link);
  const Status started = out->Start(peer->address, target.source_ipv4);
  if (!started.ok()) out->End(ClientClose::kConnectFailed, started.error().message);
  dialling_.push_back({Now() + options_.handshake_timeout, HandleOf(*out)});
  return static_cast<Link*>(out);
}

EpollLink* EpollLinks::LinkOf(std::uint64_t handle) {
  const auto slot = static_cast<std::size_t>(handle & 0xffffffffU);
  EpollLink* const link = slot < links_.size() ? links_[slot].get() : nullptr;
  return link != nullptr && HandleOf(*link) == handle ? link : nullptr;
}

void EpollLinks::FlushTouched() {
  // Those that are touched meanwhile come in the same call: a delegate's answer should not wait for a poll.
  for (std::size_t i = 0; i < touched_.size(); ++i) {
    EpollLink* const link = LinkOf(touched_[i]);
    if (link == nullptr) continue;
    if (!link->has_end()) link->Flush();
    if (!link->has_end()) continue;
    const std::uint32_t slot = link->slot_;
    link->Report();
    links_[slot].reset();
    free_.push_back(slot);
  }
  touched_.clear();
}

void EpollLinks::CheckTimes() {
  const TimePoint now = Now();
  for (std::deque<Due>* const queue : {&dialling_, &closing_}) {
    while (!queue->empty() && queue->front().at <= now) {
      if (EpollLink* const link = LinkOf(queue->front().handle)) link->OnTimeout();
      queue->pop_front();
    }
  }
}

int EpollLinks::WaitMs(Duration timeout) const {
  if (!touched_.empty()) return 0;
  const TimePoint now = Now();
  for (const std::deque<Due>* const queue : {&dialling_, &closing_}) {
    if (!queue->empty()) timeout = std::min(timeout, queue->front().at - now);
  }
  return static_cast<int>(std::max<Duration::rep>(timeout.count(), 0));
}

void EpollLinks::Service(Duration timeout) {
  std::array<epoll_event, kEventsPerTurn> events;
  FlushTouched();
  const int count = ::epoll_wait(epoll_, events.data(), kEventsPerTurn, WaitMs(timeout));
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.u64 == kWatched) continue;
    EpollLink* const link = LinkOf(event.data.u64);
    if (link != nullptr && !link->has_end()) link->OnReady(event.events);
  }
  CheckTimes();
  FlushTouched();
}

Status EpollLinks::WatchReadable(int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWatched;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0) return Ok();
  return Error{Code::kInternal, "epoll: " + Reason(errno)};
}

}  // namespace

Result<std::unique_ptr<Links>> Links::Create(Options options) {
  auto links = std::make_unique<EpollLinks>(std::move(options));
  HF_TRY(links->Init());
  return std::unique_ptr<Links>(std::move(links));
}

}  // namespace holdfast::fleet
