// The parts of `holdfast pty` and `holdfast shell` that need no terminal.
#include <gtest/gtest.h>

#include "backend/cli/escape_keys.h"
#include "backend/cli/shell_words.h"
#include "backend/cli/terminal_modes.h"

namespace holdfast::cli {
namespace {

std::string Typed(std::string_view keys, std::size_t piece = 1000) {
  EscapeKeys escapes;
  std::string out;
  for (std::size_t at = 0; at < keys.size(); at += piece) {
    const auto typed = escapes.Push(keys.substr(at, piece));
    out += typed.keys;
    if (typed.wants_help) out += "<help>";
    if (typed.ends) return out + "<end>";
  }
  return out;
}

TEST(EscapeKeysTest, EndOnlyAtTheBeginningOfALine) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{1000}}) {
    EXPECT_EQ(Typed("~.", piece), "<end>");
    EXPECT_EQ(Typed("ls\r~.more", piece), "ls\r<end>");
    EXPECT_EQ(Typed("a~.", piece), "a~.");
    EXPECT_EQ(Typed("~~.\r", piece), "~.\r");
    EXPECT_EQ(Typed("\r~~x", piece), "\r~x");
    EXPECT_EQ(Typed("~/bin\r", piece), "~/bin\r");
    EXPECT_EQ(Typed("~\r~.", piece), "~\r<end>");
  }
}

TEST(EscapeKeysTest, HelpIsAskedForAndGoesToNobody) {
  EscapeKeys escapes;
  const auto typed = escapes.Push("~?x");
  EXPECT_TRUE(typed.wants_help);
  EXPECT_EQ(typed.keys, "x");
}

TEST(TerminalModesTest, UndoesWhatIsLeftSwitchedOnAndNothingElse) {
  TerminalModes modes;
  modes.OnOutput("text \x1b[31mred\x1b[0m \x1b[?2004h");
  modes.OnOutput("\x1b[?2004l");
  EXPECT_EQ(modes.Undo(), "");
  modes.OnOutput("\x1b[?10");  // cut anywhere
  modes.OnOutput("49;25");
  modes.OnOutput("h\x1b[?25l\x1b[?1000h\x1b[?77h");
  EXPECT_EQ(modes.Undo(), "\x1b[?1049l\x1b[?1000l\x1b[?25h\x1b[0m");
  modes.OnOutput("\x1b[?" + std::string(100, '1') + "h\x1b[?;;h\x1b[?99999999999h\x1b[?25h");
  EXPECT_EQ(modes.Undo(), "\x1b[?1049l\x1b[?1000l\x1b[0m");
}

TEST(ShellWordsTest, MeansByQuotesWhatAShellMeans) {
  using Words = std::vector<std::string>;
  const auto words = [](std::string_view line) { return SplitLine(line).value().words; };
  EXPECT_EQ(words("  ls   -a\t/etc "), (Words{"ls", "-a", "/etc"}));
  EXPECT_EQ(words("cat 'a b' \"c d\"e f\\ g"), (Words{"cat", "a b", "c de", "f g"}));
  EXPECT_EQ(words("x \"a\\\"b\\\\c\\d\" 'a\\'"), (Words{"x", "a\"b\\c\\d", "a\\"}));
  EXPECT_EQ(words("x '' # a comment"), (Words{"x", ""}));
  EXPECT_EQ(words("x a#b"), (Words{"x", "a#b"}));
  EXPECT_FALSE(SplitLine("x 'a").ok());
  EXPECT_FALSE(SplitLine("x \"a").ok());
  EXPECT_FALSE(SplitLine("x \\").ok());
  EXPECT_TRUE(SplitLine("sleep 1 &").value().in_background);
  EXPECT_FALSE(SplitLine("echo a&b").value().in_background);
  EXPECT_FALSE(SplitLine("echo '&'").value().in_background);
}

TEST(ShellWordsTest, WhatIsQuotedIsOneWordAgain) {
  for (const std::string name :
       {"plain", "with blank", "it's", "a\"b", "back\\slash", "#hash", "&"}) {
    const auto again = SplitLine("cat " + Quoted(name));
    ASSERT_TRUE(again.ok()) << name;
    ASSERT_EQ(again.value().words.size(), 2U) << name;
    EXPECT_EQ(again.value().words[1], name);
  }
}

TEST(ShellWordsTest, PathsAreMadeWholeByTheirWords) {
  EXPECT_EQ(ResolvePath("/etc", "passwd"), "/etc/passwd");
  EXPECT_EQ(ResolvePath("/etc", "/var/log"), "/var/log");
  EXPECT_EQ(ResolvePath("/etc/apt", ".."), "/etc");
  EXPECT_EQ(ResolvePath("/etc/apt", "../../../.."), "/");
  EXPECT_EQ(ResolvePath("/", "."), "/");
  EXPECT_EQ(ResolvePath("/a", "./b//c/../d/"), "/a/b/d");
  EXPECT_EQ(ResolvePath("/a", ""), "/a");
}

}  // namespace
}  // namespace holdfast::cli
