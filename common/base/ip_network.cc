#include "common/base/ip_network.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include <arpa/inet.h>

namespace holdfast {
namespace {

// All of `text` as a number up to `most`.
std::optional<unsigned> Number(std::string_view text, unsigned most) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_whole = error == std::errc() && end == text.data() + text.size();
  return is_whole && value <= most ? std::optional(value) : std::nullopt;
}

void ClearBehind(unsigned prefix, std::string& address) {
  for (unsigned bit = prefix; bit < address.size() * 8; ++bit) {
    const auto mask = static_cast<unsigned char>(0x80U >> bit % 8);
    address[bit / 8] = static_cast<char>(static_cast<unsigned char>(address[bit / 8]) & ~mask);
  }
}

struct Parts {
  std::string_view network;
  std::string_view port;  // empty: none
};

// Without brackets a text with one colon has a port, and one with more is IPv6.
std::optional<Parts> Split(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    const std::string_view rest = text.substr(close + 1);
    if (!rest.empty() && (!rest.starts_with(':') || rest.size() == 1)) return std::nullopt;
    return Parts{text.substr(1, close - 1), rest.empty() ? rest : rest.substr(1)};
  }
  if (std::count(text.begin(), text.end(), ':') != 1) return Parts{text, {}};
  const std::size_t colon = text.find(':');
  if (colon + 1 == text.size()) return std::nullopt;
  return Parts{text.substr(0, colon), text.substr(colon + 1)};
}

}  // namespace

std::string ParseIpAddress(const std::string& text) {
  in6_addr bytes{};
  if (text.find('\0') != std::string::npos) return {};  // inet_pton() would read up to it
  const bool is_v4 = ::inet_pton(AF_INET, text.c_str(), &bytes) == 1;
  if (!is_v4 && ::inet_pton(AF_INET6, text.c_str(), &bytes) != 1) return {};
  return {reinterpret_cast<const char*>(&bytes), is_v4 ? std::size_t{4} : std::size_t{16}};
}

Result<IpNetwork> ParseIpNetwork(std::string_view text) {
  const Error wrong{Code::kInvalid, "'" + std::string(text.substr(0, kMaxIpNetworkBytes)) +
                                        "' is no network; 10.0.0.0/8, 10.0.0.5:22, 2001:db8::/32, "
                                        "[2001:db8::1]:443"};
  const auto parts = Split(text);
  if (text.size() > kMaxIpNetworkBytes || !parts) return wrong;
  const std::size_t slash = parts->network.find('/');
  IpNetwork out;
  out.address = ParseIpAddress(std::string(parts->network.substr(0, slash)));
  if (out.address.empty()) return wrong;
  const auto bits = static_cast<unsigned>(out.address.size() * 8);
  const auto prefix = slash == std::string_view::npos
                          ? std::optional(bits)
                          : Number(parts->network.substr(slash + 1), bits);
  const auto port = parts->port.empty() ? std::optional(0U) : Number(parts->port, 65535);
  if (!prefix || !port || (*port == 0 && !parts->port.empty())) return wrong;
  out.prefix = *prefix;
  out.port = static_cast<std::uint16_t>(*port);
  ClearBehind(out.prefix, out.address);
  return out;
}

std::string FormatIpNetwork(const IpNetwork& network) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = network.is_v6() ? AF_INET6 : AF_INET;
  if (::inet_ntop(family, network.address.data(), text.data(), text.size()) == nullptr) return {};
  std::string out = std::string(text.data()) + "/" + std::to_string(network.prefix);
  return network.port == 0 ? out : "[" + out + "]:" + std::to_string(network.port);
}

}  // namespace holdfast
