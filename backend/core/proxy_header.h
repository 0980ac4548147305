// ParseProxyHeader: the PROXY protocol, by which a proxy says whose connection it passes on.
//
// Versions 1 (a line) and 2 (binary), as haproxy and nginx send them before the first byte of the client's:
// https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt. TCP over IPv4 and IPv6; what stands behind the
// addresses (TLVs) is skipped. Asked only about the sockets of proxies that the configuration trusts.
//
//   first bytes of a socket --> kMore | kBad | kLocal (the proxy's own, a check) | kProxied, host and port
//
// Limits:    kMaxProxyHeaderBytes; a header that announces more is kBad.
// Threading: pure function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::backend {

// The addresses of version 2 and 520 bytes of TLVs: those about TLS take 100 to 200.
inline constexpr std::size_t kMaxProxyHeaderBytes = 572;

struct ProxyHeader {
  enum class Kind : std::uint8_t { kMore, kBad, kLocal, kProxied };
  Kind kind = Kind::kBad;
  std::size_t length = 0;  // of the header; kLocal and kProxied
  std::string host;        // kProxied: text for inet_pton, which has the last word about it
  std::uint16_t port = 0;
};
ProxyHeader ParseProxyHeader(std::string_view bytes);

}  // namespace holdfast::backend
