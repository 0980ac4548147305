#include "agent/verbs/glob.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

namespace holdfast::agent {
namespace {

bool Matches(std::string_view pattern, std::string_view name) {
  return GlobMatches(pattern, name, Letters::kAsTheyAre);
}

TEST(GlobTest, TakesNamesApartAsShellsDo) {
  EXPECT_TRUE(Matches("*", ""));
  EXPECT_TRUE(Matches("*", ".hidden"));
  EXPECT_TRUE(Matches("a*c", "abbbc"));
  EXPECT_FALSE(Matches("a*c", "abbbcd"));
  EXPECT_TRUE(Matches("*.tar.*", "x.tar.gz"));
  EXPECT_TRUE(Matches("a?c", "abc"));
  EXPECT_FALSE(Matches("a?c", "ac"));
  EXPECT_FALSE(Matches("", "a"));
  EXPECT_TRUE(Matches("", ""));
}

TEST(GlobTest, KnowsSetsRangesAndTheirOpposites) {
  EXPECT_TRUE(Matches("[abc]x", "bx"));
  EXPECT_TRUE(Matches("[a-c0-9]", "7"));
  EXPECT_FALSE(Matches("[a-c]", "d"));
  EXPECT_TRUE(Matches("[!a-c]", "d"));
  EXPECT_TRUE(Matches("[^a-c]", "d"));
  EXPECT_FALSE(Matches("[!a-c]", "a"));
  EXPECT_TRUE(Matches("[]]", "]"));
  EXPECT_TRUE(Matches("[a-]", "-"));
  EXPECT_TRUE(Matches("[", "["));
  EXPECT_TRUE(Matches("[ab", "[ab"));
  EXPECT_TRUE(Matches("x[\xf0-\xff]", "x\xfe"));
}

TEST(GlobTest, TakesABackslashForTheCharacterBehindIt) {
  EXPECT_TRUE(Matches("\\*", "*"));
  EXPECT_FALSE(Matches("\\*", "a"));
  EXPECT_TRUE(Matches("a\\", "a\\"));
  EXPECT_TRUE(Matches("[\\]]", "]"));
}

TEST(GlobTest, FoldsLettersOnlyWhenAsked) {
  EXPECT_FALSE(Matches("A*", "abc"));
  EXPECT_TRUE(GlobMatches("A*C", "abc", Letters::kEitherCase));
  EXPECT_TRUE(GlobMatches("[A-C]", "b", Letters::kEitherCase));
}

TEST(GlobTest, TakesNoLongerForManyStars) {
  std::string pattern;
  for (int i = 0; i < 80; ++i) pattern += "*a";
  const auto before = std::chrono::steady_clock::now();
  EXPECT_FALSE(Matches(pattern + "b", std::string(255, 'a')));
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(1));
}

}  // namespace
}  // namespace holdfast::agent
