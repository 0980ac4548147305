#include "common/adapters/lws/http_tunnel.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <system_error>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace holdfast {
namespace {

using Clock = std::chrono::steady_clock;

class OwnedFd {
 public:
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;
  ~OwnedFd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

std::string Words(int error) { return std::generic_category().message(error); }

// False: not before `deadline`.
bool WaitFor(int fd, short events, Clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    pollfd one{fd, events, 0};
    const int ready = ::poll(&one, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

// 0, or why not.
int ConnectOne(int fd, const addrinfo& to, Clock::time_point deadline) {
  if (::connect(fd, to.ai_addr, to.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  if (!WaitFor(fd, POLLOUT, deadline)) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

Status SendAll(int fd, std::string_view bytes, Clock::time_point deadline) {
  while (!bytes.empty()) {
    const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno != EAGAIN && errno != EINTR) {
      return Error{Code::kUnavailable, Words(errno)};
    } else if (!WaitFor(fd, POLLOUT, deadline)) {
      return Error{Code::kUnavailable, "no answer in time"};
    }
  }
  return Ok();
}

// Takes exactly the answer's head: what follows is the server's, and for TLS to read. Only what is
// sure to be head is taken, so that a whole one is found in `head` at its very end.
Result<ConnectAnswer> ReadAnswer(int fd, Clock::time_point deadline) {
  std::array<char, kMaxConnectAnswerBytes> seen;
  std::string head;
  for (;;) {
    const auto got = ::recv(fd, seen.data(), seen.size() - head.size(), MSG_PEEK);
    if (got == 0) return Error{Code::kUnavailable, "it closed the connection without an answer"};
    if (got < 0 && errno != EAGAIN && errno != EINTR) {
      return Error{Code::kUnavailable, Words(errno)};
    }
    if (got < 0) {
      if (!WaitFor(fd, POLLIN, deadline)) return Error{Code::kUnavailable, "no answer in time"};
      continue;
    }
    const std::size_t before = head.size();
    head.append(seen.data(), static_cast<std::size_t>(got));
    HF_ASSIGN_OR_RETURN(const auto answer, ParseConnectAnswer(head));
    const std::size_t take = answer ? answer->head_bytes - before : static_cast<std::size_t>(got);
    if (::recv(fd, seen.data(), take, 0) != static_cast<ssize_t>(take)) {
      return Error{Code::kUnavailable, Words(errno)};
    }
    if (answer) return *answer;
  }
}

}  // namespace

Result<int> OpenTcp(std::string_view host, int port, Duration timeout) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string name(host);
  const int unknown = ::getaddrinfo(name.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (unknown != 0) return Error{Code::kNotFound, name + ": " + ::gai_strerror(unknown)};
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> all(found, ::freeaddrinfo);
  const auto end = Clock::now() + timeout;
  int error = EADDRNOTAVAIL;
  for (const addrinfo* one = found; one != nullptr && Clock::now() < end; one = one->ai_next) {
    OwnedFd fd(::socket(one->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (fd.get() < 0) continue;  // IPv6 is off here
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    error = ConnectOne(fd.get(), *one, std::min(end, Clock::now() + kAddressPatience));
    if (error == 0) return fd.Release();
  }
  return Error{Code::kUnavailable, name + ":" + std::to_string(port) + ": " + Words(error)};
}

Result<int> OpenTunnel(const HttpProxy& proxy, std::string_view host, int port, Duration timeout) {
  const auto deadline = Clock::now() + timeout;
  auto connected = OpenTcp(proxy.host, proxy.port, timeout);
  if (!connected.ok()) return std::move(connected).error().In("the proxy");
  OwnedFd fd(connected.value());
  const auto sent = SendAll(fd.get(), ConnectRequest(proxy, host, port), deadline);
  if (!sent.ok()) return Error{sent.error()}.In("the proxy");
  auto answer = ReadAnswer(fd.get(), deadline);
  if (!answer.ok()) return std::move(answer).error().In("the proxy");
  if (answer.value().status / 100 != 2) {
    return Error{Code::kDenied, "the proxy refused: HTTP " + std::to_string(answer.value().status) +
                                    " " + answer.value().reason};
  }
  return fd.Release();
}

}  // namespace holdfast
