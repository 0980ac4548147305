// NftRules: the packets that may pass a closed machine, and the netlink batch that puts them into the kernel.
//
//   table inet holdfast_isolation
//     set alive       one element for each of IPv4 and IPv6, which the kernel drops when the time is over
//     chain in, out, forward    before all others; what no rule accepts is dropped: no other table can let it pass
//
// Threading: pure functions.
// Design:    docs/decisions/0095-isolation.md
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ip_network.h"
#include "common/base/time.h"

namespace holdfast::agent {

// To a network, and back from it.
struct NftPeer {
  IpNetwork network;          // its port: theirs; 0 = all
  std::uint8_t protocol = 0;  // IPPROTO_TCP, IPPROTO_UDP; 0 = all
  // Only this user's sockets may send: nobody else on the machine may use the way.
  std::optional<std::uint32_t> user;

  friend bool operator==(const NftPeer&, const NftPeer&) = default;
};

inline constexpr char kNftTableName[] = "holdfast_isolation";
// Of the message whose answer says how the whole batch fared.
inline constexpr std::uint32_t kLastOfBatch = 0x7FFFFFFF;

// In the place of what stands; beside `peers` only loopback, DHCP, and what IPv6 and the size of packets need.
std::string CloseBatch(const std::vector<NftPeer>& peers, Duration left);
// Takes the table away, if it is there.
std::string OpenBatch();
// Asks for the number of the last change that anybody made to the rules.
std::string GenerationRequest();

}  // namespace holdfast::agent
