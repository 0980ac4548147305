#include "backend/cli/find_words.h"

#include <gtest/gtest.h>

#include "backend/cli/arguments.h"
#include "backend/cli/shorthands.h"

namespace holdfast::cli {
namespace {

constexpr WallTime kNow{1'796'040'000'000};  // 2026-11-30T12:00:00Z

TEST(FindWordsTest, MomentsAreAgesOrDates) {
  EXPECT_EQ(ParseMoment("2h", kNow), 1'796'040'000 - 7200);
  EXPECT_EQ(ParseMoment("1d", kNow), 1'796'040'000 - 86'400);
  EXPECT_EQ(ParseMoment("2026-11-30", kNow), 1'795'996'800);
  EXPECT_EQ(ParseMoment("2026-11-30T12:00:00Z", kNow), 1'796'040'000);
  EXPECT_EQ(ParseMoment("2026-11-30 12:00", kNow), 1'796'040'000);
  EXPECT_EQ(ParseMoment("2026-11-30T12:00:01", kNow), 1'796'040'001);
  EXPECT_EQ(ParseMoment("1969-12-31", kNow), -86'400);
  for (const char* wrong :
       {"", "soon", "2026-02-30", "2026-13-01", "2026-11-3", "2026-11-30T", "2026-11-30T24:00:00",
        "2026-11-30T12:61:00", "2026-11-30T12:00:00+1", "2026-11-30x", "-2026-11-30"}) {
    EXPECT_EQ(ParseMoment(wrong, kNow), std::nullopt) << wrong;
  }
}

TEST(FindWordsTest, ATimelineIsAQueryOfWhatLiesBelowAPath) {
  FindOptions words;
  const auto sql = [&words](const std::string& path) {
    const auto made = TimelineQuery(path, words, kNow);
    return made.ok() ? made.value().substr(made.value().find("WHERE")) : made.error().message;
  };
  EXPECT_EQ(sql("/etc"), "WHERE path LIKE '/etc/%%'");
  EXPECT_EQ(sql("/etc//"), "WHERE path LIKE '/etc/%%'");
  EXPECT_EQ(sql("/"), "WHERE path LIKE '/%%'");
  EXPECT_EQ(sql("/it's"), "WHERE path LIKE '/it''s/%%'");
  EXPECT_EQ(sql("/my_dir"), "WHERE path LIKE '/my_dir/%%' AND instr(path, '/my_dir/') = 1");
  EXPECT_EQ(sql("etc"), "'etc' is no absolute path");
  EXPECT_EQ(sql(""), "'' is no absolute path");
  words.newer = "1h";
  words.older = "2026-11-30T12:00:00";
  EXPECT_EQ(sql("/x"), "WHERE path LIKE '/x/%%' AND mtime >= 1796036400 AND mtime < 1796040000");
  words.older = "soon";
  EXPECT_NE(sql("/x").find("--older: 'soon' is no time"), std::string::npos);
}

TEST(FindWordsTest, AnEstimateOfProcessesCountsThoseThatAreMeant) {
  EXPECT_EQ(ProcessesEstimate({}),
            "SELECT count(*) AS processes, sum(resident_size) AS bytes FROM processes");
  EXPECT_EQ(ProcessesEstimate({1, 22}),
            "SELECT count(*) AS processes, sum(resident_size) AS bytes FROM processes WHERE pid IN "
            "(1, 22)");
}

TEST(FindWordsTest, WordsBecomeWhatIsSigned) {
  FindOptions words;
  words.name = "*.sh";
  words.max_size = 0;
  words.newer = "1h";
  words.perm = "4000";
  words.suid = true;
  const auto args = FindArgsOf("/x", words, kNow);
  ASSERT_TRUE(args.ok());
  EXPECT_EQ(args.value().path(), "/x");
  EXPECT_EQ(args.value().name(), "*.sh");
  EXPECT_EQ(args.value().below_size(), 1U) << "empty files";
  EXPECT_EQ(args.value().mtime_from(), 1'796'040'000 - 3600);
  EXPECT_EQ(args.value().mtime_before(), 0);
  EXPECT_EQ(args.value().perm_all(), 04000U);
  EXPECT_EQ(args.value().perm_any(), 06000U);
  words.older = "yesterday";
  EXPECT_NE(FindArgsOf("/x", words, kNow).error().message.find("--older"), std::string::npos);
  words.older.clear();
  words.perm = "rwx";
  EXPECT_FALSE(FindArgsOf("/x", words, kNow).ok());
}

Options Parsed(std::vector<const char*> words) {
  words.insert(words.begin(), "holdfast");
  auto parsed = ParseArguments(static_cast<int>(words.size()), words.data());
  EXPECT_TRUE(std::holds_alternative<Options>(parsed));
  return std::holds_alternative<Options>(parsed) ? std::get<Options>(parsed) : Options();
}

TEST(ShorthandTest, EachWordIsAQueryWithItsSql) {
  for (const Shorthand& shorthand : kShorthands) {
    std::vector<const char*> words = {shorthand.word, "web01"};
    if (shorthand.takes_pid) words.push_back("42");
    const Options options = Parsed(words);
    EXPECT_EQ(options.command, Command::kQuery) << shorthand.word;
    EXPECT_EQ(options.sql, SqlOf(shorthand, 42)) << shorthand.word;
    EXPECT_EQ(options.sql.find("PID"), std::string::npos) << options.sql;
  }
  EXPECT_EQ(Parsed({"env", "web01", "42"}).sql,
            "SELECT key, value FROM process_envs WHERE pid = 42");
}

TEST(ShorthandTest, SuspendAndResumeAreSignals) {
  EXPECT_EQ(Parsed({"suspend", "web01", "42"}).signal, "STOP");
  const Options resume = Parsed({"resume", "web01", "42", "43", "--tree"});
  EXPECT_EQ(resume.command, Command::kKill);
  EXPECT_EQ(resume.signal, "CONT");
  EXPECT_EQ(resume.pids.size(), 2U);
  EXPECT_TRUE(resume.tree);
}

TEST(ShorthandTest, AScriptIsRunByAShellUnlessSaid) {
  const Options script = Parsed({"runscript", "web01", "x.sh", "--", "-o", "json"});
  EXPECT_EQ(script.command, Command::kRun);
  EXPECT_EQ(script.interpreter, "/bin/sh");
  EXPECT_EQ(script.argv, (std::vector<std::string>{"-o", "json"}));
  EXPECT_EQ(Parsed({"runscript", "w", "x", "--interpreter", "/bin/bash"}).interpreter, "/bin/bash");
  EXPECT_EQ(Parsed({"run", "web01", "tool"}).interpreter, "");
}

// What they do is never done here: only what would be signed is looked at.
TEST(ShorthandTest, SomeWordsAreProgramsOfTheEndpoint) {
  const Options restart = Parsed({"restart", "web01"});
  EXPECT_EQ(restart.command, Command::kExec);
  EXPECT_EQ(restart.argv, (std::vector<std::string>{"shutdown", "-r", "+1"}));
  EXPECT_TRUE(restart.asks_first);
  EXPECT_EQ(Parsed({"shutdown", "web01"}).argv, (std::vector<std::string>{"shutdown", "-h", "+1"}));
  const Options lock = Parsed({"lock-user", "web01", "ada"});
  EXPECT_EQ(lock.argv,
            (std::vector<std::string>{"usermod", "--lock", "--expiredate", "1", "--", "ada"}));
  EXPECT_FALSE(lock.asks_first);
  EXPECT_EQ(Parsed({"unlock-user", "web01", "ada"}).argv,
            (std::vector<std::string>{"usermod", "--unlock", "--expiredate", "", "--", "ada"}));
  EXPECT_EQ(Parsed({"disable-unit", "web01", "x.service"}).argv,
            (std::vector<std::string>{"systemctl", "disable", "--now", "--", "x.service"}));
}

}  // namespace
}  // namespace holdfast::cli
