#include "backend/core/config.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace holdfast::backend {
namespace {

constexpr char kFile[] = "/etc/holdfast/holdfastd.toml";

std::vector<ConfigEntry> With(std::vector<ConfigEntry> more = {}) {
  std::vector<ConfigEntry> entries = {
      {"fleet.servers", std::vector<std::string>{"wss://backend.test:8443"}, 1}};
  entries.insert(entries.end(), more.begin(), more.end());
  return entries;
}

std::string Complaint(std::vector<ConfigEntry> entries) {
  const auto made = MakeConfig(entries, kFile);
  if (made.ok()) return "nothing";
  EXPECT_EQ(made.error().code, Code::kInvalid);
  return made.error().message;
}

TEST(ConfigTest, FillsInDefaultsAndTakesPathsFromTheFilesDirectory) {
  const auto made = MakeConfig(With(), kFile);
  ASSERT_TRUE(made.ok()) << made.error().message;
  const Config& config = made.value();
  EXPECT_EQ(config.policy_file, "/etc/holdfast/policy.env");
  EXPECT_EQ(config.state_dir, "/etc/holdfast/state");
  EXPECT_EQ(config.agents_listen.text(), "0.0.0.0:8443");
  EXPECT_EQ(config.redis_address(), "unix:///etc/holdfast/state/run/redis.sock");
  EXPECT_EQ(config.redis_users_file, "");
  EXPECT_EQ(config.server_names(), std::vector<std::string>{"backend.test"});
  EXPECT_EQ(config.log_level, LogLevel::kInfo);
}

TEST(ConfigTest, NamesFileLineAndKeyOfAMistake) {
  EXPECT_EQ(Complaint(With({{"gateways.count", std::int64_t{257}, 12}})),
            "/etc/holdfast/holdfastd.toml:12: gateways.count: must be between 0 and 256");
  EXPECT_EQ(Complaint(With({{"tls.plain", std::string("yes"), 3}})),
            "/etc/holdfast/holdfastd.toml:3: tls.plain: must be true or false");
  EXPECT_NE(Complaint(With({{"agents.listen", std::string("8443"), 4}})).find(":4: agents.listen"),
            std::string::npos);
}

TEST(ConfigTest, TakesAPostgresqlWithoutAPasswordInIt) {
  const auto complaint = [](const char* url) {
    return Complaint(With({{"store.url", std::string(url), 3}}));
  };
  for (const char* const good :
       {"", "postgresql://holdfast@db:5432/holdfast?sslmode=verify-full&passfile=/etc/pgpass",
        "postgres:///holdfast?host=/run/postgresql"}) {
    EXPECT_TRUE(
        MakeConfig(With({{"store.url", std::string(good), 3}}), "/etc/holdfast/holdfastd.toml")
            .ok())
        << good;
  }
  for (const char* const bad :
       {"postgresql://holdfast:secret@db/holdfast", "postgres://db/h?password=secret",
        "postgres://db/h?sslmode=require&password=secret"}) {
    EXPECT_NE(complaint(bad).find("passfile"), std::string::npos) << bad;
    EXPECT_EQ(complaint(bad).find("secret"), std::string::npos);
  }
  EXPECT_NE(complaint("mysql://db/h").find("postgresql://"), std::string::npos);
  EXPECT_NE(complaint("holdfast").find("postgresql://"), std::string::npos);
}

TEST(ConfigTest, NamesAllMistakesAtOnceUpToAScreenful) {
  EXPECT_EQ(
      Complaint(With({{"gateways.count", std::int64_t{257}, 12}, {"quite.different", true, 13}})),
      "/etc/holdfast/holdfastd.toml:12: gateways.count: must be between 0 and 256\n"
      "/etc/holdfast/holdfastd.toml:13: quite.different: there is no such key");
  const std::vector<ConfigEntry> many(25, {"quite.different", true, 2});
  const std::string said = Complaint(With(many));
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 20);
  EXPECT_TRUE(said.ends_with("\nand 5 more")) << said;
}

TEST(ConfigTest, SuggestsTheKeyThatWasProbablyMeant) {
  EXPECT_NE(Complaint(With({{"agents.lisen", std::string("x"), 2}}))
                .find("did you mean \"agents.listen\"?"),
            std::string::npos);
  EXPECT_EQ(Complaint(With({{"quite.different", true, 2}})),
            "/etc/holdfast/holdfastd.toml:2: quite.different: there is no such key");
  EXPECT_EQ(Complaint(With({{std::string(5000, 'x'), true, 2}})).find("did you mean"),
            std::string::npos);
}

TEST(ConfigTest, WantsServersThatFitTheTlsSetting) {
  EXPECT_NE(Complaint({}).find("fleet.servers: missing"), std::string::npos);
  EXPECT_NE(Complaint({{"fleet.servers", std::vector<std::string>{"ws://a:1"}, 1}})
                .find("tls.plain = true"),
            std::string::npos);
  EXPECT_NE(Complaint(With({{"tls.plain", true, 2}})).find("wants the proxy that ends TLS"),
            std::string::npos);
  EXPECT_EQ(Complaint(With({{"tls.plain", true, 2},
                            {"proxies.trusted", std::vector<std::string>{"127.0.0.1"}, 3}})),
            "nothing");
  EXPECT_EQ(Complaint({{"fleet.servers", std::vector<std::string>{"ws://a:1"}, 1},
                       {"tls.plain", true, 2}}),
            "nothing");
}

TEST(ConfigTest, TellsWhichKeysDifferAndWhichOfThemMayChangeLive) {
  const auto before = MakeConfig(With(), kFile);
  const auto after = MakeConfig(With({{"log.level", std::string("debug"), 2},
                                      {"tls.key", std::string("other.key"), 3},
                                      {"agents.listen", std::string("127.0.0.1:1"), 4},
                                      {"api.listen", std::string("127.0.0.1:8444"), 5}}),
                                kFile);
  ASSERT_TRUE(before.ok() && after.ok());
  std::vector<std::pair<std::string_view, bool>> changed;
  for (const ConfigKey* const key : ChangedKeys(before.value(), after.value())) {
    changed.emplace_back(key->name, key->change == ConfigKey::Change::kLive);
  }
  // api.listen says what it was by default: no change.
  EXPECT_EQ(changed, (std::vector<std::pair<std::string_view, bool>>{
                         {"agents.listen", false}, {"tls.key", true}, {"log.level", true}}));
  EXPECT_TRUE(ChangedKeys(before.value(), before.value()).empty());
}

TEST(ConfigTest, RefusesAStateDirectoryTooDeepForASocket) {
  EXPECT_NE(Complaint(With({{"state.dir", "/" + std::string(100, 'd'), 2}})).find("too long"),
            std::string::npos);
}

TEST(ConfigTest, ReadsAddressesAndUrlsAndRefusesEverythingElse) {
  for (const char* good : {"0.0.0.0:1", "127.0.0.1:65535", "[::]:8443", "[::1]:0"}) {
    const auto parsed = ParseListenAddress(good);
    ASSERT_TRUE(parsed.ok()) << good;
    EXPECT_EQ(parsed.value().text(), good);
  }
  for (const char* bad : {"", ":", ":1", "a", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:1x", "::1:8443",
                          "[]:1", "[::1:1", "1.2.3.4:-1"}) {
    EXPECT_FALSE(ParseListenAddress(bad).ok()) << bad;
  }
  for (const char* good : {"wss://a:1", "ws://b.example:65535", "wss://[::1]:8443"}) {
    EXPECT_TRUE(ParseServerUrl(good).ok()) << good;
  }
  for (const char* bad : {"", "https://a:1", "wss://a", "wss://a:0", "wss://a:1/", "wss://a:1/x",
                          "wss://a b:1", "wss://a@b:1", "wss://:1", "WSS://a:1"}) {
    EXPECT_FALSE(ParseServerUrl(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace holdfast::backend
