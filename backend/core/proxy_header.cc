#include "backend/core/proxy_header.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "common/base/bytes.h"

namespace holdfast::backend {
namespace {

using HeaderKind = ProxyHeader::Kind;

constexpr std::string_view kV1{"PROXY "};
constexpr std::string_view kV2{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t kMaxV1Bytes = 107;  // the specification's own figure
constexpr std::size_t kV2HeadBytes = 16;

ProxyHeader Only(HeaderKind kind, std::size_t length = 0) { return {kind, length, {}, 0}; }

std::string_view TakeWord(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

bool ReadPort(std::string_view text, std::uint16_t& port) {
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, port);
  return error == std::errc() && at == end && !text.empty();
}

// "PROXY TCP4 192.0.2.1 192.0.2.2 5000 443\r\n"; "PROXY UNKNOWN ...\r\n"
ProxyHeader ParseV1(std::string_view bytes) {
  const std::size_t end = bytes.substr(0, kMaxV1Bytes).find("\r\n");
  if (end == std::string_view::npos) {
    return Only(bytes.size() < kMaxV1Bytes ? HeaderKind::kMore : HeaderKind::kBad);
  }
  std::string_view line = bytes.substr(kV1.size(), end - kV1.size());
  const std::string_view family = TakeWord(line);
  if (family == "UNKNOWN") return Only(HeaderKind::kLocal, end + 2);
  ProxyHeader out = Only(HeaderKind::kProxied, end + 2);
  out.host = TakeWord(line);
  const bool is_v6 = out.host.find(':') != std::string::npos;
  const std::string_view to = TakeWord(line);
  const bool is_good = (family == "TCP4" && !is_v6) || (family == "TCP6" && is_v6);
  std::uint16_t to_port = 0;
  if (!is_good || to.empty() || !ReadPort(TakeWord(line), out.port) || !ReadPort(line, to_port)) {
    return Only(HeaderKind::kBad);
  }
  return out;
}

std::uint16_t Be16(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[at]) << 8 |
                                    static_cast<unsigned char>(bytes[at + 1]));
}

std::string V4Text(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    text += (text.empty() ? "" : ".") + std::to_string(static_cast<unsigned char>(byte));
  }
  return text;
}

std::string V6Text(std::string_view bytes) {
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 2) {
    text += (at == 0 ? "" : ":") + ToHex(bytes.substr(at, 2));
  }
  return text;
}

// 12 bytes of signature, version and command, family and protocol, length of what follows.
ProxyHeader ParseV2(std::string_view bytes) {
  if (bytes.size() < kV2HeadBytes) return Only(HeaderKind::kMore);
  constexpr unsigned kLocal = 0x20;
  constexpr unsigned kProxy = 0x21;
  constexpr unsigned kTcp4 = 0x11;
  constexpr unsigned kTcp6 = 0x21;
  const unsigned command = static_cast<unsigned char>(bytes[12]);
  const unsigned family = static_cast<unsigned char>(bytes[13]);
  const std::size_t length = kV2HeadBytes + Be16(bytes, 14);
  if ((command != kLocal && command != kProxy) || length > kMaxProxyHeaderBytes) {
    return Only(HeaderKind::kBad);
  }
  if (bytes.size() < length) return Only(HeaderKind::kMore);
  if (command == kLocal) return Only(HeaderKind::kLocal, length);
  const std::size_t address = family == kTcp4 ? 4 : family == kTcp6 ? 16 : 0;
  // Two addresses, two ports.
  if (address == 0 || length < kV2HeadBytes + 2 * address + 4) return Only(HeaderKind::kBad);
  ProxyHeader out = Only(HeaderKind::kProxied, length);
  const std::string_view from = bytes.substr(kV2HeadBytes, address);
  out.host = family == kTcp4 ? V4Text(from) : V6Text(from);
  out.port = Be16(bytes, kV2HeadBytes + 2 * address);
  return out;
}

}  // namespace

ProxyHeader ParseProxyHeader(std::string_view bytes) {
  const auto begins = [bytes](std::string_view with) {
    return bytes.substr(0, with.size()) == with.substr(0, bytes.size());
  };
  if (begins(kV2)) return bytes.size() < kV2.size() ? Only(HeaderKind::kMore) : ParseV2(bytes);
  if (begins(kV1)) return bytes.size() < kV1.size() ? Only(HeaderKind::kMore) : ParseV1(bytes);
  return Only(HeaderKind::kBad);
}

}  // namespace holdfast::backend
