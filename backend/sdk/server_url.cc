#include "backend/sdk/server_url.h"

#include <charconv>

namespace holdfast::sdk {
namespace {

constexpr std::size_t kMaxHostBytes = 253;  // RFC 1035 section 2.3.4, as text

bool IsHostChar(char c, bool in_brackets) {
  const bool alphanumeric =
      (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  return alphanumeric || c == '.' || (in_brackets ? c == ':' : (c == '-' || c == '_'));
}

Error Wrong(std::string_view text, const std::string& why) {
  return {Code::kInvalid, "'" + std::string(text) + "': " + why};
}

}  // namespace

Result<ServerUrl> ParseHostPort(std::string_view text) {
  ServerUrl url;
  std::string_view port;
  const bool in_brackets = text.starts_with('[');
  if (in_brackets) {
    const std::size_t close = text.find("]:");
    if (close == std::string_view::npos)
      return Wrong(text, "an IPv6 address is written [HOST]:PORT");
    url.host = text.substr(1, close - 1);
    port = text.substr(close + 2);
  } else {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return Wrong(text, "no port; write HOST:PORT");
    url.host = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  bool good_host = !url.host.empty() && url.host.size() <= kMaxHostBytes;
  for (const char c : url.host) good_host = good_host && IsHostChar(c, in_brackets);
  if (!good_host) return Wrong(text, "not a host name or address before the port");
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
  if (error != std::errc() || end != port.data() + port.size() || url.port == 0) {
    return Wrong(text, "the port is not a number from 1 to 65535");
  }
  return url;
}

Result<ServerUrl> ServerUrl::Parse(std::string_view text) {
  bool tls = true;
  std::string_view rest = text;
  if (rest.starts_with("wss://")) {
    rest.remove_prefix(6);
  } else if (rest.starts_with("ws://")) {
    rest.remove_prefix(5);
    tls = false;
  } else {
    return Wrong(text, "not of the form wss://HOST:PORT");
  }
  HF_ASSIGN_OR_RETURN(ServerUrl url, ParseHostPort(rest));
  url.tls = tls;
  return url;
}

std::string ServerUrl::host_port() const {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return (is_ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string ServerUrl::str() const { return (tls ? "wss://" : "ws://") + host_port(); }

bool IsLoopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

}  // namespace holdfast::sdk
