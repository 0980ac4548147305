#include "backend/adapters/linux/address_set.h"

#include <algorithm>
#include <array>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "backend/core/config.h"
#include "common/base/ip_network.h"

namespace holdfast::backend {
namespace {

// What stands before an IPv4 address in its IPv6 form.
constexpr std::string_view kMapped("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
constexpr unsigned kMappedBits = kMapped.size() * 8;

// 16 bytes; empty for none.
std::string ToIpv6(std::string address) {
  return address.size() == 4 ? std::string(kMapped) + address : std::move(address);
}

std::string_view HostOf(std::string_view peer_address) {
  const std::size_t colon = peer_address.rfind(':');
  const std::string_view host = peer_address.substr(0, colon);
  return host.starts_with('[') && host.ends_with(']') ? host.substr(1, host.size() - 2) : host;
}

bool SamePrefix(std::string_view a, std::string_view b, unsigned length) {
  const std::size_t whole = length / 8;
  if (a.substr(0, whole) != b.substr(0, whole)) return false;
  const unsigned rest = length % 8;
  return rest == 0 || static_cast<unsigned char>(a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

}  // namespace

Result<AddressSet> AddressSet::Parse(const std::vector<std::string>& texts) {
  AddressSet out;
  for (const std::string& text : texts) {
    const auto network = ParseIpNetwork(text);
    if (!network.ok() || network.value().port != 0 || text.starts_with('[')) {
      return Error{Code::kInvalid,
                   "'" + text +
                       "' is no numeric address or network, such as \"10.0.0.5\" or "
                       "\"10.1.0.0/16\""};
    }
    const unsigned before = network.value().is_v6() ? 0 : kMappedBits;
    out.networks_.push_back({ToIpv6(network.value().address), before + network.value().prefix});
  }
  return out;
}

bool AddressSet::Contains(std::string_view peer_address) const {
  const std::string address = ToIpv6(ParseIpAddress(std::string(HostOf(peer_address))));
  return !address.empty() && std::ranges::any_of(networks_, [&address](const Network& network) {
    return SamePrefix(address, network.address, network.length);
  });
}

Result<std::string> PeerAddress(const std::string& host, std::uint16_t port) {
  std::string address = ParseIpAddress(host);
  if (address.empty()) return Error{Code::kInvalid, "no numeric address"};
  if (address.starts_with(kMapped)) address.erase(0, kMapped.size());
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(address.size() == 16 ? AF_INET6 : AF_INET, address.data(), text.data(), text.size());
  return ListenAddress{text.data(), port}.text();
}

}  // namespace holdfast::backend
