// HttpProxy: an HTTP proxy that is asked for a tunnel (CONNECT, RFC 9110 9.3.6), and what is said to it.
//
// Only the words: no socket. The tunnel itself is dumb: TLS runs inside it, to the server, and verifies
// the server's name, never the proxy's.
//
// Limits:    kMaxConnectAnswerBytes of an answer's head; above it the answer is refused.
// Threading: values and pure functions.
// Errors:    kInvalid: not a proxy's URL; not an HTTP answer.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace holdfast {

inline constexpr std::size_t kMaxConnectAnswerBytes = std::size_t{8} * 1024;
inline constexpr std::size_t kMaxProxyUrlBytes = 1024;

struct HttpProxy {
  std::string host;  // without brackets
  int port = 0;
  std::string user;  // with password empty, and both empty: no Proxy-Authorization is sent
  std::string password;
};

// http://[USER:PASSWORD@]HOST:PORT, with %XX for what cannot stand in USER and PASSWORD.
Result<HttpProxy> ParseProxyUrl(std::string_view url);
// The same for people: without the password.
std::string ShowProxy(const HttpProxy& proxy);

std::string ConnectRequest(const HttpProxy& proxy, std::string_view host, int port);

struct ConnectAnswer {
  int status = 0;              // 2xx: the tunnel is open
  std::string reason;          // the words after it, at most 64 B; hostile
  std::size_t head_bytes = 0;  // what follows these belongs to the tunnel
};
// nullopt: not whole yet. kInvalid: no HTTP, or a head above the limit.
Result<std::optional<ConnectAnswer>> ParseConnectAnswer(std::string_view bytes);

}  // namespace holdfast
