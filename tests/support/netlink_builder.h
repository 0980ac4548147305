// NetlinkMessages: rtnetlink dumps byte by byte, as the kernel lays them out.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

namespace holdfast::testing {

template <typename T>
std::string Bytes(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

inline std::string Padded(std::string bytes) {
  bytes.resize((bytes.size() + 3) & ~std::size_t{3});
  return bytes;
}

inline std::string Attribute(std::uint16_t type, std::string_view value) {
  const rtattr header = {.rta_len = static_cast<std::uint16_t>(sizeof header + value.size()),
                         .rta_type = type};
  return Padded(Bytes(header).append(value));
}

template <typename Body>
std::string Message(std::uint16_t type, const Body& body, const std::string& attributes) {
  nlmsghdr header = {};
  header.nlmsg_type = type;
  const std::string payload = Padded(Bytes(body)) + attributes;
  header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + payload.size());
  return Bytes(header) + Padded(payload);
}

inline std::string Link(int index, std::string_view name, std::uint32_t flags, std::string_view mac,
                        const std::string& more = "") {
  ifinfomsg body = {};
  body.ifi_index = index;
  body.ifi_type = 1;
  body.ifi_flags = flags;
  return Message(RTM_NEWLINK, body,
                 Attribute(IFLA_IFNAME, std::string(name) + '\0') + Attribute(IFLA_ADDRESS, mac) +
                     Attribute(IFLA_MTU, Bytes(1500U)) + more);
}

}  // namespace holdfast::testing
