#include "backend/supervisor/proxied_sockets.h"

#include <array>
#include <cerrno>
#include <utility>

#include <sys/socket.h>

#include "backend/adapters/linux/address_set.h"
#include "backend/core/proxy_header.h"

namespace holdfast::backend {
namespace {

constexpr std::size_t kMaxUnnamed = 1024;  // a proxy says its line at once
constexpr double kHeaderSeconds = 5.0;

// Not readable until more than what was looked at is there.
void WaitForMoreThan(int fd, std::size_t bytes) {
  const int least = static_cast<int>(bytes) + 1;
  (void)::setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof least);
}

}  // namespace

struct ProxiedSockets::Socket {
  ProxiedSockets* owner;
  std::uint64_t number;
  Listener* listener;
  Listener::Accepted accepted;
  std::size_t seen = 0;  // bytes of a header that was not whole
  ev_io io{};
  ev_timer deadline{};
};

ProxiedSockets::ProxiedSockets(struct ev_loop* loop, ProxiedDelegate& delegate,
                               ProxyRefusals& refusals)
    : loop_(loop), delegate_(delegate), refusals_(refusals) {}

ProxiedSockets::~ProxiedSockets() {
  while (!sockets_.empty()) Forget(sockets_.begin()->first);
}

void ProxiedSockets::Take(Listener& listener, Listener::Accepted accepted) {
  if (sockets_.size() >= kMaxUnnamed) {
    return refusals_.Add(accepted.peer_address, ProxyRefusal::kTooMany);
  }
  auto owned = std::make_unique<Socket>(
      Socket{this, next_++, &listener, std::move(accepted), 0, ev_io{}, ev_timer{}});
  Socket& socket = *owned;
  ev_io_init(
      &socket.io,
      [](struct ev_loop*, ev_io* io, int) {
        auto* const here = static_cast<Socket*>(io->data);
        here->owner->OnReadable(here->number);
      },
      socket.accepted.fd.get(), EV_READ);
  socket.io.data = &socket;
  ev_io_start(loop_, &socket.io);
  ev_timer_init(
      &socket.deadline,
      [](struct ev_loop*, ev_timer* timer, int) {
        auto* const here = static_cast<Socket*>(timer->data);
        here->owner->Refuse(here->number, ProxyRefusal::kNoHeader);
      },
      kHeaderSeconds, 0.0);
  socket.deadline.data = &socket;
  ev_timer_start(loop_, &socket.deadline);
  sockets_.emplace(socket.number, std::move(owned));
}

void ProxiedSockets::OnReadable(std::uint64_t number) {
  Socket& socket = *sockets_.at(number);
  std::array<char, kMaxProxyHeaderBytes> buffer;
  // What follows the header is the client's, for whoever gets the socket: it stays in it.
  const ssize_t got = ::recv(socket.accepted.fd.get(), buffer.data(), buffer.size(), MSG_PEEK);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return Refuse(number, ProxyRefusal::kEnded);
  const auto size = static_cast<std::size_t>(got);
  // Readable, and nothing came: it was closed behind what we have seen, and would be readable for ever.
  if (size == socket.seen) return Refuse(number, ProxyRefusal::kEnded);
  socket.seen = size;
  const ProxyHeader header = ParseProxyHeader({buffer.data(), size});
  switch (header.kind) {
    case ProxyHeader::Kind::kMore:
      if (size >= buffer.size()) return Refuse(number, ProxyRefusal::kBadHeader);
      return WaitForMoreThan(socket.accepted.fd.get(), size);
    case ProxyHeader::Kind::kBad: return Refuse(number, ProxyRefusal::kBadHeader);
    case ProxyHeader::Kind::kLocal:
      return Pass(number, header.length, socket.accepted.peer_address);
    case ProxyHeader::Kind::kProxied: break;
  }
  auto peer = PeerAddress(header.host, header.port);
  if (!peer.ok()) return Refuse(number, ProxyRefusal::kBadAddress);
  Pass(number, header.length, std::move(peer).value());
}

void ProxiedSockets::Refuse(std::uint64_t number, ProxyRefusal why) {
  refusals_.Add(sockets_.at(number)->accepted.peer_address, why);
  Forget(number);
}

void ProxiedSockets::Pass(std::uint64_t number, std::size_t header_bytes,
                          std::string peer_address) {
  Socket& socket = *sockets_.at(number);
  const int fd = socket.accepted.fd.get();
  std::array<char, kMaxProxyHeaderBytes> buffer;
  const ssize_t got = ::recv(fd, buffer.data(), header_bytes, 0);
  if (got != static_cast<ssize_t>(header_bytes)) return Refuse(number, ProxyRefusal::kEnded);
  WaitForMoreThan(fd, 0);
  Listener& listener = *socket.listener;
  Listener::Accepted accepted = std::move(socket.accepted);
  accepted.peer_address = std::move(peer_address);
  Forget(number);
  delegate_.OnProxied(listener, std::move(accepted));
}

void ProxiedSockets::Forget(std::uint64_t number) {
  const auto found = sockets_.find(number);
  ev_io_stop(loop_, &found->second->io);
  ev_timer_stop(loop_, &found->second->deadline);
  sockets_.erase(found);
}

}  // namespace holdfast::backend
