#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/temp_dir.h"
#include "tests/support/worker_harness.h"

namespace holdfast::agent {
namespace {

namespace pb = command::v1;

WorkerRun Kill(pid_t pid, int signal) {
  pb::Command command;
  command.mutable_kill()->add_pids(pid);
  command.mutable_kill()->set_signal(signal);
  command.mutable_kill()->set_tree(true);
  return RunWorkerProcess(command);
}

// The orphans of a tree become this process's children: each can be waited for, or is still there.
class KillTreeTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0); }
  void TearDown() override { (void)prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0); }

  // How many ended by SIGKILL; fails when one is left after a while.
  int ReapAll() {
    int killed = 0;
    for (int i = 0; i < 2000; ++i) {
      int status = 0;
      const pid_t pid = waitpid(-1, &status, WNOHANG);
      if (pid < 0) return killed;
      if (pid > 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ++killed;
      if (pid == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    ADD_FAILURE() << "a descendant escaped";
    return killed;
  }
};

// Three levels of processes that never stop forking: the lowest live for 10 ms and are replaced. One whose
// parent was taken away while it lives stays for a minute, and is noticed.
[[noreturn]] void Grow(int level) {
  constexpr int kLowest = 3;
  constexpr int kChildren = 3;
  const pid_t parent = getppid();
  if (level == kLowest) {
    usleep(10'000);
    if (getppid() != parent) sleep(60);
    _exit(0);
  }
  int living = 0;
  for (int i = 0; i < 20'000; ++i) {
    if (living < kChildren) {
      const pid_t child = fork();
      if (child == 0) Grow(level + 1);
      if (child > 0) ++living;
    }
    usleep(1000);
    while (waitpid(-1, nullptr, WNOHANG) > 0) --living;
  }
  _exit(0);
}

TEST_F(KillTreeTest, EndsATreeThatForksWithoutEnd) {
  const pid_t root = fork();
  if (root == 0) Grow(0);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const WorkerRun run = Kill(root, SIGKILL);
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE) << run.result.message();
  EXPECT_GE(ReadRows(run.output).rows.size(), 13U) << "1 + 3 + 9, and some of the lowest";
  EXPECT_EQ(ReadRows(run.output).At(0, "pid"), std::to_string(root));
  EXPECT_GE(ReapAll(), 1) << "the root is this process's own";
}

TEST_F(KillTreeTest, StopsAndContinuesAllOfATree) {
  const pid_t root = fork();
  if (root == 0) {
    if (fork() == 0) {
      for (;;) pause();
    }
    for (;;) pause();
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const auto states = [&](const WorkerRun& run) {
    std::string out;
    for (const auto& row : ReadRows(run.output).rows) {
      std::ifstream stat("/proc/" + row[0] + "/stat");
      std::string text;
      std::getline(stat, text);
      const std::size_t end = text.rfind(')');
      out += end == std::string::npos ? '?' : text[end + 2];
    }
    return out;
  };
  EXPECT_EQ(states(Kill(root, SIGSTOP)), "TT");
  EXPECT_EQ(states(Kill(root, SIGCONT)).find('T'), std::string::npos);
  const WorkerRun ended = Kill(root, SIGTERM);
  EXPECT_EQ(ReadRows(ended.output).rows.size(), 2U);
  EXPECT_EQ(ReapAll(), 0) << "both took the SIGTERM";
}

TEST_F(KillTreeTest, RefusesATreeThatTheAgentBelongsTo) {
  const WorkerRun run = Kill(getpid(), SIGKILL);
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_PERMISSION);
  EXPECT_TRUE(ReadRows(run.output).rows.empty()) << "nothing was signalled";
}

TEST_F(KillTreeTest, SaysWhenThereIsNoSuchProcess) {
  const pid_t gone = fork();
  if (gone == 0) _exit(0);
  ASSERT_EQ(waitpid(gone, nullptr, 0), gone);
  const WorkerRun run = Kill(gone, SIGKILL);
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_NO_SUCH_PROCESS);
}

}  // namespace
}  // namespace holdfast::agent
