#include <filesystem>
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

using holdfast::testing::ReadWhole;
using holdfast::testing::TempDir;

namespace pb = command::v1;

class RunVerbTest : public ::testing::Test {
 protected:
  // Runs `content` with the blob still open for writing, as the spool has it.
  WorkerRun Run(const std::string& content, const std::vector<std::string>& args = {}) {
    const std::string blob = dir_.Write("digest.blob", content);
    const int writer = open(blob.c_str(), O_WRONLY | O_CLOEXEC);
    for (const auto& arg : args) run().add_args(arg);
    command_.add_blobs()->set_size(content.size());
    WorkerRun ran = RunWorkerProcess(command_, blob);
    close(writer);
    return ran;
  }
  pb::RunArgs& run() { return *command_.mutable_run(); }
  std::size_t FilesLeft() const {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
      ++count;
    }
    return count;
  }

  TempDir dir_;
  pb::Command command_;
};

TEST_F(RunVerbTest, RunsAScriptWithItsArgumentsAndLeavesNothing) {
  run().set_interpreter("/bin/sh");
  const WorkerRun ran = Run("echo \"$1-$2\"; echo err >&2; exit 3", {"a b", "*"});
  EXPECT_EQ(StdioOf(ran.output, 1), "a b-*\n");
  EXPECT_EQ(StdioOf(ran.output, 2), "err\n");
  EXPECT_EQ(ran.result.failure(), pb::COMMAND_FAILURE_EXIT_STATUS);
  EXPECT_EQ(ran.result.exit_code(), 3);
  EXPECT_EQ(FilesLeft(), 1U) << "the blob is the warden's to remove";
}

TEST_F(RunVerbTest, RunsAProgramUnderItsName) {
  run().set_name("my-echo");
  const WorkerRun ran = Run(ReadWhole("/bin/echo"), {"hello", "$HOME"});
  EXPECT_EQ(ran.result.outcome(), pb::OUTCOME_DONE) << ran.result.message();
  EXPECT_EQ(StdioOf(ran.output, 1), "hello $HOME\n");
  EXPECT_EQ(FilesLeft(), 1U);
}

TEST_F(RunVerbTest, RunsWhatBeginsWithTheNameOfItsInterpreter) {
  const WorkerRun ran = Run("#!/bin/sh\necho \"it runs: $1\"\n", {"yes"});
  EXPECT_EQ(ran.result.outcome(), pb::OUTCOME_DONE) << ran.result.message();
  EXPECT_EQ(StdioOf(ran.output, 1), "it runs: yes\n");
}

TEST_F(RunVerbTest, TakesDirectoryEnvironmentAndInput) {
  run().set_interpreter("/bin/sh");
  run().set_cwd("/usr");
  run().add_env("MINE=1");
  run().set_stdin("typed");
  const WorkerRun ran = Run("pwd; echo $MINE; cat");
  EXPECT_EQ(StdioOf(ran.output, 1), "/usr\n1\ntyped");
}

TEST_F(RunVerbTest, EndsAtTheWallLimitWithEverythingItStarted) {
  run().set_interpreter("/bin/sh");
  command_.mutable_limits()->set_wall_ms(300);
  const WorkerRun ran = Run("sleep 100 & sleep 100");
  EXPECT_EQ(ran.result.failure(), pb::COMMAND_FAILURE_WALL_LIMIT);
}

TEST_F(RunVerbTest, SaysWhatCannotBeRun) {
  run().set_name("text");
  EXPECT_EQ(Run("no program").result.failure(), pb::COMMAND_FAILURE_CANNOT_EXECUTE);
  run().set_interpreter("/no/such/shell");
  command_.clear_blobs();
  const WorkerRun no_shell = Run("echo");
  EXPECT_EQ(no_shell.result.failure(), pb::COMMAND_FAILURE_CANNOT_EXECUTE);
  EXPECT_EQ(no_shell.result.message(), "/no/such/shell: No such file or directory");
  run().set_interpreter("sh");
  EXPECT_EQ(Run("echo").result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  run().clear_interpreter();
  run().set_name("a/b");
  EXPECT_EQ(Run("echo").result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
}

TEST_F(RunVerbTest, RunsNothingButWhatWasSigned) {
  run().set_interpreter("/bin/sh");
  command_.add_blobs()->set_size(99);
  const std::string blob = dir_.Write("digest.blob", "echo");
  EXPECT_EQ(RunWorkerProcess(command_, blob).result.failure(), pb::COMMAND_FAILURE_BLOB_CORRUPT);
  EXPECT_EQ(RunWorkerProcess(command_, dir_ / "none").result.failure(), pb::COMMAND_FAILURE_IO);
}

}  // namespace
}  // namespace holdfast::agent
