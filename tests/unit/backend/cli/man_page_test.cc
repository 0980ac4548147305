// To write docs/man/holdfast.1 anew: HOLDFAST_UPDATE_GOLDEN=1 build/dev/bin/unit_backend_cli
#include "tests/support/man_page.h"

#include <set>

#include <gtest/gtest.h>

#include "backend/cli/arguments.h"
#include "tests/support/golden.h"

namespace holdfast::cli {
namespace {

TEST(ManPageTest, IsInStepWithTheGrammar) { ExpectGolden(ManPage(), "docs/man/holdfast.1"); }

TEST(GrammarTest, EveryCommandAndOptionSaysWhatItIs) {
  std::set<std::string> names;
  for (const auto& command : DescribeCommands()) {
    EXPECT_TRUE(names.insert(command.name).second) << command.name;
    EXPECT_FALSE(command.text.empty()) << command.name;
    for (const auto& option : command.options) {
      EXPECT_FALSE(option.text.empty()) << command.name << " " << option.names;
    }
  }
  EXPECT_TRUE(names.contains("agents rm"));
}

Options ReadWords(std::vector<const char*> words) {
  words.insert(words.begin(), "holdfast");
  auto parsed = ParseArguments(static_cast<int>(words.size()), words.data());
  EXPECT_TRUE(std::holds_alternative<Options>(parsed));
  return std::holds_alternative<Options>(parsed) ? std::get<Options>(parsed) : Options();
}
int Refused(std::vector<const char*> words) {
  words.insert(words.begin(), "holdfast");
  testing::internal::CaptureStderr();
  const auto parsed = ParseArguments(static_cast<int>(words.size()), words.data());
  testing::internal::GetCapturedStderr();
  return std::holds_alternative<int>(parsed) ? std::get<int>(parsed) : -1;
}

TEST(GrammarTest, GlobalOptionsStandBeforeOrAfterTheCommand) {
  for (const auto& options : {ReadWords({"--dir", "D", "-o", "json", "query", "T", "SELECT 1"}),
                              ReadWords({"query", "T", "SELECT 1", "-o", "json", "--dir", "D"})}) {
    EXPECT_EQ(options.command, Command::kQuery);
    EXPECT_EQ(options.dir, "D");
    EXPECT_EQ(options.format, Format::kJson);
    EXPECT_EQ(options.target, "T");
    EXPECT_EQ(options.sql, "SELECT 1");
  }
}

TEST(GrammarTest, TheArgvOfExecIsPassedOnByteForByte) {
  const auto options =
      ReadWords({"exec", "T", "--wait", "0", "--", "printf", "[a,b]", "--", "-o", "", "%x"});
  EXPECT_EQ(options.command, Command::kExec);
  EXPECT_EQ(options.wait, Duration(0));
  EXPECT_EQ(options.argv, (std::vector<std::string>{"printf", "[a,b]", "--", "-o", "", "%x"}));
  EXPECT_EQ(ReadWords({"exec", "T", "--", "agents"}).argv, std::vector<std::string>{"agents"});
}

TEST(GrammarTest, TheInnermostCommandCounts) {
  EXPECT_EQ(ReadWords({"agents"}).command, Command::kAgents);
  EXPECT_EQ(ReadWords({"agents", "rm", "T"}).command, Command::kAgentsRemove);
  EXPECT_EQ(ReadWords({"enrol", "token", "--label", "a=b", "--label", "c=d"}).labels,
            (std::vector<std::string>{"a=b", "c=d"}));
  EXPECT_EQ(ReadWords({"kill", "T", "12", "13", "-s", "KILL"}).pids,
            (std::vector<std::int32_t>{12, 13}));
}

TEST(GrammarTest, AMistakeIsStatus2) {
  for (const auto& words :
       std::vector<std::vector<const char*>>{{},
                                             {"nonsense"},
                                             {"query"},
                                             {"query", "T"},
                                             {"exec", "T"},
                                             {"exec", "T", "--"},
                                             {"query", "T", "S", "extra"},
                                             {"agents", "-o", "xml"},
                                             {"agents", "--wait", "soon"},
                                             {"enrol"},
                                             {"kill", "T", "x"},
                                             {"find", "T", "/", "--max-results", "0"},
                                             {"find", "T", "/", "--max-results", "-1"},
                                             {"find", "T", "/", "--max-depth", "0"},
                                             {"find", "T", "/", "--min-size", "-1"},
                                             {"get", "T", "/x", "--max-bytes", "0"},
                                             {"rm", "T", "/x", "--max-bytes", "1"}}) {
    EXPECT_EQ(Refused(words), 2);
  }
}

}  // namespace
}  // namespace holdfast::cli
