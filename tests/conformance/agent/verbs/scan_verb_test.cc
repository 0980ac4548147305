#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/verbs/scanner_process.h"
#include "tests/support/marked_process.h"
#include "tests/support/temp_dir.h"
#include "tests/support/worker_harness.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::MarkedProcess;
using holdfast::testing::ReadWhole;
using holdfast::testing::TempDir;

namespace pb = command::v1;

constexpr char kRules[] =
    "rule found : one two { meta: author = \"a\" level = 3 sure = true strings: $x = \"needle\" "
    "condition: $x }\n"
    "rule small { condition: filesize == 4 }\n";

class ScanVerbTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ScannerProcess scanner;
    ASSERT_TRUE(scanner.Find(ScannerProcess::Places()).ok());
  }
  pb::ScanArgs& args() { return *command_.mutable_scan(); }
  WorkerRun Run(const std::string& rules = kRules) {
    const std::string blob = rules_.Write("rules", rules);
    command_.clear_blobs();
    command_.add_blobs()->set_size(rules.size());
    return RunWorkerProcess(command_, blob);
  }

  TempDir dir_;
  TempDir rules_;
  pb::Command command_;
};

TEST_F(ScanVerbTest, TellsEachMatchWithItsRule) {
  const std::string file = dir_.Write("a\n\xff", "hay needle hay needle");
  dir_.Write("tiny", "1234");
  args().add_paths(dir_.path());
  const WorkerRun run = Run();
  ASSERT_EQ(run.result.outcome(), pb::OUTCOME_DONE) << run.result.message();
  EXPECT_EQ(run.result.message(), "");
  const RowTable rows = ReadRows(run.output);
  ASSERT_EQ(rows.rows.size(), 3U);
  EXPECT_EQ(rows.rows[0],
            (std::vector<std::string>{file, "NULL", "found", "default", "one two",
                                      "author=a; level=3; sure=true", "$x", "4", "needle"}));
  EXPECT_EQ(rows.At(1, "offset"), "15");
  EXPECT_EQ(rows.At(2, "rule"), "small");
  EXPECT_EQ(rows.At(2, "string"), "NULL");
}

TEST_F(ScanVerbTest, LooksThroughTheMemoryOfAProcess) {
  const MarkedProcess process;
  const pid_t pid = process.pid();
  args().add_pids(pid);
  const WorkerRun run = Run("rule in_memory { strings: $x = \"memory-needle\" condition: $x }");
  ASSERT_EQ(run.result.outcome(), pb::OUTCOME_DONE) << run.result.message();
  const RowTable rows = ReadRows(run.output);
  ASSERT_GE(rows.rows.size(), 1U);
  EXPECT_EQ(rows.At(0, "pid"), std::to_string(pid));
  EXPECT_NE(rows.At(0, "path").find("sleep"), std::string::npos) << rows.At(0, "path");
  EXPECT_GT(std::stoull(rows.At(0, "offset")), 4096U) << "an address";
}

TEST_F(ScanVerbTest, RulesThatDoNotCompileAreTheAnalystsMistake) {
  args().add_paths(dir_.path());
  const WorkerRun run = Run("rule a { condition: true }\nrule b { strings: condition: true }");
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  EXPECT_NE(run.result.message().find("rules: line 2"), std::string::npos) << run.result.message();
}

TEST_F(ScanVerbTest, RulesCannotReadFilesOfTheEndpoint) {
  args().add_paths(dir_.path());
  const std::string other = dir_.Write("other.yar", "rule b { condition: true }");
  const WorkerRun run = Run("include \"" + other + "\"\nrule a { condition: true }");
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT) << run.result.message();
}

TEST_F(ScanVerbTest, LeavesLargeFilesOutAndSaysSo) {
  dir_.Write("large", std::string(5000, 'x') + "needle");
  dir_.Write("zsmall", "needle");
  args().add_paths(dir_.path());
  args().set_max_file_bytes(4096);
  const WorkerRun run = Run();
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE);
  EXPECT_EQ(run.result.message(), "1 not, or not wholly, looked through: " + (dir_ / "large") +
                                      ": larger than 4096 bytes");
  EXPECT_EQ(ReadRows(run.output).rows.size(), 1U);
}

TEST_F(ScanVerbTest, TakesNoMoreRowsOfOneThingThanAsked) {
  std::string text;
  for (int i = 0; i < 50; ++i) text += "needle ";
  dir_.Write("many", text);
  args().add_paths(dir_.path());
  args().set_max_matches(7);
  const WorkerRun run = Run();
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE);
  EXPECT_NE(run.result.message().find("more than 7 matches"), std::string::npos)
      << run.result.message();
  EXPECT_EQ(ReadRows(run.output).rows.size(), 7U);
}

TEST_F(ScanVerbTest, ARuleThatNeverEndsIsEndedAndTheNextFileLookedThrough) {
  dir_.Write("a", "first");
  dir_.Write("b", "needle");
  args().add_paths(dir_ / "a");
  args().add_paths(dir_ / "b");
  args().set_item_ms(1000);
  const WorkerRun run =
      Run("rule bomb { condition: filesize == 5 and for all i in (1..1000000000) : (i > 0) }\n"
          "rule found { strings: $x = \"needle\" condition: $x }");
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE) << run.result.message();
  EXPECT_NE(run.result.message().find(": took longer than 1000 ms"), std::string::npos)
      << run.result.message();
  EXPECT_EQ(ReadRows(run.output).rows.size(), 1U);
}

TEST_F(ScanVerbTest, WithoutTheModuleItSaysWhatIsMissing) {
  ScannerProcess scanner;
  const Status found = scanner.Find({dir_.path()});
  EXPECT_EQ(found.error().code, Code::kNotFound);
}

TEST_F(ScanVerbTest, AModuleThatOthersMayWriteIsNotStarted) {
  const std::string module = dir_.Write("holdfast-agent-yara", "#!/bin/sh\n");
  ASSERT_EQ(chmod(dir_.path().c_str(), 0755), 0);
  ScannerProcess scanner;
  ASSERT_EQ(chmod(module.c_str(), 0777), 0);
  EXPECT_EQ(scanner.Find({dir_.path()}).error().code, Code::kDenied);
  ASSERT_EQ(chmod(module.c_str(), 0755), 0);
  EXPECT_TRUE(scanner.Find({dir_.path()}).ok());
  ASSERT_EQ(chmod(dir_.path().c_str(), 0777), 0);
  EXPECT_EQ(scanner.Find({dir_.path()}).error().code, Code::kDenied);
  ASSERT_EQ(chmod(dir_.path().c_str(), 0755), 0);
  ASSERT_EQ(rename(module.c_str(), (dir_ / "real").c_str()), 0);
  ASSERT_EQ(symlink("real", module.c_str()), 0);
  EXPECT_FALSE(scanner.Find({dir_.path()}).ok()) << "a link is not what was checked";
}

// The scanner while it works: confined, and nobody where the agent is root; and gone with its worker.
TEST_F(ScanVerbTest, TheScannerIsConfinedAndEndsWithItsWorker) {
  dir_.Write("a", "x");
  args().add_paths(dir_.path());
  const std::string rules = "rule bomb { condition: for all i in (1..10000000000) : (i > 0) }";
  const std::string blob = rules_.Write("rules", rules);
  command_.add_blobs()->set_size(rules.size());
  int in[2] = {};
  int out[2] = {};
  ASSERT_EQ(pipe2(in, O_CLOEXEC), 0);
  ASSERT_EQ(pipe2(out, O_CLOEXEC), 0);
  const std::string request = RequestBytes(command_, blob);
  const pid_t worker = fork();
  if (worker == 0) {
    dup2(in[0], 0);
    dup2(out[1], 1);
    _exit(RunWorker());
  }
  ASSERT_EQ(write(in[1], request.data(), request.size()), static_cast<ssize_t>(request.size()));
  const std::string children =
      "/proc/" + std::to_string(worker) + "/task/" + std::to_string(worker) + "/children";
  std::string scanner;
  std::string status;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (status.find("Seccomp:\t2") == std::string::npos &&
         std::chrono::steady_clock::now() < until) {
    scanner = ReadWhole(children);
    scanner = scanner.substr(0, scanner.find(' '));
    status = scanner.empty() ? "" : ReadWhole("/proc/" + scanner + "/status");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_NE(status.find("Seccomp:\t2"), std::string::npos) << status;
  EXPECT_NE(status.find("NoNewPrivs:\t1"), std::string::npos);
  if (geteuid() == 0) {
    EXPECT_NE(status.find("Uid:\t65534\t65534\t65534\t65534"), std::string::npos) << status;
    EXPECT_NE(status.find("CapEff:\t0000000000000000"), std::string::npos) << status;
  }
  kill(worker, SIGKILL);
  waitpid(worker, nullptr, 0);
  std::string left = "?";
  while (!left.empty() && left != "Z" && std::chrono::steady_clock::now() < until) {
    const std::string stat = ReadWhole("/proc/" + scanner + "/stat");
    const std::size_t at = stat.rfind(')');
    left = at == std::string::npos ? "" : stat.substr(at + 2, 1);
  }
  EXPECT_TRUE(left.empty() || left == "Z") << left;
  for (const int fd : {in[0], in[1], out[0], out[1]}) close(fd);
}

TEST_F(ScanVerbTest, RefusesWhatMeansNothing) {
  args().set_max_matches(1);
  EXPECT_EQ(Run().result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  args().add_pids(1);
  EXPECT_EQ(Run().result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  args().clear_pids();
  args().add_paths("relative");
  EXPECT_EQ(Run().result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  args().set_paths(0, dir_ / "missing");
  EXPECT_EQ(Run().result.failure(), pb::COMMAND_FAILURE_NO_SUCH_FILE);
}

}  // namespace
}  // namespace holdfast::agent
