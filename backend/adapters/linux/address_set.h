// AddressSet: numeric addresses and networks, "10.0.0.5", "10.1.0.0/16", "fd00::/8"; and whether a peer is among them.
//
// Threading: values.
// Errors:    Parse(): kInvalid; the message names the text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace holdfast::backend {

class AddressSet {
 public:
  static Result<AddressSet> Parse(const std::vector<std::string>& texts);
  bool empty() const { return networks_.empty(); }
  // "1.2.3.4:567", "[::1]:567", as Listener gives them.
  bool Contains(std::string_view peer_address) const;

 private:
  struct Network {
    std::string address;  // 16 bytes, IPv4 as ::ffff:a.b.c.d
    unsigned length = 0;  // of the prefix, in bits of these 128
  };
  std::vector<Network> networks_;
};

// A peer's address as Listener gives them, from text that somebody else wrote. kInvalid: it is none.
Result<std::string> PeerAddress(const std::string& host, std::uint16_t port);

}  // namespace holdfast::backend
