// Interfaces, routes, neighbours and names, from dumps and files of the fixture.
#include <algorithm>
#include <utility>

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "tests/support/netlink_builder.h"
#include "tests/support/query_harness.h"

namespace holdfast::agent {
namespace {

using namespace holdfast::testing;  // NOLINT(google-build-using-namespace): builders of bytes

const std::string kHostV4("\xc0\x00\x02\x05", 4);  // 192.0.2.5
const std::string kBroadcastV4("\xc0\x00\x02\xff", 4);
const std::string kGatewayV4("\xc0\x00\x02\x01", 4);
const std::string kPeerV4("\x0a\x00\x00\x02", 4);                          // 10.0.0.2
const std::string kNetV6("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\0", 16);  // 2001:db8::

std::string AddressOf(std::uint8_t family, int link, std::uint8_t prefix, std::uint8_t flags,
                      const std::string& attributes) {
  ifaddrmsg body = {};
  body.ifa_family = family;
  body.ifa_index = static_cast<std::uint32_t>(link);
  body.ifa_prefixlen = prefix;
  body.ifa_flags = flags;
  return Message(RTM_NEWADDR, body, attributes);
}

std::string RouteOf(std::uint8_t family, std::uint8_t prefix, std::uint8_t kind,
                    std::uint32_t flags, const std::string& attributes) {
  rtmsg body = {};
  body.rtm_family = family;
  body.rtm_dst_len = prefix;
  body.rtm_type = kind;
  body.rtm_flags = flags;
  return Message(RTM_NEWROUTE, body, attributes);
}

constexpr std::uint8_t kV4 = AF_INET;
constexpr std::uint8_t kV6 = AF_INET6;

class NetworkTablesTest : public ::testing::Test {
 protected:
  NetworkTablesTest() {
    rtnl_link_stats64 counters = {};
    counters.rx_packets = 1;
    counters.tx_packets = 2;
    counters.rx_bytes = std::uint64_t{1} << 40;
    counters.tx_bytes = 4;
    counters.rx_errors = 5;
    counters.tx_errors = 6;
    counters.rx_dropped = 7;
    counters.tx_dropped = 8;
    counters.multicast = 99;
    counters.collisions = 9;
    dumps_[NetworkDump::kLinks] =
        Link(1, "lo", 0x9, "") +
        Link(2, "eth0", 0x1003, std::string("\x02\xfc\0\0\0\x01", 6),
             holdfast::testing::Attribute(IFLA_STATS64, Bytes(counters))) +
        Link(3, "\xff\x1b[2J", 0x1090, std::string("\xde\xad", 2));
    dumps_[NetworkDump::kAddresses] =
        AddressOf(kV4, 2, 24, IFA_F_PERMANENT,
                  holdfast::testing::Attribute(IFA_ADDRESS, kHostV4) +
                      holdfast::testing::Attribute(IFA_LOCAL, kHostV4) +
                      holdfast::testing::Attribute(IFA_BROADCAST, kBroadcastV4)) +
        AddressOf(kV4, 3, 32, 0,
                  holdfast::testing::Attribute(IFA_ADDRESS, kPeerV4) +
                      holdfast::testing::Attribute(IFA_LOCAL, kHostV4)) +
        AddressOf(kV6, 2, 61, 0, holdfast::testing::Attribute(IFA_ADDRESS, kNetV6)) +
        AddressOf(kV4, 2, 8, 0, holdfast::testing::Attribute(IFA_ADDRESS, "odd"));
    rtnexthop hop = {};
    hop.rtnh_ifindex = 3;
    hop.rtnh_flags = 4;  // RTNH_F_ONLINK
    const std::string way = holdfast::testing::Attribute(RTA_GATEWAY, kPeerV4);
    hop.rtnh_len = static_cast<std::uint16_t>(sizeof hop + way.size());
    rtnexthop last = {};
    last.rtnh_ifindex = 2;
    last.rtnh_len = sizeof last;
    dumps_[NetworkDump::kRoutes] =
        RouteOf(kV4, 0, RTN_UNICAST, 0,
                holdfast::testing::Attribute(RTA_GATEWAY, kGatewayV4) +
                    holdfast::testing::Attribute(RTA_OIF, Bytes(2)) +
                    holdfast::testing::Attribute(RTA_PRIORITY, Bytes(100)) +
                    holdfast::testing::Attribute(
                        RTA_METRICS, holdfast::testing::Attribute(RTAX_MTU, Bytes(1400)) +
                                         holdfast::testing::Attribute(RTAX_HOPLIMIT, Bytes(64)))) +
        RouteOf(kV4, 24, RTN_BROADCAST, 0,
                holdfast::testing::Attribute(RTA_DST, kHostV4) +
                    holdfast::testing::Attribute(RTA_PREFSRC, kHostV4) +
                    holdfast::testing::Attribute(RTA_OIF, Bytes(7))) +
        RouteOf(kV6, 0, RTN_UNICAST, 0,
                holdfast::testing::Attribute(RTA_MULTIPATH, Bytes(hop) + way + Bytes(last))) +
        RouteOf(kV6, 64, RTN_BLACKHOLE, 0, holdfast::testing::Attribute(RTA_DST, kNetV6)) +
        RouteOf(kV4, 32, RTN_UNICAST, RTM_F_CLONED,
                holdfast::testing::Attribute(RTA_DST, kHostV4)) +
        RouteOf(AF_UNSPEC, 0, RTN_UNICAST, 0, "");
    harness_.machine.dumps = dumps_;
  }
  std::map<NetworkDump, std::string> dumps_;
  QueryHarness harness_;
};

TEST_F(NetworkTablesTest, TellAddresses) {
  EXPECT_EQ(harness_.Ask("SELECT * FROM interface_addresses"),
            (Rows{"eth0|192.0.2.5|255.255.255.0|192.0.2.255|NULL|manual",
                  "\xff\x1b[2J|192.0.2.5|255.255.255.255|NULL|10.0.0.2|dhcp",
                  "eth0|2001:db8::|ffff:ffff:ffff:fff8::|NULL|NULL|auto"}));
}

TEST_F(NetworkTablesTest, TellInterfacesAndCounters) {
  EXPECT_EQ(harness_.Ask("SELECT * FROM interface_details"),
            (Rows{"lo||1|1500|0|9|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|-1|NULL|NULL",
                  "eth0|02:fc:00:00:00:01|1|1500|0|4099|1|2|1099511627776|4|5|6|7|8|9|-1|1000|"
                  "0000:00:03.0",
                  "\xff\x1b[2J|de:ad|1|1500|0|4240|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|-1|"
                  "NULL|NULL"}));
}

TEST_F(NetworkTablesTest, TellEveryWayOfARouteAndNoCopies) {
  EXPECT_EQ(harness_.Ask("SELECT * FROM routes"),
            (Rows{"0.0.0.0|0|192.0.2.1||0|eth0|1400|100|gateway|64",
                  "192.0.2.5|24||192.0.2.5|0||NULL|0|broadcast|NULL",
                  "::|0|10.0.0.2||4|\xff\x1b[2J|NULL|0|gateway|NULL",
                  "::|0|||0|eth0|NULL|0|gateway|NULL", "2001:db8::|64|||0||NULL|0|other|NULL"}));
}

TEST_F(NetworkTablesTest, TakeWhatIsWholeOfATornDump) {
  static constexpr std::pair<NetworkDump, const char*> kTables[] = {
      {NetworkDump::kLinks, "SELECT * FROM interface_details"},
      {NetworkDump::kAddresses, "SELECT * FROM interface_addresses"},
      {NetworkDump::kRoutes, "SELECT * FROM routes"}};
  for (const auto& [what, sql] : kTables) {  // every third byte: it is a query each
    const std::string& whole = dumps_[what];
    const Rows all = harness_.Ask(sql);
    for (std::size_t size = 0; size < whole.size(); size += 3) {
      harness_.machine.dumps[what] = whole.substr(0, size);
      const Rows rows = harness_.Ask(sql);
      ASSERT_LE(rows.size(), all.size());
      ASSERT_TRUE(std::equal(rows.begin(), rows.end(), all.begin()))
          << sql << " of " << size << " bytes: " << rows.back();
    }
    harness_.machine.dumps[what] = whole;
  }
}

TEST(NetworkFileTablesTest, TellNeighbours) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM arp_cache"),
            (Rows{"192.0.2.1|02:fc:00:00:00:05|eth0|0", "192.0.2.9|02:fc:00:00:00:09|eth0|1",
                  "192.0.2.7|00:00:00:00:00:00|eth1|0"}));
}

TEST(NetworkFileTablesTest, TellResolvers) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM dns_resolvers"),
            (Rows{"0|nameserver|192.0.2.53|32|1065664", "1|nameserver|2001:db8::53|128|1065664",
                  "0|sortlist|192.0.2.0|24|1065664", "1|sortlist|10.0.0.0|32|1065664",
                  "0|search|corp.example|NULL|1065664", "1|search|lab.example|NULL|1065664"}));
}

TEST(NetworkFileTablesTest, TellHostsWithoutComments) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM etc_hosts"),
            (Rows{"127.0.0.1|localhost", "192.0.2.5|a.example a", "2001:db8::1|\xff\x1b[2J"}));
}

}  // namespace
}  // namespace holdfast::agent
