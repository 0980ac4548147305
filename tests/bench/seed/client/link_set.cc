#include "tests/bench/seed/client/link_set.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "tests/bench/seed/client/seed_answer.h"

namespace holdfast::bench {
namespace {

constexpr std::uint32_t kLinksPerSource = 1000;
constexpr std::uint64_t kMaxReconnects = 200'000;  // a server that is gone
constexpr std::size_t kBufferBytes = std::size_t{64} * 1024;
constexpr int kEventsPerTurn = 512;
constexpr std::string_view kOwnRequest = R"({"c":0})";

Error Failed(const char* what) {
  const Code code = errno == EMFILE || errno == ENFILE ? Code::kExhausted : Code::kInternal;
  return Error{code, std::string(what) + ": " + strerror(errno)};
}

sockaddr_in Loopback(std::uint32_t address, std::uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(address);
  at.sin_port = htons(port);
  return at;
}

}  // namespace

std::int64_t MonotonicUs() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(since).count();
}

LinkSet::LinkSet(const Options& options, LinkSetDelegate& delegate)
    : options_(options),
      delegate_(delegate),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      buffer_(kBufferBytes) {}

Status LinkSet::Add(std::size_t count) {
  if (!epoll_.valid()) return Failed("epoll_create1");
  for (std::size_t i = 0; i < count; ++i) {
    links_.emplace_back();
    HF_TRY(Connect(links_.size() - 1));
  }
  return Ok();
}

Status LinkSet::Connect(std::size_t index) {
  Link& link = links_[index];
  link.fd = backend::UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!link.fd.valid()) return Failed("socket");
  const int fd = link.fd.get();
  const int on = 1;
  // Ports are chosen per pair of addresses at connect(), so an address has 28,000 of them per server.
  ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  constexpr std::uint32_t kFirst = (std::uint32_t{127} << 24) | (1U << 16) | 1U;  // 127.1.0.1
  const std::uint32_t source =
      kFirst + options_.first_source + static_cast<std::uint32_t>(index) / kLinksPerSource;
  const sockaddr_in from = Loopback(source, 0);
  const sockaddr_in to = Loopback(INADDR_LOOPBACK, options_.port);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) return Failed("bind");
  link.state = State::kConnecting;
  link.waits_for_room = true;
  link.partial.clear();
  link.unsent.clear();
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 &&
      errno != EINPROGRESS) {
    Reconnect(index);
    return failure_;
  }
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT;
  event.data.u64 = index;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return Failed("epoll_ctl");
  return Ok();
}

void LinkSet::Reconnect(std::size_t index) {
  Link& link = links_[index];
  if (link.state == State::kOpen) --open_;
  link.state = State::kClosed;
  link.fd = backend::UniqueFd();
  to_connect_.push_back(index);
  if (++reconnects_ > kMaxReconnects) {
    failure_ = Error{Code::kExhausted, "the server keeps no connection"};
  }
}

Status LinkSet::Turn(int timeout_ms) {
  for (const std::size_t index : std::exchange(to_connect_, {})) HF_TRY(Connect(index));
  SendOwn();
  std::array<epoll_event, kEventsPerTurn> events;
  if (!to_connect_.empty()) timeout_ms = 0;
  const int count = ::epoll_wait(epoll_.get(), events.data(), kEventsPerTurn, timeout_ms);
  if (count < 0 && errno != EINTR) return Failed("epoll_wait");
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    OnReady(static_cast<std::size_t>(event.data.u64), event.events);
  }
  return failure_;
}

void LinkSet::OnReady(std::size_t index, std::uint32_t events) {
  Link& link = links_[index];
  if (link.state == State::kConnecting && !OnConnected(index)) return;
  if ((events & EPOLLOUT) != 0 && link.waits_for_room) Flush(index);
  if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) OnReadable(index);
}

bool LinkSet::OnConnected(std::size_t index) {
  Link& link = links_[index];
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(link.fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) {
    Reconnect(index);
    return false;
  }
  link.state = State::kUpgrading;
  link.unsent = UpgradeRequest("127.0.0.1:" + std::to_string(options_.port), index);
  return true;
}

void LinkSet::OnReadable(std::size_t index) {
  Link& link = links_[index];
  // What was left over goes in front, so that whole frames are parsed where they were read to.
  const std::size_t kept = link.partial.size();
  std::memcpy(buffer_.data(), link.partial.data(), kept);
  const ssize_t got =
      ::recv(link.fd.get(), buffer_.data() + kept, buffer_.size() - kept, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return Reconnect(index);
  const std::string_view bytes(buffer_.data(), kept + static_cast<std::size_t>(got));
  const std::optional<std::size_t> used = Take(index, bytes);
  if (!used) return Reconnect(index);
  link.partial.assign(bytes.substr(*used));
}

std::optional<std::size_t> LinkSet::Take(std::size_t index, std::string_view bytes) {
  std::size_t used = 0;
  if (links_[index].state == State::kUpgrading) {
    const Parsed head = ParseUpgradeAnswer(bytes, index, used);
    if (head == Parsed::kPartial) return 0;
    if (head == Parsed::kBad) return std::nullopt;
    links_[index].state = State::kOpen;
    ++open_;
    if (options_.own_every_s != 0 && !std::exchange(links_[index].was_open, true)) {
      own_.push_back({MonotonicUs() + std::int64_t{options_.own_every_s} * 1'000'000, index});
    }
    delegate_.OnOpened(index);
  }
  while (true) {
    ServerFrame frame;
    const Parsed parsed = ParseServerFrame(bytes.substr(used), frame);
    if (parsed == Parsed::kPartial) return used;
    if (parsed == Parsed::kBad || !OnFrame(index, frame)) return std::nullopt;
    used += frame.bytes_used;
  }
}

bool LinkSet::OnFrame(std::size_t index, const ServerFrame& frame) {
  switch (frame.opcode) {
    case Opcode::kClose: return false;
    case Opcode::kPong: return true;
    case Opcode::kPing: {
      std::string pong;
      AppendFrame(pong, Opcode::kPong, frame.payload, NextMask());
      Send(index, pong);
      return true;
    }
    case Opcode::kText: break;
  }
  const std::optional<SeedAnswer> answer = ParseSeedAnswer(frame.payload);
  if (!answer) {
    ++bad_answers_;
    return true;
  }
  ++answers_;
  delegate_.OnAnswer(index, answer->c);
  return true;
}

void LinkSet::Send(std::size_t index, std::string_view frames) {
  Link& link = links_[index];
  if (link.state != State::kOpen) return;
  if (link.unsent.empty()) {
    const ssize_t sent =
        ::send(link.fd.get(), frames.data(), frames.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    // An error shows again when the link is read.
    frames.remove_prefix(sent > 0 ? static_cast<std::size_t>(sent) : 0);
  }
  if (frames.empty()) return;
  link.unsent += frames;
  Watch(index, true);
}

void LinkSet::Flush(std::size_t index) {
  Link& link = links_[index];
  const ssize_t sent =
      ::send(link.fd.get(), link.unsent.data(), link.unsent.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent > 0) link.unsent.erase(0, static_cast<std::size_t>(sent));
  if (link.unsent.empty()) {
    link.unsent.shrink_to_fit();
    Watch(index, false);
  }
}

void LinkSet::Watch(std::size_t index, bool for_room) {
  Link& link = links_[index];
  if (link.waits_for_room == for_room) return;
  link.waits_for_room = for_room;
  epoll_event event{};
  event.events = EPOLLIN | (for_room ? std::uint32_t{EPOLLOUT} : 0U);
  event.data.u64 = index;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, link.fd.get(), &event);
}

std::uint32_t LinkSet::NextMask() {
  mask_ ^= mask_ << 13;  // xorshift32
  mask_ ^= mask_ >> 17;
  mask_ ^= mask_ << 5;
  return mask_;
}

void LinkSet::SendOwn() {
  const std::int64_t now_us = MonotonicUs();
  const std::int64_t every_us = std::int64_t{options_.own_every_s} * 1'000'000;
  while (!own_.empty() && own_.front().due_us <= now_us) {
    const Own own{now_us + every_us, own_.front().link};
    own_.pop_front();
    std::string frame;
    AppendFrame(frame, Opcode::kText, kOwnRequest, NextMask());
    Send(own.link, frame);
    own_.push_back(own);
  }
}

}  // namespace holdfast::bench
