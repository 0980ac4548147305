// yara_file, yara_process and magic with the module, through a worker of `query`.
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/verbs/scanner_process.h"
#include "tests/support/marked_process.h"
#include "tests/support/temp_dir.h"
#include "tests/support/worker_harness.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::MarkedProcess;
using holdfast::testing::TempDir;

namespace pb = command::v1;

class ScannedQueryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ScannerProcess scanner;
    ASSERT_TRUE(scanner.Find(ScannerProcess::Places()).ok());
  }
  WorkerRun Ask(const std::string& sql, const std::string& state_dir = "/nowhere") {
    pb::Command command;
    command.mutable_query()->set_sql(sql);
    return RunWorkerProcess(command, "", state_dir);
  }
  TempDir dir_;
};

constexpr char kNeedle[] = "rule n : t { strings: $a = \"needle\" condition: $a }";

TEST_F(ScannedQueryTest, FindsFilesByRulesInTheSqlAndByRulesOnTheEndpoint) {
  const std::string hay = dir_.Write("hay", "0123456789needle");
  dir_.Write("other", "nothing");
  const std::string rules = dir_.Write("rules.yar", kNeedle);
  const std::string from =
      "SELECT path, matches, count, strings, tags, sigfile FROM yara_file WHERE path LIKE '" +
      dir_.path() + "/%' AND path NOT LIKE '%.yar' AND ";
  for (const std::string& by :
       {"sigrule = '" + std::string(kNeedle) + "'", "sigfile = '" + rules + "'"}) {
    const WorkerRun run = Ask(from + by + " ORDER BY path");
    ASSERT_EQ(run.result.outcome(), pb::OUTCOME_DONE) << run.result.message();
    EXPECT_EQ(run.result.message(), "");
    const RowTable rows = ReadRows(run.output);
    ASSERT_EQ(rows.rows.size(), 2U);
    const std::string file = by.starts_with("sigfile") ? rules : "";
    EXPECT_EQ(rows.rows[0], (std::vector<std::string>{hay, "n", "1", "$a:a", "t", file}));
    EXPECT_EQ(rows.At(1, "count"), "0");
  }
}

TEST_F(ScannedQueryTest, TwoSetsOfRulesInOneQueryEachFindTheirOwn) {
  const std::string hay = dir_.Write("hay", "needle thread");
  const std::string thread = "rule t { strings: $b = \"thread\" condition: $b }";
  const WorkerRun run =
      Ask("SELECT a.matches, b.matches FROM yara_file a, yara_file b WHERE a.path = '" + hay +
          "' AND b.path = '" + hay + "' AND a.sigrule = '" + kNeedle + "' AND b.sigrule = '" +
          thread + "'");
  const RowTable rows = ReadRows(run.output);
  ASSERT_EQ(rows.rows.size(), 1U) << run.result.message();
  EXPECT_EQ(rows.rows[0], (std::vector<std::string>{"n", "t"}));
}

TEST_F(ScannedQueryTest, FindsWhatIsOnlyInTheMemoryOfAProcess) {
  const MarkedProcess process;
  const pid_t pid = process.pid();
  const WorkerRun run =
      Ask("SELECT pid, matches, strings FROM yara_process WHERE pid IN (" + std::to_string(pid) +
          ", 4194303) AND sigrule = 'rule m { strings: $x = \"memory-needle\" condition: $x }'");
  const RowTable rows = ReadRows(run.output);
  ASSERT_EQ(rows.rows.size(), 1U) << run.result.message();
  EXPECT_EQ(rows.At(0, "pid"), std::to_string(pid));
  EXPECT_EQ(rows.At(0, "matches"), "m");
  EXPECT_TRUE(rows.At(0, "strings").starts_with("$x:"));
}

TEST_F(ScannedQueryTest, BadRulesAreToldByTheirLine) {
  const WorkerRun run =
      Ask("SELECT * FROM yara_file WHERE path = '/etc/passwd' AND sigrule = 'rule a { condition: "
          "true }\n"
          "rule b { condition: ) }'");
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_SQL);
  EXPECT_NE(run.result.message().find("rules: line 2"), std::string::npos) << run.result.message();
}

TEST_F(ScannedQueryTest, TheAgentsKeyIsNeitherRulesNorLookedThrough) {
  const std::string key = dir_.Write("identity.key", "secret {");
  const std::string path = "path = '" + key + "'";
  EXPECT_TRUE(
      ReadRows(Ask("SELECT * FROM yara_file WHERE " + path + " AND sigrule = '" + kNeedle + "'",
                   dir_.path())
                   .output)
          .rows.empty());
  EXPECT_TRUE(ReadRows(Ask("SELECT * FROM magic WHERE " + path, dir_.path()).output).rows.empty());
  const WorkerRun run =
      Ask("SELECT * FROM yara_file WHERE path = '/etc/passwd' AND sigfile = '" + key + "'",
          dir_.path());
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_SQL);
  EXPECT_EQ(run.result.message().find("secret"), std::string::npos) << run.result.message();
}

TEST_F(ScannedQueryTest, ARuleThatNeverEndsEndsWithTheTimeOfTheQuery) {
  dir_.Write("a", "first");
  pb::Command command;
  command.mutable_limits()->set_wall_ms(1500);
  command.mutable_query()->set_sql(
      "SELECT * FROM yara_file WHERE path LIKE '" + dir_.path() +
      "/%' AND sigrule = 'rule bomb { condition: for all i in (1..1000000000) : (i > 0) }'");
  const WorkerRun run = RunWorkerProcess(command);
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_WALL_LIMIT) << run.result.message();
}

TEST_F(ScannedQueryTest, KindsOfFilesAreLibmagics) {
  dir_.Write("a", "#!/bin/sh\necho\n");
  dir_.Write("b", std::string("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10));
  dir_.Write("c", "");
  dir_.Write("d", "gr\xc3\xbc\xc3\x9f\n");
  const RowTable rows =
      ReadRows(Ask("SELECT data, mime_type, mime_encoding FROM magic WHERE path LIKE '" +
                   dir_.path() + "/%' OR path = '/proc/self/exe' ORDER BY path")
                   .output);
  ASSERT_EQ(rows.rows.size(), 4U);
  EXPECT_EQ(rows.rows[0], (std::vector<std::string>{"POSIX shell script, ASCII text executable",
                                                    "text/x-shellscript", "us-ascii"}));
  EXPECT_EQ(rows.At(1, "mime_type"), "application/gzip");
  EXPECT_EQ(rows.rows[2], (std::vector<std::string>{"empty", "inode/x-empty", "binary"}));
  EXPECT_EQ(rows.At(3, "mime_encoding"), "utf-8");
}

TEST_F(ScannedQueryTest, AProgramOfThisMachineIsAnElfFile) {
  const RowTable rows =
      ReadRows(Ask("SELECT data, mime_type FROM magic WHERE path = '/bin/sleep'").output);
  ASSERT_EQ(rows.rows.size(), 1U);
  EXPECT_TRUE(rows.At(0, "data").starts_with("ELF ")) << rows.At(0, "data");
  EXPECT_NE(rows.At(0, "data").find("interpreter /lib"), std::string::npos) << rows.At(0, "data");
}

TEST_F(ScannedQueryTest, RulesMayAskForKindsToo) {
  const std::string hay = dir_.Write("hay", "plain words\n");
  const RowTable rows = ReadRows(Ask("SELECT count FROM yara_file WHERE path = '" + hay +
                                     "' AND sigrule = 'import \"magic\" rule m { condition: "
                                     "magic.mime_type() == \"text/plain\" }'")
                                     .output);
  EXPECT_EQ(rows.At(0, "count"), "1");
}

}  // namespace
}  // namespace holdfast::agent
