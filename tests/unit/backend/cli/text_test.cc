// What is printed: safe on a terminal, in a spreadsheet and in JSON, whatever an endpoint holds.
#include <algorithm>
#include <limits>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "backend/cli/duration_text.h"
#include "backend/cli/host_names.h"
#include "backend/cli/json_text.h"
#include "backend/cli/record_printer.h"
#include "backend/cli/size_text.h"
#include "backend/cli/terminal_text.h"
#include "backend/cli/text_table.h"
#include "backend/cli/time_text.h"

namespace holdfast::cli {
namespace {

constexpr const char* kHostile[] = {
    "\x1b[2J\x1b]0;title\x07",  // clears the screen, names the window
    "\xc2\x9b\x32J",            // the same with C1's CSI
    "evil\xe2\x80\xaegnp.exe",  // right-to-left override
    "\xe2\x81\xa6isolated",     // isolate
    "a\rb\nc\td\x7f",           // control characters
    "=cmd|' /C calc'!A1",
    "+1",
    "-1",
    "@x",  // formulas
    "\xff\xfe invalid",
    "\xc0\xaf overlong",
    "\xed\xa0\x80 surrogate",
    "cut \xe2\x82",
    "quote\" comma, backslash\\ nul"};

TEST(JsonTextTest, HostileTextStaysOneStringOfPlainAscii) {
  for (const std::string text : kHostile) {
    const std::string json = JsonObject().Text("t", text).str();
    for (const char c : json) EXPECT_TRUE(c >= ' ' && c < 0x7F) << text;
    const auto parsed = nlohmann::json::parse(json);
    ASSERT_TRUE(parsed.contains("t"));
    if (IsUtf8(text)) {
      EXPECT_EQ(parsed["t"].get<std::string>(), text);
      EXPECT_FALSE(parsed.contains("t_hex"));
    } else {
      ASSERT_TRUE(parsed.contains("t_hex")) << text;
      EXPECT_EQ(FromHex(parsed["t_hex"].get<std::string>()).value(), text);
    }
  }
}

TEST(JsonTextTest, ANulIsPartOfAText) {
  const std::string text("a\0b", 3);
  EXPECT_EQ(nlohmann::json::parse(JsonObject().Text("t", text).str())["t"].get<std::string>(),
            text);
}

TEST(JsonTextTest, NumbersThatJsonDoesNotHaveAreNull) {
  EXPECT_EQ(JsonObject().Put("x", Cell::Real(std::numeric_limits<double>::quiet_NaN())).str(),
            R"({"x":null})");
  EXPECT_EQ(JsonObject().Put("x", Cell::Real(0.5)).str(), R"({"x":0.5})");
  EXPECT_EQ(JsonObject().Put("x", Cell::Int(std::numeric_limits<std::int64_t>::min())).str(),
            R"({"x":-9223372036854775808})");
  EXPECT_EQ(JsonObject().Put("x", Cell::Null()).str(), R"({"x":null})");
}

TEST(Utf8Test, OnlyWhatTheStandardCallsValidIs) {
  for (const char* good : {"", "plain", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"}) {
    EXPECT_TRUE(IsUtf8(good)) << good;
  }
  for (const char* bad : {"\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80",
                          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xfe", "\xff"}) {
    EXPECT_FALSE(IsUtf8(bad)) << bad;
  }
}

TEST(CsvTest, NoFieldIsAFormulaAndNumbersStayNumbers) {
  EXPECT_EQ(CsvLine({Cell::Text("=1+1"), Cell::Int(-5), Cell::Text("-5"), Cell::Null()}),
            "'=1+1,-5,'-5,\r\n");
  EXPECT_EQ(CsvLine({Cell::Text("a,b"), Cell::Text("say \"x\"")}), "\"a,b\",\"say \"\"x\"\"\"\r\n");
  for (const std::string text : kHostile) {
    const std::string line = CsvLine({Cell::Text(text)});
    const char first = line[line[0] == '"' ? 1 : 0];
    EXPECT_EQ(std::string("=+-@\t\r").find(first), std::string::npos) << text;
  }
}

TEST(TerminalTextTest, LinesKeepTheirNewlinesAndTabsAndNothingElseThatActs) {
  EXPECT_EQ(SafeLines("a\tb\nc\n"), "a\tb\nc\n");
  for (const std::string text : kHostile) {
    for (const char c : SafeLines(text)) {
      EXPECT_TRUE(static_cast<unsigned char>(c) >= ' ' || c == '\n' || c == '\t') << text;
      EXPECT_NE(c, '\x7f');
    }
    EXPECT_EQ(SafeLines(text).find("\xc2\x9b"), std::string::npos);
    EXPECT_EQ(SafeLines(text).find("\xe2\x80\xae"), std::string::npos);
  }
}

TEST(TerminalTextTest, AStreamComesOutInWholeLines) {
  LineCutter cutter;
  EXPECT_EQ(cutter.Push("one\ntw"), "one\n");
  EXPECT_EQ(cutter.Push("o"), "");
  EXPECT_EQ(cutter.Push("\nthree\nfo"), "two\nthree\n");
  EXPECT_EQ(cutter.Flush(), "fo");
  EXPECT_EQ(cutter.Push(std::string(70'000, 'x')).size(), 70'000U) << "bounded";
  EXPECT_EQ(PrefixLines("h | ", "a\n\nb"), "h | a\nh | \nh | b\n");
}

TEST(TextTableTest, WidthIsOfCharactersOnTheScreen) {
  EXPECT_EQ(DisplayWidth("abc"), 3U);
  EXPECT_EQ(DisplayWidth("\xc3\xa4\xc3\xb6"), 2U);
  EXPECT_EQ(DisplayWidth("\xe6\xbc\xa2\xe5\xad\x97"), 4U) << "East Asian wide";
  EXPECT_EQ(DisplayWidth("e\xcc\x81"), 1U) << "combining accent";
}

std::string Render(std::vector<TextTable::Column> columns, std::size_t width,
                   const std::vector<std::vector<std::string>>& rows) {
  TextTable table(std::move(columns), width);
  for (const auto& row : rows) table.Measure(row);
  table.Freeze();
  std::string text = table.Header();
  for (const auto& row : rows) text += table.Line(row);
  return text;
}

TEST(TextTableTest, ColumnsAreAlignedAndNumbersOnTheRight) {
  EXPECT_EQ(Render({{"pid", true}, {"name"}}, 0, {{"1", "init"}, {"12345", "x"}}),
            "  pid  name\n"
            "    1  init\n"
            "12345  x\n");
}

using Pieces = std::vector<std::string>;
using Fit = TextTable::Fit;

TEST(TextTableTest, FreeTextIsBrokenAtSpacesAndElsewhereOnlyWhereThereIsNone) {
  EXPECT_EQ(WrapToWidth("abc", 3), (Pieces{"abc"}));
  EXPECT_EQ(WrapToWidth("abcd", 3), (Pieces{"abc", "d"}));
  EXPECT_EQ(WrapToWidth("ab cd ef", 5), (Pieces{"ab cd", "ef"}));
  EXPECT_EQ(WrapToWidth("a bcdefgh", 4), (Pieces{"a", "bcde", "fgh"}));
  EXPECT_EQ(WrapToWidth("\xe6\xbc\xa2\xe5\xad\x97", 3), (Pieces{"\xe6\xbc\xa2", "\xe5\xad\x97"}));
  EXPECT_EQ(WrapToWidth("\xe6\xbc\xa2", 1), (Pieces{"\xe6\xbc\xa2"})) << "too wide for any line";
  EXPECT_EQ(WrapToWidth("", 3), (Pieces{""}));
}

TEST(TextTableTest, FreeTextGoesOnInFurtherLinesAndNothingIsCut) {
  EXPECT_EQ(Render({{"action"}, {"detail", false, Fit::kWraps}}, 36,
                   {{"command.accepted", "exec sh -c something long"}, {"x", "y"}}),
            "action            detail\n"
            "command.accepted  exec sh -c\n"
            "                  something long\n"
            "x                 y\n");
}

TEST(TextTableTest, TheHighestRankIsLeftOutFirstAndRankZeroNever) {
  TextTable table(
      {{"id"}, {"arch", false, Fit::kWhole, 2}, {"os", false, Fit::kWhole, 1}, {"labels"}}, 20);
  const Pieces row = {"0123456789", "x86_64", "debian", "site=a"};
  table.Measure(row);
  table.Freeze();
  EXPECT_EQ(table.Line(row), "0123456789  site=a\n");
  EXPECT_EQ(table.Dropped(), (Pieces{"arch", "os"}));
  TextTable narrow({{"id"}, {"labels"}}, 5);
  narrow.Measure({"0123456789", "site=a"});
  narrow.Freeze();
  EXPECT_EQ(narrow.Line({"0123456789", "site=a"}), "0123456789  site=a\n") << "wider, but whole";
  EXPECT_TRUE(narrow.Dropped().empty());
}

TEST(TextTableTest, AQuerysColumnWrapsOnlyWhereItHoldsLongTextWithSpaces) {
  const std::string hash(64, 'f');
  const std::string margin(66, ' ');
  EXPECT_EQ(Render({{"sha256", false, Fit::kByContent}, {"words", false, Fit::kByContent}}, 80,
                   {{hash, "several words that are too long"}}),
            "sha256" + margin.substr(6) + "words\n" + hash + "  several words\n" + margin +
                "that are too\n" + margin + "long\n");
}

TEST(TextTableTest, InAPipeNothingIsCut) {
  const std::string word(300, 'w');
  EXPECT_NE(Render({{"a"}}, 0, {{word}}).find(word), std::string::npos);
}

TEST(DistinctNamesTest, ARepeatedColumnGetsANumber) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(DistinctNames({"a", "b", "a", "a", "a_2"}), (Names{"a", "b", "a_2", "a_3", "a_2_2"}));
}

TEST(HostNamesTest, TwinsAreToldApartAndNoNameLeavesItsDirectory) {
  const auto id = [](char c) { return AgentId::From(std::string(16, c)).value(); };
  const std::vector<sdk::Target> targets = {
      {id('a'), "twin", true}, {id('b'), "twin", true}, {id('c'), "../../etc", true},
      {id('d'), "", true},     {id('e'), "..", true},   {id('f'), "a\x1b[2J/b", true}};
  const auto shown = ShownHosts(targets);
  EXPECT_EQ(shown.at(id('a')), "twin-61616161");
  EXPECT_EQ(shown.at(id('b')), "twin-62626262");
  EXPECT_EQ(shown.at(id('d')), "64646464");
  EXPECT_EQ(shown.at(id('f')).find('\x1b'), std::string::npos);
  for (const auto& [agent, name] : DirectoryNames(targets)) {
    EXPECT_EQ(name.find('/'), std::string::npos) << name;
    EXPECT_NE(name.front(), '.') << name;
  }
}

TEST(HostNamesTest, NobodyTakesTheNameThatAnotherIsShownUnder) {
  const auto id = [](char c) { return AgentId::From(std::string(16, c)).value(); };
  const AgentId a = id('a'), b = id('b'), like_a = id('c'), like_that = id('d');
  const AgentId nameless = id('e'), like_nameless = id('f');
  std::vector<sdk::Target> targets = {{a, "web", true},
                                      {b, "web", true},
                                      {like_a, "web-61616161", true},
                                      {like_that, "web-61616161-63636363", true},
                                      {nameless, "", true},
                                      {like_nameless, "65656565", true}};
  const auto shown = ShownHosts(targets);
  EXPECT_EQ(shown.at(a), "web-61616161");
  EXPECT_EQ(shown.at(b), "web-62626262");
  EXPECT_EQ(shown.at(like_a), "web-61616161-63636363");
  EXPECT_EQ(shown.at(like_that), "web-61616161-63636363-64646464");
  EXPECT_EQ(shown.at(nameless), "65656565");
  EXPECT_EQ(shown.at(like_nameless), "65656565-66666666");
  std::reverse(targets.begin(), targets.end());
  EXPECT_EQ(ShownHosts(targets), shown);
  EXPECT_EQ(DirectoryNames(targets), shown);
}

TEST(HostNamesTest, TwinsWhoseIdsBeginAlikeAreShownWithTheirWholeIds) {
  const AgentId a = AgentId::From(std::string(16, 'a')).value();
  const AgentId b = AgentId::From(std::string(15, 'a') + "b").value();
  const auto shown = ShownHosts({{a, "web", true}, {b, "web", true}});
  EXPECT_EQ(shown.at(a), "web-" + a.hex());
  EXPECT_EQ(shown.at(b), "web-" + b.hex());
}

TEST(DurationTextTest, SaysAndReadsWhatPeopleType) {
  EXPECT_EQ(ParseDuration("0"), Duration(0));
  EXPECT_EQ(ParseDuration("45"), Duration(45'000));
  EXPECT_EQ(ParseDuration("1500ms"), Duration(1500));
  EXPECT_EQ(ParseDuration("10m"), std::chrono::minutes(10));
  EXPECT_EQ(ParseDuration("24h"), std::chrono::hours(24));
  EXPECT_EQ(ParseDuration("7d"), std::chrono::hours(168));
  for (const char* wrong : {"", "h", "-1s", "1.5h", "5 m", "99999999999999999999s", "4000d"}) {
    EXPECT_FALSE(ParseDuration(wrong)) << wrong;
  }
  EXPECT_EQ(FormatDuration(Duration(850)), "850 ms");
  EXPECT_EQ(FormatDuration(Duration(12'345)), "12.3 s");
  EXPECT_EQ(FormatDuration(Duration(250'000)), "4 min 10 s");
  EXPECT_EQ(FormatDuration(std::chrono::hours(51)), "2 d 3 h");
}

TEST(SizeTextTest, CountsInThousands) {
  EXPECT_EQ(FormatSize(0), "0 B");
  EXPECT_EQ(FormatSize(999), "999 B");
  EXPECT_EQ(FormatSize(1400), "1.4 kB");
  EXPECT_EQ(FormatSize(999'999), "1.0 MB");
  EXPECT_EQ(FormatSize(std::numeric_limits<std::uint64_t>::max()), "18.4 EB");
}

TEST(TimeTextTest, IsUtcAndSurvivesAnyNumber) {
  EXPECT_EQ(FormatTime(WallTime(0)), "-");
  EXPECT_EQ(FormatTime(WallTime(1'790'000'000'000)), "2026-09-21 14:13:20 UTC");
  EXPECT_EQ(FormatRfc3339(WallTime(1'790'000'000'123)), "2026-09-21T14:13:20.123Z");
  EXPECT_FALSE(FormatTime(WallTime(std::numeric_limits<std::uint64_t>::max())).empty());
}

}  // namespace
}  // namespace holdfast::cli
