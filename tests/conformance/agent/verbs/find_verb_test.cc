#include <ctime>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/temp_dir.h"
#include "tests/support/worker_harness.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::TempDir;

namespace pb = command::v1;

class FindVerbTest : public ::testing::Test {
 protected:
  FindVerbTest() { args().set_path(dir_.path()); }
  pb::FindArgs& args() { return *command_.mutable_find(); }
  WorkerRun Run() { return RunWorkerProcess(command_); }
  // Paths below the directory, in the order of the rows; "" is the directory itself.
  std::vector<std::string> Found() {
    const WorkerRun run = Run();
    EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE) << run.result.message();
    std::vector<std::string> paths;
    for (const auto& row : ReadRows(run.output).rows) {
      paths.push_back(row[1] == dir_.path() ? "" : row[1].substr(dir_.path().size() + 1));
    }
    return paths;
  }
  using Paths = std::vector<std::string>;

  TempDir dir_;
  pb::Command command_;
};

TEST_F(FindVerbTest, GivesThePathAndAllBelowItInOrder) {
  ASSERT_EQ(mkdir((dir_ / "b").c_str(), 0700), 0);
  dir_.Write("b/deep", "x");
  dir_.Write("a", "x");
  dir_.Write(".hidden", "x");
  EXPECT_EQ(Found(), (Paths{"", ".hidden", "a", "b", "b/deep"}));
  args().set_max_depth(1);
  EXPECT_EQ(Found(), (Paths{"", ".hidden", "a", "b"}));
}

TEST_F(FindVerbTest, HasTheColumnsOfLsAndTheOffsetOfAMatch) {
  dir_.Write("file", "ab\ncd needle\n");
  args().set_content("needle");
  const RowTable table = ReadRows(Run().output);
  ASSERT_EQ(table.rows.size(), 1U);
  EXPECT_EQ(table.At(0, "name"), "file");
  EXPECT_EQ(table.At(0, "type"), "regular");
  EXPECT_EQ(table.At(0, "size"), "13");
  EXPECT_EQ(table.At(0, "match_offset"), "6");
  args().clear_content();
  EXPECT_EQ(ReadRows(Run().output).At(0, "match_offset"), "NULL");
}

TEST_F(FindVerbTest, ComparesNamesPathsAndKinds) {
  dir_.Write("Report.TXT", "");
  dir_.Write("report.txt", "");
  dir_.Write("[x]", "");
  ASSERT_EQ(symlink("report.txt", (dir_ / "link.txt").c_str()), 0);
  ASSERT_EQ(mkfifo((dir_ / "fifo").c_str(), 0600), 0);
  args().set_name("r*.txt");
  EXPECT_EQ(Found(), Paths{"report.txt"});
  args().clear_name();
  args().set_iname("R*.txt");
  EXPECT_EQ(Found(), (Paths{"Report.TXT", "report.txt"}));
  args().clear_iname();
  args().set_regex("/(link|Report)\\.(txt|TXT)$");
  EXPECT_EQ(Found(), (Paths{"Report.TXT", "link.txt"}));
  args().set_types("l");
  EXPECT_EQ(Found(), Paths{"link.txt"});
  args().clear_regex();
  args().set_types("lp");
  EXPECT_EQ(Found(), (Paths{"fifo", "link.txt"}));
  args().clear_types();
  args().set_name("\\[x]");
  EXPECT_EQ(Found(), Paths{"[x]"});
}

TEST_F(FindVerbTest, ComparesSizeTimeModeAndOwner) {
  dir_.Write("empty", "");
  dir_.Write("big", std::string(5000, 'x'));
  args().set_types("f");
  args().set_min_size(5000);
  EXPECT_EQ(Found(), Paths{"big"});
  args().clear_min_size();
  args().set_below_size(1);
  EXPECT_EQ(Found(), Paths{"empty"});
  args().clear_below_size();
  const timespec old[2] = {{.tv_sec = 1000, .tv_nsec = 0}, {.tv_sec = 1000, .tv_nsec = 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, (dir_ / "big").c_str(), old, 0), 0);
  args().set_mtime_before(1001);
  EXPECT_EQ(Found(), Paths{"big"});
  args().clear_mtime_before();
  args().set_mtime_from(1001);
  EXPECT_EQ(Found(), Paths{"empty"});
  args().clear_mtime_from();
  ASSERT_EQ(chmod((dir_ / "big").c_str(), 04755), 0);
  args().set_perm_any(06000);
  EXPECT_EQ(Found(), Paths{"big"});
  args().clear_perm_any();
  args().set_perm_all(0711);
  EXPECT_EQ(Found(), Paths{"big"});
  args().clear_perm_all();
  args().set_user(std::to_string(getuid()));
  EXPECT_EQ(Found().size(), 2U);
  args().set_user(std::to_string(getuid() + 1));
  EXPECT_TRUE(Found().empty());
}

TEST_F(FindVerbTest, FindsTextAcrossTheBordersOfItsBuffer) {
  std::string content(700'000, '.');
  const std::string needle = "a needle of some length";
  // Ends one byte behind the first buffer, begins in the last bytes, and once more behind.
  content.replace(256 * 1024 - needle.size() + 1, needle.size(), needle);
  dir_.Write("file", content);
  dir_.Write("none", std::string(700'000, 'n'));
  args().set_content(needle);
  const RowTable table = ReadRows(Run().output);
  ASSERT_EQ(table.rows.size(), 1U);
  EXPECT_EQ(table.At(0, "match_offset"), std::to_string(256 * 1024 - needle.size() + 1));
}

TEST_F(FindVerbTest, MatchesPatternsLineByLine) {
  std::string content;
  for (int i = 0; i < 40'000; ++i) content += "line " + std::to_string(i) + "\n";
  dir_.Write("file", content);
  args().set_types("f");
  args().set_content_regex("^line 39999$");
  EXPECT_EQ(ReadRows(Run().output).At(0, "match_offset"),
            std::to_string(content.find("line 39999")));
  args().set_content_regex("9\\nline");
  EXPECT_TRUE(Found().empty()) << "a match never spans lines";
  dir_.Write("unended", "no line end");
  args().set_content_regex("end$");
  EXPECT_EQ(Found(), Paths{"unended"});
}

TEST_F(FindVerbTest, EntersNoLinksAndReadsNoFifo) {
  const TempDir elsewhere;
  elsewhere.Write("secret", "needle");
  ASSERT_EQ(symlink(elsewhere.path().c_str(), (dir_ / "out").c_str()), 0);
  ASSERT_EQ(mkfifo((dir_ / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(Found(), (Paths{"", "fifo", "out"}));
  args().set_content("needle");
  EXPECT_TRUE(Found().empty());
}

TEST_F(FindVerbTest, LeavesProcAndSysOutUnlessAsked) {
  args().set_path("/");
  args().set_max_depth(2);
  args().set_other_file_systems(true);
  const auto has = [&](const std::string& wanted) {
    for (const auto& row : ReadRows(Run().output).rows) {
      if (row[1] == wanted) return true;
    }
    return false;
  };
  EXPECT_TRUE(has("/proc"));
  EXPECT_FALSE(has("/proc/uptime"));
  args().set_pseudo_file_systems(true);
  EXPECT_TRUE(has("/proc/uptime"));
  args().set_path("/proc");
  args().clear_other_file_systems();
  args().clear_pseudo_file_systems();
  args().set_max_depth(1);
  args().set_name("uptime");
  EXPECT_TRUE(has("/proc/uptime")) << "it was named itself";
}

TEST_F(FindVerbTest, EndsAfterSoManyResults) {
  for (int i = 0; i < 10; ++i) dir_.Write("f" + std::to_string(i), "");
  args().set_types("f");
  args().set_max_results(3);
  EXPECT_EQ(Found(), (Paths{"f0", "f1", "f2"}));
  args().clear_max_results();
  command_.mutable_limits()->set_rows(4);
  EXPECT_EQ(Run().result.failure(), pb::COMMAND_FAILURE_ROW_LIMIT);
}

TEST_F(FindVerbTest, KeepsTheBytesOfAName) {
  const std::string name = "n\xff\xfe\n\x1b[2J";
  dir_.Write(name, "");
  args().set_name("n*");
  EXPECT_EQ(Found(), Paths{name});
}

TEST_F(FindVerbTest, TellsWhatItCouldNotRead) {
  if (geteuid() != 0) GTEST_SKIP() << "switches the user";
  ASSERT_EQ(chmod(dir_.path().c_str(), 0755), 0);
  ASSERT_EQ(mkdir((dir_ / "closed").c_str(), 0700), 0);
  dir_.Write("closed/inner", "x");
  ASSERT_EQ(seteuid(65534), 0);
  const WorkerRun run = Run();
  ASSERT_EQ(seteuid(0), 0);
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE);
  EXPECT_EQ(run.result.message(), "1 not read: " + (dir_ / "closed") + ": Permission denied");
}

TEST_F(FindVerbTest, RefusesWhatMeansNothing) {
  const auto bad = [&](const std::string& word) {
    const WorkerRun run = Run();
    EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT) << word;
    EXPECT_NE(run.result.message().find(word), std::string::npos) << run.result.message();
    args().Clear();
    args().set_path(dir_.path());
  };
  args().set_regex("(");
  bad("regex");
  args().set_content_regex("a{2,1}");
  bad("content_regex");
  args().set_types("fx");
  bad("fdlpsbc");
  args().set_min_size(10);
  args().set_below_size(10);
  bad("size");
  args().set_mtime_from(10);
  args().set_mtime_before(9);
  bad("time");
  args().set_user("nobody-of-that-name");
  bad("nobody-of-that-name");
  args().set_perm_all(010000);
  bad("octal");
  args().set_content("a");
  args().set_content_regex("a");
  bad("exclude");
  args().set_path("relative");
  bad("relative");
  args().set_path(dir_ / "missing");
  const WorkerRun run = Run();
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_NO_SUCH_FILE);
  EXPECT_EQ(run.result.message(), (dir_ / "missing") + ": No such file or directory");
}

}  // namespace
}  // namespace holdfast::agent
