// RawWebSocket: a client that can say anything, byte by byte, to a server in this process.
//
// Loopback TCP without TLS. Never blocks: the test turns the server's loop between its calls.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace holdfast::test {

// Both ends of a TCP connection over loopback: {client, server}.
inline std::pair<int, int> TcpPair() {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof at;
  auto* const address = reinterpret_cast<sockaddr*>(&at);
  const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int server = -1;
  if (::bind(listener, address, length) == 0 && ::listen(listener, 1) == 0 &&
      ::getsockname(listener, address, &length) == 0 && ::connect(client, address, length) == 0) {
    server = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  }
  ::close(listener);
  ::fcntl(client, F_SETFL, O_NONBLOCK);
  return {client, server};
}

class RawWebSocket {
 public:
  explicit RawWebSocket(int fd) : fd_(fd) {}
  ~RawWebSocket() { Drop(); }
  RawWebSocket(const RawWebSocket&) = delete;
  RawWebSocket& operator=(const RawWebSocket&) = delete;

  void Drop() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  // What the socket takes now; the rest stays for the next call.
  void Send(std::string_view bytes) {
    unsent_ += bytes;
    Flush();
  }
  void Flush() {
    while (!unsent_.empty()) {
      const ssize_t sent = ::send(fd_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      unsent_.erase(0, static_cast<std::size_t>(sent));
    }
  }
  // Everything that arrived so far and was not taken.
  std::string& received() {
    char buffer[65536];
    ssize_t got = 0;
    while ((got = ::recv(fd_, buffer, sizeof buffer, 0)) > 0) {
      received_.append(buffer, static_cast<std::size_t>(got));
    }
    if (got == 0) ended_ = true;
    if (got < 0 && errno != EAGAIN) ended_ = true;
    return received_;
  }
  bool ended() {
    received();
    return ended_;
  }

  static std::string Upgrade(std::string_view path, std::string_view subprotocol,
                             std::string_view more = "") {
    return "GET " + std::string(path) +
           " HTTP/1.1\r\nHost: gateway.test:8443\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
           (subprotocol.empty() ? ""
                                : "Sec-WebSocket-Protocol: " + std::string(subprotocol) + "\r\n") +
           std::string(more) + "\r\n";
  }
  // first: FIN and opcode, such as 0x82. The mask is zero, so the payload is what it looks like.
  static std::string Header(std::uint8_t first, std::uint64_t bytes) {
    std::string out(1, static_cast<char>(first));
    if (bytes < 126) {
      out += static_cast<char>(0x80 | bytes);
    } else if (bytes < 65536) {
      out += static_cast<char>(0x80 | 126);
      for (int shift = 8; shift >= 0; shift -= 8) out += static_cast<char>(bytes >> shift);
    } else {
      out += static_cast<char>(0x80 | 127);
      for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(bytes >> shift);
    }
    return out + std::string(4, '\0');
  }
  static std::string Binary(std::string_view payload) {
    return Header(0x82, payload.size()) + std::string(payload);
  }

 private:
  int fd_;
  std::string unsent_;
  std::string received_;
  bool ended_ = false;
};

}  // namespace holdfast::test
