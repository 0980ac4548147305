#include "backend/adapters/toml/toml_config.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

namespace holdfast::backend {
namespace {

constexpr char kFile[] = "/etc/holdfast/holdfastd.toml";
constexpr char kServers[] = "[fleet]\nservers = [\"wss://a.test:8443\"]\n";

std::string Complaint(const std::string& text) {
  const auto parsed = ParseConfig(text, kFile);
  return parsed.ok() ? "nothing" : parsed.error().message;
}

std::string Documentation(const std::string& page) {
  std::ifstream in(HOLDFAST_SOURCE_DIR "/docs/operations/" + page);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(TomlConfigTest, ReadsEveryKindOfValue) {
  const auto parsed = ParseConfig(std::string(kServers) +
                                      "[gateways]\ncount = 3\n[tls]\nplain = false\n"
                                      "[log]\nlevel = \"debug\"\n[state]\ndir = \"/var/hf\"\n",
                                  kFile);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed.value().gateway_count, 3U);
  EXPECT_EQ(parsed.value().state_dir, "/var/hf");
  EXPECT_EQ(parsed.value().log_level, LogLevel::kDebug);
}

TEST(TomlConfigTest, NamesTheLineOfAMistake) {
  EXPECT_NE(Complaint("[fleet\n").find(std::string(kFile) + ":1: "), std::string::npos);
  EXPECT_NE(Complaint(std::string(kServers) + "[log]\nlevel = \"loud\"\n").find(":4: log.level"),
            std::string::npos);
  EXPECT_NE(Complaint("listen = \"x\"\n").find("every key stands in a section"), std::string::npos);
  EXPECT_NE(Complaint("[fleet.more]\nx = 1\n").find("no sections inside sections"),
            std::string::npos);
  EXPECT_NE(Complaint("[fleet]\nservers = [1]\n").find(":2: fleet.servers"), std::string::npos);
  EXPECT_NE(Complaint("[fleet]\nservers = 1979-05-27\n").find(":2: fleet.servers"),
            std::string::npos);
}

TEST(TomlConfigTest, SaysThatAFileIsNotThere) {
  const auto loaded = LoadConfig("/nonexistent/holdfastd.toml");
  ASSERT_FALSE(loaded.ok());
  EXPECT_NE(loaded.error().message.find("/nonexistent/holdfastd.toml: "), std::string::npos);
}

TEST(TomlConfigTest, EveryKeyIsDocumentedWithItsDefaultAndNoOther) {
  const std::string documentation = Documentation("configuration.md");
  ASSERT_FALSE(documentation.empty());
  std::size_t rows = 0;
  for (std::size_t at = documentation.find("\n| `"); at != std::string::npos;
       at = documentation.find("\n| `", at + 1)) {
    ++rows;
  }
  EXPECT_EQ(rows, ConfigKeys().size());
  for (const ConfigKey& key : ConfigKeys()) {
    const std::string row = "\n| `" + std::string(key.name) + "` | ";
    const std::size_t at = documentation.find(row);
    ASSERT_NE(at, std::string::npos) << key.name;
    if (key.default_text.empty()) continue;
    EXPECT_EQ(documentation.compare(at + row.size(), key.default_text.size() + 2,
                                    "`" + std::string(key.default_text) + "`"),
              0)
        << key.name;
  }
}

TEST(TomlConfigTest, TheRulesOfRedisUsersAreDocumentedAsTheyAre) {
  const std::string page = Documentation("redis.md");
  for (const RedisRole role : {RedisRole::kSupervisor, RedisRole::kGateway, RedisRole::kControl}) {
    const std::string line = "\nuser holdfast-" + std::string(ToString(role)) +
                             " reset on >PASSWORD " + std::string(RedisRules(role)) + "\n";
    EXPECT_NE(page.find(line), std::string::npos) << line;
  }
}

TEST(TomlConfigTest, TheDefaultsAreWhatTheTableSays) {
  std::string text;
  std::string section;
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.default_text.empty()) continue;
    const std::string name(key.name);
    const std::size_t dot = name.find('.');
    if (name.substr(0, dot) != section) {
      section = name.substr(0, dot);
      text += "[" + section + "]\n";
      if (section == "fleet") text += "servers = [\"wss://a.test:8443\"]\n";
    }
    text += name.substr(dot + 1) + " = " + std::string(key.default_text) + "\n";
  }
  const auto spelled = ParseConfig(text, kFile);
  const auto silent = ParseConfig(kServers, kFile);
  ASSERT_TRUE(spelled.ok()) << spelled.error().message;
  ASSERT_TRUE(silent.ok()) << silent.error().message;
  const Config& a = spelled.value();
  const Config& b = silent.value();
  EXPECT_EQ(a.policy_file, b.policy_file);
  EXPECT_EQ(a.state_dir, b.state_dir);
  EXPECT_EQ(a.agents_listen.text(), b.agents_listen.text());
  EXPECT_EQ(a.api_listen.text(), b.api_listen.text());
  EXPECT_EQ(a.admin_listen.text(), b.admin_listen.text());
  EXPECT_EQ(a.tls_cert_file + a.tls_key_file + a.tls_ca_file,
            b.tls_cert_file + b.tls_key_file + b.tls_ca_file);
  EXPECT_EQ(a.gateway_count, b.gateway_count);
  EXPECT_EQ(a.gateway_max_links, b.gateway_max_links);
  EXPECT_EQ(a.gateway_rx_buffer_bytes, b.gateway_rx_buffer_bytes);
  EXPECT_EQ(a.admission_links_per_second, b.admission_links_per_second);
  EXPECT_EQ(a.admission_handshakes, b.admission_handshakes);
  EXPECT_EQ(a.redis_address(), b.redis_address());
  EXPECT_EQ(a.redis_server_program, b.redis_server_program);
  EXPECT_EQ(a.redis_max_memory_mib, b.redis_max_memory_mib);
}

}  // namespace
}  // namespace holdfast::backend
