#include <gtest/gtest.h>

#include "backend/sdk/fleet.h"

namespace holdfast::sdk {
namespace {

constexpr char kGood[] =
    "id = \"00112233445566778899aabbccddeeff\"\nname = \"lab\"\n"
    "servers = [\"wss://a:1\"]\napi = \"wss://a:2\"\n";

std::string Complaint(const std::string& text) {
  const auto fleet = ParseFleetToml(text);
  return fleet.ok() ? "" : fleet.error().message;
}

TEST(FleetTomlTest, ComesBackAsItWent) {
  auto fleet = ParseFleetToml(kGood);
  ASSERT_TRUE(fleet.ok()) << fleet.error().message;
  EXPECT_EQ(fleet.value().ca, "server/tls/ca.crt");
  EXPECT_EQ(fleet.value().operator_name, "default");
  fleet.value().name = "q\"uote \\ back";
  const auto again = ParseFleetToml(FormatFleetToml(fleet.value()));
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(again.value().id, fleet.value().id);
  EXPECT_EQ(again.value().name, fleet.value().name);
  EXPECT_EQ(again.value().servers, fleet.value().servers);
}

TEST(FleetTomlTest, AMistakeIsNamedWithItsLineAndKey) {
  EXPECT_EQ(Complaint(std::string(kGood) + "sever = 1\n"), "line 5: unknown key 'sever'");
  EXPECT_EQ(Complaint("id = \"zz\"\nname = \"x\"\n"), "line 1: 'id' is not 32 hex digits");
  EXPECT_NE(Complaint("id = \n").find("line 1"), std::string::npos);
  EXPECT_NE(Complaint("").find("'id' is missing"), std::string::npos);
  EXPECT_NE(Complaint(std::string(kGood) + "operator = \"../x\"\n").find("line 5: 'operator'"),
            std::string::npos);
}

TEST(FleetTomlTest, ServersAreAddressesAndNotTooMany) {
  std::string text = kGood;
  text.replace(text.find("[\"wss://a:1\"]"), 13, "[\"http://a:1\"]");
  EXPECT_NE(Complaint(text).find("line 3: 'servers'"), std::string::npos);
  text = kGood;
  text.replace(text.find("[\"wss://a:1\"]"), 13, "[]");
  EXPECT_NE(Complaint(text).find("line 3: 'servers'"), std::string::npos);
}

TEST(ProfilesTest, SaysWhichLineIsWrong) {
  EXPECT_TRUE(ParseProfiles("").ok());
  const auto wrong = ParseProfiles("default = \"x\"\n[profiles.x]\ndri = \"y\"\n");
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().message, "line 3: unknown key 'dri'");
  EXPECT_FALSE(ParseProfiles("profiles = 3").ok());
}

}  // namespace
}  // namespace holdfast::sdk
