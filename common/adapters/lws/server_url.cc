#include <charconv>

#include "common/adapters/lws/lws_client.h"

namespace holdfast {
namespace {

bool IsHostByte(char c, bool v6) {
  const bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return alnum || c == '.' || (v6 ? c == ':' : c == '-' || c == '_');
}

}  // namespace

Result<ServerUrl> ParseServerUrl(std::string_view url) {
  const auto bad = [&](std::string_view why) {
    return Error{Code::kInvalid, "server '" + std::string(url.substr(0, 200)) + "': " +
                                     std::string(why) + " (wss://HOST:PORT or ws://HOST:PORT)"};
  };
  ServerUrl out;
  std::string_view rest = url;
  if (rest.starts_with("wss://")) {
    out.tls = true;
    rest.remove_prefix(6);
  } else if (rest.starts_with("ws://")) {
    rest.remove_prefix(5);
  } else {
    return bad("must begin with wss:// or ws://");
  }
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos) return bad("the port is missing");
  std::string_view host = rest.substr(0, colon);
  const std::string_view port = rest.substr(colon + 1);
  const bool v6 = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (v6) host = host.substr(1, host.size() - 2);
  if (host.empty()) return bad("the host is missing");
  if (host.size() > kMaxHostBytes) return bad("the host is longer than 127 bytes");
  for (const char c : host) {
    if (!IsHostByte(c, v6)) return bad("the host has a character that no host has");
  }
  // lws cuts the name that it verifies at the first colon: an IPv6 address would not be verified.
  if (v6 && out.tls) return bad("over TLS the server needs a name or an IPv4 address");
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
  if (error != std::errc() || end != port.data() + port.size() || out.port < 1 ||
      out.port > 65535) {
    return bad("the port must be 1 to 65535, and nothing may follow it");
  }
  out.host = std::string(host);
  return out;
}

}  // namespace holdfast
