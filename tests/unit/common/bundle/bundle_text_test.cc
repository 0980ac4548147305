#include "common/bundle/bundle_text.h"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

::holdfast::command::v1::Bundle SampleBundle() {
  ::holdfast::command::v1::Bundle bundle;
  bundle.set_fleet_id(std::string(16, '\x07'));
  bundle.set_fleet_name("lab");
  bundle.add_servers("wss://198.51.100.7:8443");
  bundle.set_ca_pem("-----BEGIN CERTIFICATE-----\n");
  bundle.set_policy_envelope(std::string(300, 'p'));
  bundle.set_token("t0ken");
  bundle.set_token_expires_ms(1'790'000'000'000);
  return bundle;
}

TEST(BundleTextTest, ComesBackAsItWent) {
  const auto bundle = SampleBundle();
  const auto parsed = ParseBundle(FormatBundle(bundle));
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed.value().SerializeAsString(), bundle.SerializeAsString());
}

TEST(BundleTextTest, SurvivesMailThatAddsWordsAndCarriageReturns) {
  std::string text = "Dear colleague,\r\n";
  for (const char c : FormatBundle(SampleBundle())) {
    if (c == '\n') text += '\r';
    text += c;
  }
  text += "\r\nRegards\r\n";
  EXPECT_TRUE(ParseBundle(text).ok());
}

TEST(BundleTextTest, LinesAreNeverLongerThan76Characters) {
  const std::string text = FormatBundle(SampleBundle());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    EXPECT_LE(end - at, 76U);
    at = end + 1;
  }
}

TEST(BundleTextTest, EveryTruncationIsRefusedAndSaysWhy) {
  std::string text = FormatBundle(SampleBundle());
  text.pop_back();  // the last newline is not part of it
  for (std::size_t size = 0; size < text.size(); ++size) {
    const auto parsed = ParseBundle(text.substr(0, size));
    ASSERT_FALSE(parsed.ok()) << size;
    EXPECT_EQ(parsed.error().code, Code::kInvalid);
    EXPECT_FALSE(parsed.error().message.empty());
  }
}

TEST(BundleTextTest, ABundleWithoutATokenOrServerIsRefused) {
  auto bundle = SampleBundle();
  bundle.clear_token();
  EXPECT_FALSE(ParseBundle(FormatBundle(bundle)).ok());
  bundle = SampleBundle();
  bundle.clear_servers();
  EXPECT_FALSE(ParseBundle(FormatBundle(bundle)).ok());
}

}  // namespace
}  // namespace holdfast
