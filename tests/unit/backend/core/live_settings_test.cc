#include "backend/core/live_settings.h"

#include <gtest/gtest.h>

namespace holdfast::backend {
namespace {

TEST(LiveSettingsTest, ComeBackAsTheyWere) {
  for (const LogLevel level :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn, LogLevel::kError}) {
    for (const auto& [cert, key] : {std::pair{"", ""}, {"/a b/c\n.crt", "/k"}}) {
      const auto back = DecodeLiveSettings(EncodeLiveSettings({level, cert, key}));
      ASSERT_TRUE(back);
      EXPECT_EQ(back->log_level, level);
      EXPECT_EQ(back->cert_file, cert);
      EXPECT_EQ(back->key_file, key);
    }
  }
}

TEST(LiveSettingsTest, OtherBytesAreRefused) {
  for (const std::string& bad : {std::string(), std::string("info"), std::string("info\0c", 6),
                                 std::string("loud\0c\0k", 8)}) {
    EXPECT_FALSE(DecodeLiveSettings(bad)) << bad;
  }
}

TEST(LiveSettingsTest, WithoutTlsThereIsNoCertificate) {
  Config config{};
  config.tls_cert_file = "/cert";
  EXPECT_EQ(LiveSettingsOf(config).cert_file, "/cert");
  config.tls_plain = true;
  EXPECT_EQ(LiveSettingsOf(config).cert_file, "");
}

}  // namespace
}  // namespace holdfast::backend
