#include "backend/adapters/linux/address_set.h"

#include <gtest/gtest.h>

namespace holdfast::backend {
namespace {

bool Has(const std::vector<std::string>& texts, std::string_view peer) {
  return AddressSet::Parse(texts).value().Contains(peer);
}

TEST(AddressSetTest, HasItsAddressesAndNetworks) {
  EXPECT_TRUE(Has({"127.0.0.1"}, "127.0.0.1:5000"));
  EXPECT_FALSE(Has({"127.0.0.1"}, "127.0.0.2:5000"));
  EXPECT_TRUE(Has({"::1", "10.1.0.0/16"}, "10.1.255.3:1"));
  EXPECT_FALSE(Has({"::1", "10.1.0.0/16"}, "10.2.0.1:1"));
  EXPECT_TRUE(Has({"10.0.0.0/9"}, "10.127.0.1:1"));
  EXPECT_FALSE(Has({"10.0.0.0/9"}, "10.128.0.1:1"));
  EXPECT_TRUE(Has({"fd00::/8"}, "[fd12:3456::7]:443"));
  EXPECT_FALSE(Has({"fd00::/8"}, "[fe80::1]:443"));
  EXPECT_TRUE(Has({"0.0.0.0/0"}, "8.8.8.8:1"));
  EXPECT_FALSE(Has({"0.0.0.0/0"}, "[2001:db8::1]:1"));
  EXPECT_FALSE(Has({}, "127.0.0.1:1"));
  EXPECT_FALSE(Has({"127.0.0.1"}, ""));
}

TEST(AddressSetTest, RefusesWhatIsNoNumericAddress) {
  for (const char* text : {"", "proxy.example.org", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x",
                           "fd00::/129", "10.0.0", "127.0.0.1:80", "10.0.0.0/-1"}) {
    const auto parsed = AddressSet::Parse({text});
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_NE(parsed.error().message.find(text), std::string::npos);
  }
}

TEST(AddressSetTest, WritesAPeersAddressInOneWay) {
  EXPECT_EQ(PeerAddress("192.0.2.7", 5).value(), "192.0.2.7:5");
  EXPECT_EQ(PeerAddress("2001:0db8:0000:0000:0000:0000:0000:0005", 5).value(), "[2001:db8::5]:5");
  EXPECT_EQ(PeerAddress("::ffff:192.0.2.7", 5).value(), "192.0.2.7:5");
  EXPECT_FALSE(PeerAddress("192.0.2.7 ", 5).ok());
  EXPECT_FALSE(PeerAddress("x", 5).ok());
}

}  // namespace
}  // namespace holdfast::backend
