// Regex against known answers of ECMAScript, and its bounds.
#include "agent/tables/regex.h"

#include <gtest/gtest.h>

namespace holdfast::agent {
namespace {

// What `group` matched, "none" without a match, "absent" when it took no part.
std::string Find(std::string_view pattern, std::string_view text, std::size_t group = 0) {
  const auto regex = Regex::Compile(pattern);
  if (!regex.ok()) return "bad: " + regex.error().message;
  Regex::Match match;
  if (!regex.value().Search(text, 0, match)) return "none";
  if (match[2 * group] == Regex::kNowhere) return "absent";
  return std::string(text.substr(match[2 * group], match[2 * group + 1] - match[2 * group]));
}

TEST(RegexTest, FindsTheLeftmostMatchAndPrefersAsThePatternSays) {
  EXPECT_EQ(Find("b+", "abbbc"), "bbb");
  EXPECT_EQ(Find("b+?", "abbbc"), "b");
  EXPECT_EQ(Find("a|ab", "ab"), "a");
  EXPECT_EQ(Find("ab|a", "ab"), "ab");
  EXPECT_EQ(Find("(a|ab)(c|bcd)(d*)", "abcd", 2), "bcd");
  EXPECT_EQ(Find("", "abc"), "");
  EXPECT_EQ(Find("x", "abc"), "none");
  EXPECT_EQ(Find("<.*?>", "<a><b>"), "<a>");
  EXPECT_EQ(Find("<.*>", "<a><b>"), "<a><b>");
}

TEST(RegexTest, GivesGroups) {
  EXPECT_EQ(Find("(\\w+) (\\w+)", "hello world. Goodbye", 1), "hello");
  EXPECT_EQ(Find("(\\w+) (\\w+)", "hello world. Goodbye", 2), "world");
  EXPECT_EQ(Find("(?:a)(b)", "ab", 1), "b");
  EXPECT_EQ(Find("(a)|(b)", "b", 1), "absent");
  EXPECT_EQ(Find("(a*)*", "aab", 1), "aa");
  EXPECT_EQ(Find("((a)(b)?)+", "aba", 2), "a");
}

TEST(RegexTest, RepeatsAsOftenAsItIsTold) {
  EXPECT_EQ(Find("a{2}", "aaaa"), "aa");
  EXPECT_EQ(Find("a{2,}", "aaaa"), "aaaa");
  EXPECT_EQ(Find("a{1,3}", "aaaa"), "aaa");
  EXPECT_EQ(Find("a{1,3}?", "aaaa"), "a");
  EXPECT_EQ(Find("a{0}b", "aab"), "b");
  EXPECT_EQ(Find("(?:ab){2,3}c", "ababababc"), "abababc");
  EXPECT_EQ(Find("^(?:\\d{1,3}\\.){3}\\d{1,3}$", "192.168.0.11"), "192.168.0.11");
  EXPECT_EQ(Find("^(?:\\d{1,3}\\.){3}\\d{1,3}$", "192.168.0.1111"), "none");
}

TEST(RegexTest, KnowsSetsAnchorsAndEscapes) {
  EXPECT_EQ(Find("[^/]+$", "/usr/bin/bash"), "bash");
  EXPECT_EQ(Find("[a-c\\d_-]+", "zz-a1_c9z"), "-a1_c9");
  EXPECT_EQ(Find("[[:upper:]][[:lower:]]+", "xx Yes"), "Yes");
  EXPECT_EQ(Find("[]a]", "]a"), "none");  // an empty set, then "a]"
  EXPECT_EQ(Find("\\bcat\\b", "concat cat"), "cat");
  EXPECT_EQ(Find("\\Bcat", "cat concat"), "cat");
  EXPECT_EQ(Find("b$", "ab"), "b");
  EXPECT_EQ(Find("^b", "ab"), "none");
  EXPECT_EQ(Find("\\x41\\.\\t", "A.\t"), "A.\t");
  EXPECT_EQ(Find("a.c", "a\nc abc"), "abc");
  EXPECT_EQ(Find("[\\]\\\\]+", "a]\\b"), "]\\");
  EXPECT_EQ(Find("\\W\\S\\D", "a -x"), " -x");
}

TEST(RegexTest, TakesBytesAsTheyAre) {
  EXPECT_EQ(Find("\\xff+", "a\xff\xff"), "\xff\xff");
  EXPECT_EQ(Find("[^a]", std::string_view("a\0b", 3)), std::string(1, '\0'));
  EXPECT_EQ(Find("\xc3\xa4+", "\xc3\xa4\xa4"), "\xc3\xa4\xa4");
}

TEST(RegexTest, RefusesWhatItDoesNotKnow) {
  for (const char* pattern :
       {"(", ")", "[", "[b-a]", "*", "a{", "a{2,1}", "a{1001}", "\\", "(?=a)", "(?<n>a)", "(a)\\1",
        "\\q", "[[:no:]]", "\\x4", "a**", "(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)"}) {
    EXPECT_EQ(Find(pattern, "a").substr(0, 4), "bad:") << pattern;
  }
  EXPECT_EQ(Find(std::string(Regex::kMaxPatternBytes + 1, 'a'), "a").substr(0, 4), "bad:");
  EXPECT_EQ(Find(std::string(40, '(') + std::string(40, ')'), "a").substr(0, 4), "bad:");
}

TEST(RegexTest, IsBoundedByPatternTimesText) {
  EXPECT_EQ(Find("(((a{100}){100}){100}){100}", "a").substr(0, 4), "bad:");
  // Each of these takes an exponential time where matching goes back and tries again.
  const std::string text(2000, 'a');
  EXPECT_EQ(Find("(a+)+b", text), "none");
  EXPECT_EQ(Find("(a|aa)+b", text), "none");
  EXPECT_EQ(Find("(a?){60}a{60}$", text), std::string(120, 'a'));
  // Only the beginning of a long text is looked at.
  EXPECT_EQ(Find("b", std::string(Regex::kMaxTextBytes, 'a') + "b"), "none");
}

}  // namespace
}  // namespace holdfast::agent
