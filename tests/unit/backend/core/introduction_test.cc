#include "backend/core/introduction.h"

#include <gtest/gtest.h>

namespace holdfast::backend {
namespace {

const Introduction kGateway{
    .slot = "g1", .instance = "host.g1.01ab", .program = "65025-1234-1700000000.5"};

TEST(IntroductionTest, SaysWhoItIs) {
  EXPECT_EQ(DecodeIntroduction(EncodeIntroduction(kGateway)), kGateway);
}

TEST(IntroductionTest, NeedsEveryWordAndNothingMore) {
  const std::string whole = EncodeIntroduction(kGateway);
  for (std::size_t part = 0; part < whole.size(); ++part) {
    EXPECT_FALSE(DecodeIntroduction(whole.substr(0, part))) << part;
  }
  EXPECT_FALSE(DecodeIntroduction(whole + "x"));
  EXPECT_FALSE(DecodeIntroduction(whole + "\n"));
}

// A slot becomes part of log lines and metrics, an instance of a key at Redis.
TEST(IntroductionTest, TakesNamesOnly) {
  for (const char* const bad : {"", "g 1", "g{1}", "g/1", "g\x1b[2J", "g\xc3\xa9"}) {
    Introduction other = kGateway;
    other.slot = bad;
    EXPECT_FALSE(DecodeIntroduction(EncodeIntroduction(other))) << bad;
    other = kGateway;
    other.instance = bad;
    EXPECT_FALSE(DecodeIntroduction(EncodeIntroduction(other))) << bad;
  }
}

TEST(IntroductionTest, ANameHasItsLength) {
  Introduction longest = kGateway;
  longest.instance = std::string(128, 'i');
  EXPECT_EQ(DecodeIntroduction(EncodeIntroduction(longest)), longest);
  longest.instance += "i";
  EXPECT_FALSE(DecodeIntroduction(EncodeIntroduction(longest)));
}

}  // namespace
}  // namespace holdfast::backend
