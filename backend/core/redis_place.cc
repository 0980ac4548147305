#include "backend/core/redis_place.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "backend/core/config.h"

namespace holdfast::backend {
namespace {

constexpr std::string_view kRedis = "redis://";
constexpr std::string_view kSentinels = "sentinel://";
constexpr std::string_view kCluster = "cluster://";
constexpr std::size_t kMaxMasterBytes = 64;
constexpr std::size_t kMaxRedisHostBytes = 253;  // RFC 1035 section 2.3.4

Error WrongPlace() {
  return {Code::kInvalid,
          "must be \"\", \"unix:///PATH\", \"redis://HOST:PORT\", "
          "\"sentinel://HOST:PORT,HOST:PORT,.../MASTER\" or \"cluster://HOST:PORT,HOST:PORT,...\""};
}

// The same shape as a server's URL: HOST:PORT and nothing else.
bool IsHostAndPort(std::string_view text) {
  return ParseServerUrl("ws://" + std::string(text)).ok();
}

bool IsNameLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

// "HOST:PORT,HOST:PORT,...", as addresses to dial.
Result<std::vector<std::string>> ParseGuides(std::string_view text) {
  std::vector<std::string> guides;
  for (;;) {
    const std::size_t comma = text.find(',');
    const std::string_view one = text.substr(0, comma);
    if (!IsHostAndPort(one)) return WrongPlace();
    guides.push_back(std::string(kRedis) + std::string(one));
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  if (guides.size() > kMaxGuides) {
    return Error{Code::kInvalid,
                 "names more than " + std::to_string(kMaxGuides) + " to ask; three are enough"};
  }
  return guides;
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
  if (url.starts_with(kCluster)) {
    HF_ASSIGN_OR_RETURN(out.guides, ParseGuides(url.substr(kCluster.size())));
    return out;
  }
  if (!url.starts_with(kSentinels)) return WrongPlace();
  const std::string_view rest = url.substr(kSentinels.size());
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return WrongPlace();
  out.master = rest.substr(slash + 1);
  if (out.master.empty() || out.master.size() > kMaxMasterBytes ||
      !std::ranges::all_of(out.master, &IsNameLetter)) {
    return WrongPlace();
  }
  HF_ASSIGN_OR_RETURN(out.guides, ParseGuides(rest.substr(0, slash)));
  return out;
}

std::uint16_t SlotOf(std::string_view key) {
  // What stands between the first { and the next }, if anything does.
  if (const std::size_t open = key.find('{'); open != std::string_view::npos) {
    const std::size_t close = key.find('}', open);
    if (close != std::string_view::npos && close > open + 1) {
      key = key.substr(open + 1, close - open - 1);
    }
  }
  constexpr std::uint16_t kXmodem = 0x1021;
  std::uint16_t crc = 0;
  for (const char c : key) {
    crc = static_cast<std::uint16_t>(crc ^ (static_cast<std::uint8_t>(c) << 8));
    for (int bit = 0; bit < 8; ++bit) {
      const bool carries = (crc & 0x8000U) != 0;
      crc = static_cast<std::uint16_t>((crc << 1) ^ (carries ? kXmodem : 0));
    }
  }
  return crc % kClusterSlots;
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

Result<std::string> NodeAddressOf(std::string_view host, std::string_view port,
                                  std::string_view asked) {
  if (!host.empty()) return RedisAddressOf(host, port);
  asked.remove_prefix(kRedis.size());
  return RedisAddressOf(asked.substr(0, asked.rfind(':')), port);
}

}  // namespace holdfast::backend
