#include "common/base/untrusted.h"

#include <string>

#include <gtest/gtest.h>

namespace holdfast {
namespace {

std::string Log(std::string text, std::size_t max = 256) {
  return ForLog(Untrusted(std::move(text)), max);
}
std::string Terminal(std::string text, std::size_t max = 1000) {
  return ForTerminal(Untrusted(std::move(text)), max);
}
std::string Csv(std::string text) { return ForCsv(Untrusted(std::move(text))); }

TEST(UntrustedTest, LeavesPrintableUnicodeAsItIs) {
  const std::string text = "naïve 日本 🙂 x=1";
  EXPECT_EQ(Log(text), text);
  EXPECT_EQ(Terminal(text), text);
  EXPECT_EQ(Csv(text), text);
}

TEST(UntrustedTest, EscapesControlCharacters) {
  EXPECT_EQ(Terminal(std::string("a\0b\x1b[31m\x7f\r\n\t", 12)), "a\\x00b\\x1b[31m\\x7f\\r\\n\\t");
  EXPECT_EQ(Terminal("\xc2\x9b"
                     "31m"),
            "\\xc2\\x9b31m");  // CSI as one C1 character
}

TEST(UntrustedTest, EscapesWhatReordersOrHidesText) {
  for (const char* hidden : {"\u202e", "\u202a", "\u2066", "\u2069", "\u200e", "\u200f", "\u061c",
                             "\u2028", "\u2029", "\ufeff", "\U000e0041"}) {
    const std::string shown = Terminal(std::string("a") + hidden + "b");
    EXPECT_EQ(shown.substr(0, 3), "a\\x") << shown;
    EXPECT_EQ(shown.back(), 'b');
    EXPECT_EQ(shown.find(hidden), std::string::npos);
  }
}

TEST(UntrustedTest, EscapesWhatIsNotUtf8ByteByByte) {
  EXPECT_EQ(Terminal("\xff\xfe"), "\\xff\\xfe");
  EXPECT_EQ(Terminal("\xc0\xaf"), "\\xc0\\xaf");                    // over-long '/'
  EXPECT_EQ(Terminal("\xe0\x80\xaf"), "\\xe0\\x80\\xaf");           // over-long
  EXPECT_EQ(Terminal("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // surrogate
  EXPECT_EQ(Terminal("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // above U+10FFFF
  EXPECT_EQ(Terminal("\xe2\x82"), "\\xe2\\x82");                    // cut short
  EXPECT_EQ(Terminal("\xe2\x82"
                     "a"),
            "\\xe2\\x82"
            "a");
}

TEST(UntrustedTest, LogTextCannotEndItsQuotes) {
  EXPECT_EQ(Log("say \"hi\" \\ now"), "say \\\"hi\\\" \\\\ now");
  EXPECT_EQ(Terminal("say \"hi\""), "say \"hi\"");
}

TEST(UntrustedTest, CutsBetweenCharactersAndSaysSo) {
  EXPECT_EQ(Log("abcdefgh", 8), "abcdefgh");
  EXPECT_EQ(Log("abcdefghi", 8), "abcde...");
  EXPECT_EQ(Log("日本日本", 8), "日...");       // 3 bytes each: "日本" would leave no room
  EXPECT_EQ(Log("ab\n\n\n\n", 8), "ab\\n...");  // never inside an escape
  EXPECT_EQ(Log("a\x01\x01\x01", 8), "a\\x01...");
  for (std::size_t max = 0; max < 12; ++max) {
    EXPECT_LE(Log("x\xff\"日本語\n123456", max).size(), max);
  }
}

TEST(UntrustedTest, CsvQuotesWhereItMust) {
  EXPECT_EQ(Csv("plain"), "plain");
  EXPECT_EQ(Csv(""), "");
  EXPECT_EQ(Csv("a,b"), "\"a,b\"");
  EXPECT_EQ(Csv("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(Csv("a\nb"), "a\\nb");
}

TEST(UntrustedTest, CsvIsNeverAFormula) {
  EXPECT_EQ(Csv("=1+1"), "'=1+1");
  EXPECT_EQ(Csv("+1"), "'+1");
  EXPECT_EQ(Csv("-1"), "'-1");
  EXPECT_EQ(Csv("@SUM(A1)"), "'@SUM(A1)");
  EXPECT_EQ(Csv("\t=1"), "'\\t=1");
  EXPECT_EQ(Csv("\r=1"), "'\\r=1");
  EXPECT_EQ(Csv("＝1"), "'＝1");
  EXPECT_EQ(Csv("=HYPERLINK(\"x\",1)"), "\"'=HYPERLINK(\"\"x\"\",1)\"");
}

}  // namespace
}  // namespace holdfast
