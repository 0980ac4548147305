// IpNetwork: a network of IPv4 or IPv6 addresses, and perhaps a port there, as people write it.
//
//   192.0.2.7   10.0.0.0/8   10.0.0.5:22   10.0.0.0/8:443   2001:db8::/32   [2001:db8::1]:443   [2001:db8::/32]:443
//
// Threading: values and pure functions.
// Errors:    kInvalid, naming the text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace holdfast {

inline constexpr std::size_t kMaxIpNetworkBytes = 64;  // longer texts are none

struct IpNetwork {
  std::string address;     // 4 or 16 bytes, 0 behind the prefix
  unsigned prefix = 0;     // bits, at most 32 or 128
  std::uint16_t port = 0;  // 0 = any

  bool is_v6() const { return address.size() == 16; }
  friend bool operator==(const IpNetwork&, const IpNetwork&) = default;
};

Result<IpNetwork> ParseIpNetwork(std::string_view text);
// The one form that says all: "10.0.0.0/8", "[10.0.0.5/32]:22".
std::string FormatIpNetwork(const IpNetwork& network);
// 4 or 16 bytes; empty: the text is no numeric address.
std::string ParseIpAddress(const std::string& text);

}  // namespace holdfast
