#include "agent/app/link_routes.h"

#include <cstdlib>

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace holdfast::agent {
namespace {

constexpr char kServer[] = "wss://hq.example:443";

class RouteFileTest : public ::testing::Test {
 protected:
  RouteFileTest()
      : dir_(StateDir::Open(temp_.path() + "/s", StateDir::Mode::kCreateAndOwn).value()) {}
  RouteFile Open() { return RouteFile(dir_, {kServer, "ws://other:1"}); }

  testing::TempDir temp_;
  StateDir dir_;
};

TEST_F(RouteFileTest, KeepsProxyAndAddressesOverARestart) {
  {
    RouteFile file = Open();
    EXPECT_EQ(file.ForLink(), "");
    ASSERT_TRUE(file.SetProxy("http://ada:s@p:1").ok());
    file.OnReached(std::string(kServer) + " 192.0.2.7");
    file.OnReached("ws://other:1 2001:db8::7");
    file.OnReached(std::string(kServer) + " 192.0.2.8");
  }
  RouteFile file = Open();
  EXPECT_EQ(file.routes().proxy, "http://ada:s@p:1");
  EXPECT_EQ(file.routes().AddressOf(kServer), "192.0.2.8");
  EXPECT_EQ(file.routes().AddressOf("ws://other:1"), "2001:db8::7");
  EXPECT_EQ(file.ForLink(),
            "proxy http://ada:s@p:1\naddress wss://hq.example:443 192.0.2.8\n"
            "address ws://other:1 2001:db8::7\n");
  ASSERT_TRUE(file.SetProxy("").ok());
  EXPECT_EQ(Open().routes().proxy, "");
  EXPECT_EQ(Open().routes().AddressOf(kServer), "192.0.2.8");
}

TEST_F(RouteFileTest, TakesOnlyNumericAddressesOfItsOwnServersFromTheLinkProcess) {
  RouteFile file = Open();
  for (const char* report :
       {"", "wss://hq.example:443", "wss://hq.example:443 evil.example",
        "wss://hq.example:443 192.0.2.7\nproxy http://evil:1", "wss://evil.example:443 192.0.2.7",
        "wss://hq.example:443 192.0.2.7 ", "wss://hq.example:443  192.0.2.7"}) {
    file.OnReached(report);
    EXPECT_EQ(file.ForLink(), "") << report;
  }
  const std::string address = "wss://hq.example:443 192.0.2.7";
  file.OnReached(address + std::string("\0\nproxy http://evil:1", 21));
  EXPECT_EQ(file.ForLink(), "");
}

TEST_F(RouteFileTest, LeavesOutWhatDoesNotRead) {
  ASSERT_TRUE(dir_.WriteFile("routes",
                             "proxy ftp://p:1\nnonsense\n\naddress ws://other:1 nowhere\n"
                             "address wss://hq.example:443 192.0.2.7")
                  .ok());
  EXPECT_EQ(Open().ForLink(), "address wss://hq.example:443 192.0.2.7\n");
  ASSERT_TRUE(dir_.WriteFile("routes", std::string(kMaxRoutesBytes + 1, '\n')).ok());
  EXPECT_EQ(Open().ForLink(), "");
}

TEST_F(RouteFileTest, ObeysTheEnvironmentOnlyWhenToldTo) {
  ::setenv("https_proxy", "http://env:2/", 1);
  RouteFile file = Open();
  EXPECT_EQ(file.ForLink(), "");
  ASSERT_TRUE(file.SetProxy("env").ok());
  EXPECT_EQ(file.ForLink(), "proxy http://env:2/\n");
  EXPECT_EQ(dir_.ReadFile("routes", kMaxRoutesBytes).value(), "proxy env\n");
  ::setenv("https_proxy", "socks5://env:2", 1);
  EXPECT_EQ(file.ForLink(), "");
  ::unsetenv("https_proxy");
  EXPECT_EQ(file.ForLink(), "");
}

TEST(ProxySettingTest, IsAUrlOrEnvOrNone) {
  EXPECT_EQ(ProxySetting("none").value(), "");
  EXPECT_EQ(ProxySetting("env").value(), "env");
  EXPECT_EQ(ProxySetting("http://p:1").value(), "http://p:1");
  EXPECT_FALSE(ProxySetting("").ok());
  EXPECT_FALSE(ProxySetting("p:1").ok());
}

TEST_F(RouteFileTest, KnowsWhereAServerIsLookedForBesideWhereItWas) {
  RouteFile file = Open();
  file.OnReached(std::string(kServer) + " 192.0.2.7");
  file.OnDialling(std::string(kServer) + " 192.0.2.9 192.0.2.7 2001:db8::9 nonsense");
  file.OnDialling("wss://stranger:443 192.0.2.66");
  file.OnDialling(kServer);
  file.OnReached("proxy 192.0.2.1");
  using Addresses = std::vector<std::string>;
  EXPECT_EQ(file.AddressesOf(kServer), (Addresses{"192.0.2.7", "192.0.2.9", "2001:db8::9"}));
  EXPECT_EQ(file.AddressesOf("wss://stranger:443"), Addresses());
  EXPECT_EQ(file.AddressesOf("proxy"), Addresses{"192.0.2.1"});
  file.OnDialling(std::string(kServer) + " 192.0.2.10");
  EXPECT_EQ(file.AddressesOf(kServer), (Addresses{"192.0.2.7", "192.0.2.10"}));
  std::string many(kServer);
  for (int i = 0; i < 100; ++i) many += " 192.0.2." + std::to_string(i + 100);
  file.OnDialling(many);
  EXPECT_EQ(file.AddressesOf(kServer).size(), 1 + kMaxDialledAddresses);
  EXPECT_EQ(Open().AddressesOf(kServer), Addresses{"192.0.2.7"});
  EXPECT_EQ(Open().AddressesOf("proxy"), Addresses{"192.0.2.1"});
}

}  // namespace
}  // namespace holdfast::agent
