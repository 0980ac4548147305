#include "common/sign/low_s.h"

#include <string>

#include <gtest/gtest.h>

namespace holdfast::sign {
namespace {

// n/2 rounded down, and n - 1, n/2 + 1.
constexpr char kHalf[] = "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8";
constexpr char kHalfPlus1[] = "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a9";
constexpr char kOrderMinus1[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550";

Signature WithS(const std::string& hex) {
  return *Signature::From(std::string(32, 'r') + FromHex(hex).value());
}

TEST(LowSTest, DrawsTheLineAtHalfTheOrder) {
  EXPECT_TRUE(IsLowS(WithS(kHalf)));
  EXPECT_FALSE(IsLowS(WithS(kHalfPlus1)));
  EXPECT_FALSE(IsLowS(WithS(kOrderMinus1)));
  EXPECT_FALSE(IsLowS(WithS(std::string(64, 'f'))));
}

TEST(LowSTest, ReplacesAHighSByItsTwinAndLeavesALowOne) {
  EXPECT_EQ(ToLowS(WithS(kHalf)), WithS(kHalf));
  EXPECT_EQ(ToLowS(WithS(kHalfPlus1)), WithS(kHalf));  // n is odd: the two add up to it
  EXPECT_EQ(ToLowS(WithS(kOrderMinus1)), WithS(std::string(62, '0') + "01"));
}

}  // namespace
}  // namespace holdfast::sign
