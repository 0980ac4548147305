#include "agent/tables/netlink_messages.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "common/base/bytes.h"

namespace holdfast::agent {
namespace {

// The front of `bytes` as a T, cut off it; nullopt when it is too short. Nothing is aligned here.
template <typename T>
std::optional<T> Take(std::string_view& bytes) {
  if (bytes.size() < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes.remove_prefix(std::min(bytes.size(), (sizeof value + 3) & ~std::size_t{3}));
  return value;
}

std::optional<std::int64_t> Number(std::string_view value) {
  const auto number = Take<std::uint32_t>(value);
  return number ? std::optional<std::int64_t>(*number) : std::nullopt;
}

// The kernel's "length, type, payload, padding", of messages and of attributes alike.
template <typename Header>
bool NextPart(std::string_view& rest, std::size_t length, std::string_view& payload) {
  constexpr std::size_t kHead = (sizeof(Header) + 3) & ~std::size_t{3};
  if (length < kHead || length > rest.size()) return false;
  payload = rest.substr(kHead, length - kHead);
  rest.remove_prefix(std::min(rest.size(), (length + 3) & ~std::size_t{3}));
  return true;
}

bool NextAttribute(std::string_view& rest, int& type, std::string_view& value) {
  std::string_view head = rest;
  const auto header = Take<rtattr>(head);
  if (!header) return false;
  type = header->rta_type & NLA_TYPE_MASK;
  return NextPart<rtattr>(rest, header->rta_len, value);
}

// Calls read(body, attributes) for each message of that type.
template <typename Body, typename Reader>
void EachMessage(std::string_view messages, std::uint16_t type, Reader read) {
  while (true) {
    std::string_view head = messages;
    const auto header = Take<nlmsghdr>(head);
    std::string_view payload;
    if (!header || !NextPart<nlmsghdr>(messages, header->nlmsg_len, payload)) return;
    if (header->nlmsg_type != type) continue;
    if (const auto body = Take<Body>(payload)) read(*body, payload);
  }
}

std::string MacText(std::string_view bytes) {
  constexpr std::size_t kMostBytes = 32;  // MAX_ADDR_LEN
  std::string text;
  for (const char byte : bytes.substr(0, kMostBytes)) {
    if (!text.empty()) text.push_back(':');
    text.append(ToHex({&byte, 1}));
  }
  return text;
}

std::string Name(std::string_view value) { return std::string(value.substr(0, value.find('\0'))); }

void ReadMetrics(std::string_view rest, NetRoute& route) {
  int type = 0;
  std::string_view value;
  while (NextAttribute(rest, type, value)) {
    if (type == RTAX_MTU) route.mtu = Number(value);
    if (type == RTAX_HOPLIMIT) route.hop_limit = Number(value);
  }
}

void ReadNextHops(std::string_view rest, const NetRoute& route, std::vector<NetRoute>& routes) {
  while (true) {
    std::string_view head = rest;
    const auto hop = Take<rtnexthop>(head);
    std::string_view attributes;
    if (!hop || !NextPart<rtnexthop>(rest, hop->rtnh_len, attributes)) return;
    NetRoute one = route;
    one.link = hop->rtnh_ifindex;
    one.flags |= hop->rtnh_flags;
    int type = 0;
    std::string_view value;
    while (NextAttribute(attributes, type, value)) {
      if (type == RTA_GATEWAY) one.gateway = AddressText(value);
    }
    routes.push_back(std::move(one));
  }
}

void ReadRoute(const rtmsg& body, std::string_view attributes, std::vector<NetRoute>& routes) {
  if (body.rtm_family != AF_INET && body.rtm_family != AF_INET6) return;
  if ((body.rtm_flags & RTM_F_CLONED) != 0) return;  // one connection's copy of a route
  NetRoute route;
  route.is_v6 = body.rtm_family == AF_INET6;
  route.prefix = body.rtm_dst_len;
  route.kind = body.rtm_type;
  route.flags = body.rtm_flags;
  std::string_view hops;
  int type = 0;
  std::string_view value;
  while (NextAttribute(attributes, type, value)) {
    switch (type) {
      case RTA_DST: route.destination = AddressText(value); break;
      case RTA_GATEWAY: route.gateway = AddressText(value); break;
      case RTA_PREFSRC: route.source = AddressText(value); break;
      case RTA_OIF: route.link = static_cast<int>(Number(value).value_or(0)); break;
      case RTA_PRIORITY: route.metric = Number(value).value_or(0); break;
      case RTA_METRICS: ReadMetrics(value, route); break;
      case RTA_MULTIPATH: hops = value; break;
      default: break;
    }
  }
  if (hops.empty()) {
    routes.push_back(std::move(route));
  } else {
    ReadNextHops(hops, route, routes);
  }
}

}  // namespace

std::vector<NetLink> ReadLinkDump(std::string_view messages) {
  std::vector<NetLink> links;
  EachMessage<ifinfomsg>(messages, RTM_NEWLINK, [&](const ifinfomsg& body, std::string_view rest) {
    NetLink link;
    link.index = body.ifi_index;
    link.type = body.ifi_type;
    link.flags = body.ifi_flags;
    int type = 0;
    std::string_view value;
    while (NextAttribute(rest, type, value)) {
      if (type == IFLA_IFNAME) link.name = Name(value);
      if (type == IFLA_ADDRESS) link.mac = MacText(value);
      if (type == IFLA_MTU) link.mtu = Number(value);
      if (type == IFLA_STATS64) link.counters = Take<NetLink::Counters>(value);
    }
    links.push_back(std::move(link));
  });
  return links;
}

std::vector<NetAddress> ReadAddressDump(std::string_view messages) {
  std::vector<NetAddress> addresses;
  EachMessage<ifaddrmsg>(messages, RTM_NEWADDR, [&](const ifaddrmsg& body, std::string_view rest) {
    NetAddress at;
    at.link = static_cast<int>(body.ifa_index);
    at.is_v6 = body.ifa_family == AF_INET6;
    at.permanent = (body.ifa_flags & IFA_F_PERMANENT) != 0;
    at.prefix = body.ifa_prefixlen;
    std::string local;
    int type = 0;
    std::string_view value;
    while (NextAttribute(rest, type, value)) {
      if (type == IFA_ADDRESS) at.address = AddressText(value);
      if (type == IFA_LOCAL) local = AddressText(value);
      if (type == IFA_BROADCAST) at.broadcast = AddressText(value);
    }
    // IFA_LOCAL is the own address where IFA_ADDRESS is the peer's.
    if (!local.empty() && local != at.address) at.peer = std::move(at.address);
    if (!local.empty()) at.address = std::move(local);
    if (!at.address.empty()) addresses.push_back(std::move(at));
  });
  return addresses;
}

std::vector<NetRoute> ReadRouteDump(std::string_view messages) {
  std::vector<NetRoute> routes;
  EachMessage<rtmsg>(messages, RTM_NEWROUTE, [&](const rtmsg& body, std::string_view rest) {
    ReadRoute(body, rest, routes);
  });
  return routes;
}

std::map<int, std::string> LinkNames(const std::vector<NetLink>& links) {
  std::map<int, std::string> names;
  for (const NetLink& link : links) names.emplace(link.index, link.name);
  return names;
}

std::string AddressText(std::string_view bytes) {
  if (bytes.size() != 4 && bytes.size() != 16) return {};
  std::array<char, INET6_ADDRSTRLEN> text = {};
  const int family = bytes.size() == 4 ? AF_INET : AF_INET6;
  if (inet_ntop(family, bytes.data(), text.data(), text.size()) == nullptr) return {};
  return text.data();
}

std::string MaskText(bool is_v6, int prefix) {
  std::string bytes(is_v6 ? 16 : 4, '\0');
  for (std::size_t bit = 0; bit < bytes.size() * 8 && static_cast<int>(bit) < prefix; ++bit) {
    bytes[bit / 8] =
        static_cast<char>(static_cast<unsigned char>(bytes[bit / 8]) | 0x80 >> bit % 8);
  }
  return AddressText(bytes);
}

}  // namespace holdfast::agent
