// Readers of rtnetlink(7) dumps: links, addresses and routes.
//
// Threading: pure functions.
// Errors:    a message that is torn, of another kind, or of another protocol than IP is left out.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::agent {

struct NetLink {
  int index = 0;
  std::string name;
  std::uint32_t type = 0;   // ARPHRD_*
  std::uint32_t flags = 0;  // IFF_*
  std::string mac;          // "02:fc:00:00:00:01"; empty for links without
  std::optional<std::int64_t> mtu;
  struct Counters {
    std::uint64_t packets_in, packets_out, bytes_in, bytes_out, errors_in, errors_out, drops_in,
        drops_out, multicast, collisions;  // as rtnl_link_stats64 begins
  };
  std::optional<Counters> counters;
};
std::vector<NetLink> ReadLinkDump(std::string_view messages);

struct NetAddress {
  int link = 0;
  bool is_v6 = false;
  bool permanent = false;  // has no lifetime
  int prefix = 0;
  std::string address;
  std::string peer;  // of a point-to-point link
  std::string broadcast;
};
std::vector<NetAddress> ReadAddressDump(std::string_view messages);

// One way to a destination; a route of several gives several.
struct NetRoute {
  bool is_v6 = false;
  int prefix = 0;
  int kind = 0;             // RTN_*
  std::uint32_t flags = 0;  // RTM_F_*, RTNH_F_*
  std::string destination;  // "" for the default
  std::string gateway;
  std::string source;
  int link = 0;
  std::int64_t metric = 0;
  std::optional<std::int64_t> mtu;
  std::optional<std::int64_t> hop_limit;
};
std::vector<NetRoute> ReadRouteDump(std::string_view messages);

std::map<int, std::string> LinkNames(const std::vector<NetLink>& links);
// 4 or 16 bytes as people write them; "" for others.
std::string AddressText(std::string_view bytes);
std::string MaskText(bool is_v6, int prefix);

}  // namespace holdfast::agent
