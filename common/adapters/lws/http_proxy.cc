#include "common/adapters/lws/http_proxy.h"

#include <algorithm>
#include <charconv>

#include "common/adapters/lws/lws_client.h"
#include "common/base/bytes.h"

namespace holdfast {
namespace {

constexpr std::string_view kScheme = "http://";
constexpr std::string_view kEndOfHead = "\r\n\r\n";
constexpr std::size_t kMaxReasonBytes = 64;  // it goes into logs

// RFC 4648, section 4, where our own formats have section 5.
std::string Base64(std::string_view bytes) {
  std::string out = ToBase64Url(bytes);
  std::replace(out.begin(), out.end(), '-', '+');
  std::replace(out.begin(), out.end(), '_', '/');
  out.append((4 - out.size() % 4) % 4, '=');
  return out;
}

Result<std::string> Unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string byte(1, text[i]);
    if (byte[0] == '%') {
      const std::string_view digits = text.substr(i + 1, 2);
      if (digits.size() != 2) return Error{Code::kInvalid, "% without two hex digits"};
      HF_ASSIGN_OR_RETURN(byte, FromHex(digits));
      i += 2;
    }
    // RFC 7617, section 2: no control characters; a line break would begin another header.
    if (static_cast<unsigned char>(byte[0]) < 0x20 || byte[0] == 0x7F) {
      return Error{Code::kInvalid, "a control character"};
    }
    out += byte;
  }
  return out;
}

}  // namespace

Result<HttpProxy> ParseProxyUrl(std::string_view url) {
  // Never what was given: it may hold a password.
  const auto bad = [](std::string_view why) {
    return Error{Code::kInvalid,
                 "proxy: " + std::string(why) + " (http://[USER:PASSWORD@]HOST:PORT)"};
  };
  if (url.size() > kMaxProxyUrlBytes) return bad("longer than 1024 bytes");
  if (!url.starts_with(kScheme)) return bad("must begin with http://");
  url.remove_prefix(kScheme.size());
  if (url.ends_with('/')) url.remove_suffix(1);  // as environment variables often have it
  HttpProxy out;
  if (const auto at = url.rfind('@'); at != std::string_view::npos) {
    const std::string_view login = url.substr(0, at);
    const auto colon = std::min(login.find(':'), login.size());
    auto user = Unescape(login.substr(0, colon));
    auto password = Unescape(login.substr(std::min(colon + 1, login.size())));
    if (!user.ok() || !password.ok())
      return bad("user or password: a wrong %XX or a control character");
    out.user = std::move(user).value();
    out.password = std::move(password).value();
    if (out.user.empty() || out.user.find(':') != std::string::npos) {
      return bad("the user is missing, or holds a colon");
    }
    url.remove_prefix(at + 1);
  }
  const auto place = ParseServerUrl("ws://" + std::string(url));
  if (!place.ok()) return bad("host or port is wrong");
  out.host = place.value().host;
  out.port = place.value().port;
  return out;
}

std::string ShowProxy(const HttpProxy& proxy) {
  const bool v6 = proxy.host.find(':') != std::string::npos;
  return std::string(kScheme) + (proxy.user.empty() ? "" : proxy.user + ":***@") +
         (v6 ? "[" + proxy.host + "]" : proxy.host) + ":" + std::to_string(proxy.port);
}

std::string ConnectRequest(const HttpProxy& proxy, std::string_view host, int port) {
  const bool v6 = host.find(':') != std::string_view::npos;
  const std::string target =
      (v6 ? "[" + std::string(host) + "]" : std::string(host)) + ":" + std::to_string(port);
  std::string out = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n";
  if (!proxy.user.empty()) {
    out += "Proxy-Authorization: Basic " + Base64(proxy.user + ":" + proxy.password) + "\r\n";
  }
  return out + "\r\n";
}

Result<std::optional<ConnectAnswer>> ParseConnectAnswer(std::string_view bytes) {
  constexpr std::string_view kVersion = "HTTP/1.";
  constexpr std::size_t kStatusAt = 9;  // HTTP/1.x NNN reason
  const Error not_http{Code::kInvalid, "what answers is no HTTP proxy"};
  if (bytes.substr(0, kVersion.size()) != kVersion.substr(0, bytes.size())) return not_http;
  const auto end = bytes.find(kEndOfHead);
  if (end == std::string_view::npos) {
    if (bytes.size() >= kMaxConnectAnswerBytes) return not_http;
    return std::optional<ConnectAnswer>();
  }
  const std::string_view line = bytes.substr(0, bytes.find("\r\n"));
  if (line.size() < kStatusAt + 3 || line[kStatusAt - 1] != ' ') return not_http;
  ConnectAnswer out;
  const char* const digits = line.data() + kStatusAt;
  const auto parsed = std::from_chars(digits, digits + 3, out.status);
  if (parsed.ptr != digits + 3 || out.status < 100) return not_http;
  if (line.size() > kStatusAt + 4) out.reason = line.substr(kStatusAt + 4, kMaxReasonBytes);
  out.head_bytes = end + kEndOfHead.size();
  return std::optional(std::move(out));
}

}  // namespace holdfast
