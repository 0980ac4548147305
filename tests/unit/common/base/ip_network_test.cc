#include "common/base/ip_network.h"

#include <string>

#include <gtest/gtest.h>

namespace holdfast {
namespace {

std::string Canonical(const std::string& text) {
  const auto network = ParseIpNetwork(text);
  return network.ok() ? FormatIpNetwork(network.value()) : "no network";
}

TEST(IpNetworkTest, ReadsAddressesNetworksAndPorts) {
  EXPECT_EQ(Canonical("192.0.2.7"), "192.0.2.7/32");
  EXPECT_EQ(Canonical("10.1.2.3/8"), "10.0.0.0/8");
  EXPECT_EQ(Canonical("10.255.2.3/9"), "10.128.0.0/9");
  EXPECT_EQ(Canonical("0.0.0.0/0"), "0.0.0.0/0");
  EXPECT_EQ(Canonical("10.0.0.5:22"), "[10.0.0.5/32]:22");
  EXPECT_EQ(Canonical("10.0.0.0/8:443"), "[10.0.0.0/8]:443");
  EXPECT_EQ(Canonical("2001:db8::1"), "2001:db8::1/128");
  EXPECT_EQ(Canonical("2001:db8:ffff::/33"), "2001:db8:8000::/33");
  EXPECT_EQ(Canonical("[2001:db8::/32]:443"), "[2001:db8::/32]:443");
  EXPECT_EQ(Canonical("[2001:db8::1]"), "2001:db8::1/128");
}

TEST(IpNetworkTest, ItsOneFormReadsAsItself) {
  for (const std::string text :
       {"192.0.2.7/32", "[10.0.0.0/8]:443", "2001:db8::/32", "[::1/128]:65535", "::/0"}) {
    EXPECT_EQ(Canonical(text), text);
  }
}

TEST(IpNetworkTest, RefusesWhatIsNone) {
  for (const std::string text : {"",
                                 "host",
                                 "10.0.0",
                                 "10.0.0.1/33",
                                 "10.0.0.1/",
                                 "10.0.0.1/-1",
                                 "10.0.0.1/+8",
                                 "10.0.0.1:",
                                 "10.0.0.1:0",
                                 "10.0.0.1:65536",
                                 "10.0.0.1:22x",
                                 "10.0.0.1/8/8",
                                 "2001:db8::/129",
                                 "[2001:db8::1",
                                 "[10.0.0.1]22",
                                 "[]:22",
                                 "[10.0.0.1]:",
                                 " 10.0.0.1",
                                 "10.0.0.1\n",
                                 "10.0.0.1/8\nallow 0.0.0.0/0"}) {
    EXPECT_EQ(Canonical(text), "no network") << text;
  }
  EXPECT_EQ(Canonical("10.0.0.1/" + std::string(100, '0') + "8"), "no network");
  EXPECT_EQ(Canonical(std::string("10.0.0.1\0", 9)), "no network");
}

}  // namespace
}  // namespace holdfast
