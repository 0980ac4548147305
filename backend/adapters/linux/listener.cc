#include "backend/adapters/linux/listener.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "backend/adapters/linux/kept_sockets.h"

namespace holdfast::backend {
namespace {

// Who waits while admission holds back; the kernel lowers it to net.core.somaxconn.
constexpr int kBacklog = 4096;
// Descriptors come back when links close, memory when others give it back: soon, or not for long.
constexpr double kPauseSeconds = 0.1;

struct Address {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_storage);
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

std::optional<Address> ToAddress(const ListenAddress& from) {
  Address out;
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
  if (::inet_pton(AF_INET, from.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(from.port);
    out.length = sizeof *v4;
    return out;
  }
  if (::inet_pton(AF_INET6, from.host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(from.port);
    out.length = sizeof *v6;
    return out;
  }
  return std::nullopt;
}

std::string ToText(const Address& from) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (from.storage.ss_family == AF_INET) {
    const auto* const v4 = reinterpret_cast<const sockaddr_in*>(&from.storage);
    ::inet_ntop(AF_INET, &v4->sin_addr, text.data(), text.size());
    return std::string(text.data()) + ":" + std::to_string(ntohs(v4->sin_port));
  }
  if (from.storage.ss_family != AF_INET6) return {};
  const auto* const v6 = reinterpret_cast<const sockaddr_in6*>(&from.storage);
  const std::string port = std::to_string(ntohs(v6->sin6_port));
  if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
    ::inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], text.data(), text.size());
    return std::string(text.data()) + ":" + port;
  }
  ::inet_ntop(AF_INET6, &v6->sin6_addr, text.data(), text.size());
  return "[" + std::string(text.data()) + "]:" + port;
}

Error Failed(const ListenAddress& address) {
  const Code code = errno == EADDRINUSE ? Code::kExists
                    : errno == EACCES   ? Code::kDenied
                                        : Code::kInternal;
  return Error{code, address.text() + ": " + std::generic_category().message(errno)};
}

}  // namespace

std::string SourceOf(const std::string& peer_address) {
  const std::size_t colon = peer_address.rfind(':');
  if (!peer_address.starts_with('[') || colon < 2) return peer_address.substr(0, colon);
  in6_addr address{};
  std::string host = peer_address.substr(1, colon - 2);  // without the brackets
  if (::inet_pton(AF_INET6, host.c_str(), &address) != 1) return host;
  std::memset(&address.s6_addr[8], 0, 8);
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET6, &address, text.data(), text.size());
  return text.data();
}

std::string LocalAddress(int fd) {
  Address at;
  if (::getsockname(fd, at.get(), &at.length) != 0) return {};
  return ToText(at);
}

Result<std::unique_ptr<Listener>> Listener::OpenUnix(struct ev_loop* loop, const std::string& path,
                                                     ListenerDelegate& delegate) {
  const auto failed = [&path] {
    return Error{Code::kInternal, path + ": " + std::generic_category().message(errno)};
  };
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  if (path.size() >= sizeof at.sun_path) return Error{Code::kInvalid, path + ": too long"};
  std::memcpy(at.sun_path, path.data(), path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return failed();
  ::unlink(path.c_str());
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 ||
      ::chmod(path.c_str(), 0600) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    return failed();
  }
  return std::unique_ptr<Listener>(new Listener(loop, std::move(fd), delegate));
}

Result<std::unique_ptr<Listener>> Listener::Open(struct ev_loop* loop, const ListenAddress& address,
                                                 ListenerDelegate& delegate, KeptSockets* kept) {
  auto at = ToAddress(address);
  if (!at) return Error{Code::kInvalid, address.text() + ": not a numeric address"};
  if (kept != nullptr) {
    UniqueFd fd = kept->Take(ToText(*at));
    if (fd.valid()) return std::unique_ptr<Listener>(new Listener(loop, std::move(fd), delegate));
  }
  UniqueFd fd(::socket(at->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return Failed(address);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd.get(), at->get(), at->length) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    return Failed(address);
  }
  return std::unique_ptr<Listener>(new Listener(loop, std::move(fd), delegate));
}

Listener::Listener(struct ev_loop* loop, UniqueFd fd, ListenerDelegate& delegate)
    : loop_(loop), fd_(std::move(fd)), delegate_(delegate) {
  ev_io_init(
      &io_,
      [](struct ev_loop*, ev_io* io, int) {
        auto* const self = static_cast<Listener*>(io->data);
        self->delegate_.OnAcceptable(*self);
      },
      fd_.get(), EV_READ);
  io_.data = this;
  ev_timer_init(
      &pause_,
      [](struct ev_loop*, ev_timer* timer, int) { static_cast<Listener*>(timer->data)->Watch(); },
      kPauseSeconds, 0.0);
  pause_.data = this;
}

Listener::~Listener() {
  ev_io_stop(loop_, &io_);
  ev_timer_stop(loop_, &pause_);
}

std::optional<Listener::Accepted> Listener::Accept() {
  Address peer;
  UniqueFd fd(::accept4(fd_.get(), peer.get(), &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd.valid()) {
    // accept(2); everything else says that nobody waits, or that who waited is gone.
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) Pause();
    return std::nullopt;
  }
  return Accepted{std::move(fd), ToText(peer)};
}

void Listener::Pause() {
  ev_io_stop(loop_, &io_);
  ev_timer_stop(loop_, &pause_);
  ev_timer_set(&pause_, kPauseSeconds, 0.0);
  ev_timer_start(loop_, &pause_);
}

void Listener::Watch() {
  if (wanted_ && !ev_is_active(&pause_)) {
    ev_io_start(loop_, &io_);
  } else {
    ev_io_stop(loop_, &io_);
  }
}

void Listener::SetAccepting(bool on) {
  wanted_ = on;
  Watch();
}

std::string Listener::address() const { return LocalAddress(fd_.get()); }

}  // namespace holdfast::backend
