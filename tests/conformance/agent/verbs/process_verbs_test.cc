#include <chrono>
#include <csignal>
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

using holdfast::testing::ReadWhole;
using holdfast::testing::TempDir;

namespace pb = command::v1;

pb::Command Exec(const std::vector<std::string>& argv) {
  pb::Command command;
  for (const std::string& part : argv) command.mutable_exec()->add_argv(part);
  return command;
}
pb::Command Shell(const std::string& script) { return Exec({"/bin/sh", "-c", script}); }

std::uint64_t MillisecondsOf(const std::function<void()>& work) {
  const auto before = std::chrono::steady_clock::now();
  work();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                        std::chrono::steady_clock::now() - before)
                                        .count());
}

TEST(ExecVerbTest, GivesBothOutputsApartAndExitStatusZero) {
  const WorkerRun run = RunWorkerProcess(Shell("echo out; echo err >&2; echo more"));
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE) << run.result.message();
  EXPECT_EQ(StdioOf(run.output, 1), "out\nmore\n");
  EXPECT_EQ(StdioOf(run.output, 2), "err\n");
  EXPECT_EQ(run.result.exit_code(), 0);
  EXPECT_EQ(run.exits, 1);
}

TEST(ExecVerbTest, NeverAsksAShell) {
  const WorkerRun run = RunWorkerProcess(Exec({"echo", "$HOME;", "*", "`id`"}));
  EXPECT_EQ(StdioOf(run.output, 1), "$HOME; * `id`\n");
}

TEST(ExecVerbTest, SetsOnlyTheDocumentedEnvironment) {
  pb::Command command = Exec({"env"});
  command.mutable_exec()->add_env("MINE=1");
  command.mutable_exec()->add_env("LANG=de_DE");
  ASSERT_EQ(setenv("HOLDFAST_LEAK", "1", 1), 0);
  const WorkerRun run = RunWorkerProcess(command);
  ASSERT_EQ(unsetenv("HOLDFAST_LEAK"), 0);
  const std::string out = StdioOf(run.output, 1);
  EXPECT_NE(out.find("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"),
            std::string::npos);
  EXPECT_NE(out.find("HOME="), std::string::npos);
  EXPECT_NE(out.find("MINE=1\n"), std::string::npos);
  EXPECT_NE(out.find("LANG=de_DE\n"), std::string::npos);
  EXPECT_EQ(out.find("C.UTF-8"), std::string::npos);
  EXPECT_EQ(out.find("HOLDFAST_LEAK"), std::string::npos);
}

TEST(ExecVerbTest, FeedsStdinAndSetsTheDirectory) {
  pb::Command command = Shell("pwd; cat");
  command.mutable_exec()->set_cwd("/usr");
  command.mutable_exec()->set_stdin(std::string("a\0b", 3));
  EXPECT_EQ(StdioOf(RunWorkerProcess(command).output, 1), std::string("/usr\na\0b", 8));
  EXPECT_EQ(StdioOf(RunWorkerProcess(Shell("pwd; cat")).output, 1), "/\n");
}

TEST(ExecVerbTest, SaysExitStatusAndSignal) {
  const WorkerRun status = RunWorkerProcess(Shell("exit 7"));
  EXPECT_EQ(status.result.failure(), pb::COMMAND_FAILURE_EXIT_STATUS);
  EXPECT_EQ(status.result.exit_code(), 7);
  EXPECT_EQ(status.result.message(), "/bin/sh: exit status 7");
  const WorkerRun killed = RunWorkerProcess(Shell("kill -TERM $$"));
  EXPECT_EQ(killed.result.failure(), pb::COMMAND_FAILURE_KILLED);
  EXPECT_EQ(killed.result.exit_code(), 128 + SIGTERM);
  EXPECT_EQ(killed.result.message(), "/bin/sh: ended by signal 15 (SIGTERM)");
}

TEST(ExecVerbTest, SaysWhyAProgramCannotBeExecuted) {
  const TempDir dir;
  const WorkerRun none = RunWorkerProcess(Exec({"no-such-program-here"}));
  EXPECT_EQ(none.result.failure(), pb::COMMAND_FAILURE_CANNOT_EXECUTE);
  EXPECT_EQ(none.result.message(), "no-such-program-here: No such file or directory");
  const std::string text = dir.Write("text", "just text");
  EXPECT_EQ(RunWorkerProcess(Exec({text})).result.message(), text + ": Permission denied");
  pb::Command elsewhere = Shell("true");
  elsewhere.mutable_exec()->set_cwd("/nowhere");
  const WorkerRun run = RunWorkerProcess(elsewhere);
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_NO_SUCH_FILE);
  EXPECT_EQ(run.result.message(), "/nowhere: No such file or directory");
}

TEST(ExecVerbTest, RefusesArgumentsThatItCannotTake) {
  EXPECT_EQ(RunWorkerProcess(Exec({"bin/true"})).result.failure(),
            pb::COMMAND_FAILURE_BAD_ARGUMENT);
  EXPECT_EQ(RunWorkerProcess(Exec({""})).result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  EXPECT_EQ(RunWorkerProcess(Exec({"true", std::string("a\0b", 3)})).result.failure(),
            pb::COMMAND_FAILURE_BAD_ARGUMENT);
  EXPECT_EQ(RunWorkerProcess(Exec({"true", std::string(33'000, 'x')})).result.failure(),
            pb::COMMAND_FAILURE_BAD_ARGUMENT);
  pb::Command env = Exec({"true"});
  env.mutable_exec()->add_env("NOVALUE");
  EXPECT_EQ(RunWorkerProcess(env).result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  pb::Command cwd = Exec({"true"});
  cwd.mutable_exec()->set_cwd("usr");
  EXPECT_EQ(RunWorkerProcess(cwd).result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  pb::Command input = Exec({"cat"});
  input.mutable_exec()->set_stdin(std::string(17'000, 'x'));
  EXPECT_EQ(RunWorkerProcess(input).result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
}

TEST(ExecVerbTest, DeliversLargeOutputWhole) {
  const WorkerRun run = RunWorkerProcess(Shell("head -c 5000000 /dev/zero"));
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE);
  EXPECT_EQ(StdioOf(run.output, 1).size(), 5'000'000U);
}

TEST(ExecVerbTest, EndsTheProgramAtTheOutputLimit) {
  pb::Command command = Shell("yes");
  command.mutable_limits()->set_out_bytes(100'000);
  const WorkerRun run = RunWorkerProcess(command);
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_OUTPUT_LIMIT);
  EXPECT_TRUE(run.result.truncated());
  EXPECT_LE(run.output.size(), 100'000U);
  EXPECT_GT(StdioOf(run.output, 1).size(), 90'000U);
}

TEST(ExecVerbTest, EndsTheProgramAtTheWallLimit) {
  pb::Command command = Shell("echo early; sleep 30");
  command.mutable_limits()->set_wall_ms(300);
  WorkerRun run;
  EXPECT_LT(MillisecondsOf([&] { run = RunWorkerProcess(command); }), 5'000U);
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_WALL_LIMIT);
  EXPECT_EQ(StdioOf(run.output, 1), "early\n");
}

TEST(ExecVerbTest, EndsTheProgramAtTheCpuLimit) {
  pb::Command command = Shell("while :; do :; done");
  command.mutable_limits()->set_cpu_ms(1000);
  EXPECT_EQ(RunWorkerProcess(command).result.failure(), pb::COMMAND_FAILURE_CPU_LIMIT);
}

TEST(ExecVerbTest, DoesNotWaitForGrandchildrenThatKeepThePipe) {
  WorkerRun run;
  EXPECT_LT(MillisecondsOf([&] { run = RunWorkerProcess(Shell("sleep 60 & echo $!")); }), 5'000U);
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE) << run.result.message();
  const pid_t grandchild = std::stoi(StdioOf(run.output, 1));
  // Its parent is gone, so init reaps it; until then a zombie remains.
  for (int i = 0; i < 100 && kill(grandchild, 0) == 0; ++i) {
    const std::string stat = ReadWhole("/proc/" + std::to_string(grandchild) + "/stat");
    if (stat.find(") Z") != std::string::npos) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  const std::string stat = ReadWhole("/proc/" + std::to_string(grandchild) + "/stat");
  EXPECT_TRUE(stat.empty() || stat.find(") Z") != std::string::npos) << stat;
}

TEST(ExecVerbTest, GivesTheProgramNoDescriptorsButThree) {
  const WorkerRun run = RunWorkerProcess(Exec({"ls", "/proc/self/fd"}));
  EXPECT_EQ(StdioOf(run.output, 1), "0\n1\n2\n3\n");  // 3: ls's own
}

TEST(PsVerbTest, ListsOurselves) {
  pb::Command command;
  command.mutable_ps();
  const WorkerRun run = RunWorkerProcess(command);
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE);
  const RowTable table = ReadRows(run.output);
  bool found = false;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    if (table.At(i, "pid") != std::to_string(getpid())) continue;
    found = true;
    EXPECT_EQ(table.At(i, "ppid"), std::to_string(getppid()));
    EXPECT_NE(table.At(i, "start_ticks"), "0");
    EXPECT_NE(table.At(i, "cmdline").find("conformance_agent_verbs"), std::string::npos);
  }
  EXPECT_TRUE(found);
}

// A child that sleeps until it is killed.
class Sleeper {
 public:
  Sleeper() : pid_(fork()) {
    if (pid_ == 0) {
      pause();
      _exit(0);
    }
  }
  ~Sleeper() {
    if (pid_ > 0) End();
  }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;
  pid_t pid() const { return pid_; }
  int WaitForSignal() {
    int status = 0;
    (void)waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }
  std::uint64_t StartTicks() const {
    pb::Command command;
    command.mutable_ps();
    const RowTable table = ReadRows(RunWorkerProcess(command).output);
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
      if (table.At(i, "pid") == std::to_string(pid_))
        return std::stoull(table.At(i, "start_ticks"));
    }
    return 0;
  }

 private:
  void End() {
    (void)kill(pid_, SIGKILL);
    (void)WaitForSignal();
  }
  pid_t pid_;
};

TEST(KillVerbTest, SignalsAProcessThatIsTheOneMeant) {
  Sleeper sleeper;
  pb::Command command;
  command.mutable_kill()->add_pids(sleeper.pid());
  command.mutable_kill()->add_start_ticks(sleeper.StartTicks());
  const WorkerRun run = RunWorkerProcess(command);
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE) << run.result.message();
  const RowTable table = ReadRows(run.output);
  EXPECT_EQ(table.At(0, "result"), "signalled");
  EXPECT_EQ(table.At(0, "signal"), "15");
  EXPECT_EQ(sleeper.WaitForSignal(), SIGTERM);
}

TEST(KillVerbTest, LeavesAProcessThatStartedAtAnotherTime) {
  Sleeper sleeper;
  pb::Command command;
  command.mutable_kill()->add_pids(sleeper.pid());
  command.mutable_kill()->add_start_ticks(sleeper.StartTicks() + 1);
  const WorkerRun run = RunWorkerProcess(command);
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_NO_SUCH_PROCESS);
  EXPECT_NE(run.result.message().find("another process has this pid now"), std::string::npos);
  EXPECT_EQ(kill(sleeper.pid(), 0), 0);
}

TEST(KillVerbTest, TellsPerProcessWhatBecameOfIt) {
  Sleeper sleeper;
  pb::Command command;
  command.mutable_kill()->add_pids(INT32_MAX);
  command.mutable_kill()->add_pids(sleeper.pid());
  command.mutable_kill()->set_signal(SIGKILL);
  const WorkerRun run = RunWorkerProcess(command);
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_NO_SUCH_PROCESS);
  EXPECT_EQ(run.result.message(), "pid 2147483647: No such process");
  EXPECT_EQ(ReadRows(run.output).At(1, "result"), "signalled");
  EXPECT_EQ(sleeper.WaitForSignal(), SIGKILL);
}

TEST(KillVerbTest, ProtectsInitAndTheAgent) {
  pb::Command command;
  command.mutable_kill()->add_pids(1);
  EXPECT_EQ(RunWorkerProcess(command).result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  command.mutable_kill()->set_pids(0, -1);
  EXPECT_EQ(RunWorkerProcess(command).result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  command.mutable_kill()->set_pids(0, getpid());  // the worker's parent, as warden is
  const WorkerRun run = RunWorkerProcess(command);
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_PERMISSION);
  EXPECT_EQ(ReadRows(run.output).At(0, "result"), "belongs to this agent");
  command.mutable_kill()->set_signal(32);
  EXPECT_EQ(RunWorkerProcess(command).result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
}

TEST(KillVerbTest, ProtectsTheLinkOfTheAgent) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t link = fork();
  if (link == 0) {
    prctl(PR_SET_NAME, "holdfast-link");
    (void)!write(ready[1], "", 1);
    pause();
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  pb::Command command;
  command.mutable_kill()->add_pids(link);
  command.mutable_kill()->set_signal(SIGSTOP);
  EXPECT_EQ(RunWorkerProcess(command).result.failure(), pb::COMMAND_FAILURE_PERMISSION);
  kill(link, SIGKILL);
  waitpid(link, nullptr, 0);
  close(ready[0]);
  close(ready[1]);
}

TEST(WorkerTest, SaysUnknownVerbWhenNoneIsSet) {
  EXPECT_EQ(RunWorkerProcess({}).result.failure(), pb::COMMAND_FAILURE_UNKNOWN_VERB);
}

TEST(WorkerTest, EndsWithoutAnExitMessageWhenTheRequestIsNone) {
  for (const std::string& request :
       {std::string("\xff\xff\xff\xff"), std::string("\x02\0\0\0\xff\xff\0\0\0\0\0\0\0\0", 14)}) {
    const WorkerRun run = RunWorkerBytes(request);
    EXPECT_EQ(run.exits, 0);
    EXPECT_TRUE(WIFEXITED(run.status));
    EXPECT_EQ(WEXITSTATUS(run.status), 1);
  }
}

}  // namespace
}  // namespace holdfast::agent
