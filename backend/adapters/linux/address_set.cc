#include "backend/adapters/linux/address_set.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace holdfast::backend {
namespace {

constexpr unsigned kAllBits = 128;
constexpr unsigned kMappedBits = 96;  // before an IPv4 address's own

// False: it is no numeric address. `is_v4` says which it was.
bool ToBits(const std::string& text, std::array<std::uint8_t, 16>& bits, bool& is_v4) {
  in_addr v4{};
  is_v4 = ::inet_pton(AF_INET, text.c_str(), &v4) == 1;
  if (!is_v4) return ::inet_pton(AF_INET6, text.c_str(), bits.data()) == 1;
  bits = {};
  bits[10] = bits[11] = 0xff;
  std::memcpy(&bits[12], &v4, sizeof v4);
  return true;
}

std::string_view HostOf(std::string_view peer_address) {
  const std::size_t colon = peer_address.rfind(':');
  const std::string_view host = peer_address.substr(0, colon);
  return host.starts_with('[') && host.ends_with(']') ? host.substr(1, host.size() - 2) : host;
}

bool SamePrefix(const std::array<std::uint8_t, 16>& a, const std::array<std::uint8_t, 16>& b,
                unsigned length) {
  const std::size_t whole = length / 8;
  if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), b.begin()))
    return false;
  const unsigned rest = length % 8;
  return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

}  // namespace

Result<AddressSet> AddressSet::Parse(const std::vector<std::string>& texts) {
  AddressSet out;
  for (const std::string& text : texts) {
    const Error wrong{Code::kInvalid,
                      "'" + text +
                          "' is no numeric address or network, such as \"10.0.0.5\" or "
                          "\"10.1.0.0/16\""};
    const std::size_t slash = text.find('/');
    Network network;
    bool is_v4 = false;
    if (!ToBits(text.substr(0, slash), network.bits, is_v4)) return wrong;
    const unsigned most = is_v4 ? kAllBits - kMappedBits : kAllBits;
    unsigned length = most;
    if (slash != std::string::npos) {
      const char* const end = text.data() + text.size();
      const auto [at, error] = std::from_chars(text.data() + slash + 1, end, length);
      if (error != std::errc() || at != end || length > most || slash + 1 == text.size())
        return wrong;
    }
    network.length = length + kAllBits - most;
    out.networks_.push_back(network);
  }
  return out;
}

bool AddressSet::Contains(std::string_view peer_address) const {
  Bits bits{};
  bool is_v4 = false;
  if (!ToBits(std::string(HostOf(peer_address)), bits, is_v4)) return false;
  return std::ranges::any_of(networks_, [&bits](const Network& network) {
    return SamePrefix(bits, network.bits, network.length);
  });
}

Result<std::string> PeerAddress(const std::string& host, std::uint16_t port) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  in_addr v4{};
  in6_addr v6{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) {
    ::inet_ntop(AF_INET, &v4, text.data(), text.size());
    return std::string(text.data()) + ":" + std::to_string(port);
  }
  if (::inet_pton(AF_INET6, host.c_str(), &v6) != 1) {
    return Error{Code::kInvalid, "no numeric address"};
  }
  if (IN6_IS_ADDR_V4MAPPED(&v6)) {
    ::inet_ntop(AF_INET, &v6.s6_addr[12], text.data(), text.size());
    return std::string(text.data()) + ":" + std::to_string(port);
  }
  ::inet_ntop(AF_INET6, &v6, text.data(), text.size());
  return "[" + std::string(text.data()) + "]:" + std::to_string(port);
}

}  // namespace holdfast::backend
