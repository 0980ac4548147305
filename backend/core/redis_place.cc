#include "backend/core/redis_place.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "backend/core/config.h"

namespace holdfast::backend {
namespace {

constexpr std::string_view kRedis = "redis://";
constexpr std::string_view kSentinels = "sentinel://";
constexpr std::size_t kMaxMasterBytes = 64;
constexpr std::size_t kMaxRedisHostBytes = 253;  // RFC 1035 section 2.3.4

Error WrongPlace() {
  return {Code::kInvalid,
          "must be \"\", \"unix:///PATH\", \"redis://HOST:PORT\" or "
          "\"sentinel://HOST:PORT,HOST:PORT,.../MASTER\""};
}

// The same shape as a server's URL: HOST:PORT and nothing else.
bool IsHostAndPort(std::string_view text) {
  return ParseServerUrl("ws://" + std::string(text)).ok();
}

bool IsNameLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

}  // namespace

Result<RedisPlace> ParseRedisPlace(std::string_view url) {
  RedisPlace out;
  out.url = url;
  if (url.starts_with("unix:///")) return out;
  if (url.starts_with(kRedis)) {
    if (!IsHostAndPort(url.substr(kRedis.size()))) {
      return Error{Code::kInvalid, "must be redis://HOST:PORT with nothing behind the port"};
    }
    return out;
  }
  if (!url.starts_with(kSentinels)) return WrongPlace();
  std::string_view rest = url.substr(kSentinels.size());
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return WrongPlace();
  out.master = rest.substr(slash + 1);
  if (out.master.empty() || out.master.size() > kMaxMasterBytes ||
      !std::ranges::all_of(out.master, &IsNameLetter)) {
    return WrongPlace();
  }
  rest = rest.substr(0, slash);
  for (;;) {
    const std::size_t comma = rest.find(',');
    const std::string_view one = rest.substr(0, comma);
    if (!IsHostAndPort(one)) return WrongPlace();
    out.sentinels.push_back(std::string(kRedis) + std::string(one));
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  if (out.sentinels.size() > kMaxSentinels) {
    return Error{Code::kInvalid, "names more than " + std::to_string(kMaxSentinels) +
                                     " Sentinels; three are enough"};
  }
  return out;
}

Result<std::string> RedisAddressOf(std::string_view host, std::string_view port) {
  std::uint16_t number = 0;
  const auto [stop, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  const bool is_host =
      !host.empty() && host.size() <= kMaxRedisHostBytes &&
      std::ranges::all_of(host, [](char c) { return IsNameLetter(c) || c == ':'; });
  if (!is_host || error != std::errc() || stop != port.data() + port.size() || number == 0) {
    return Error{Code::kInvalid, "a master's address that is none"};
  }
  return std::string(kRedis) + std::string(host) + ":" + std::to_string(number);
}

}  // namespace holdfast::backend
