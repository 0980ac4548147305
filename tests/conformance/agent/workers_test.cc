// LinuxWorkers with a process that does not go away: killed, and never reaped, as in uninterruptible sleep.
// And with a spare: this program itself, which as "worker" copies its request to its answer.
#include <array>
#include <csignal>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/adapters/linux/linux_workers.h"
#include "agent/core/limits.h"

namespace holdfast::agent {
namespace {

TEST(LinuxWorkersTest, GivesUpOnAWorkerThatDoesNotDie) {
  const auto self = SelfExec::Open();
  ASSERT_TRUE(self.ok());
  LinuxWorkers workers(self.value(), "/nonexistent");
  const pid_t pid = ::fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    ::setsid();
    ::pause();
    ::_exit(0);
  }
  auto worker = std::make_unique<LinuxWorkers::Worker>();
  worker->id = WorkerId(7);
  worker->pid = pid;
  workers.all().push_back(std::move(worker));
  EXPECT_FALSE(workers.NextDeadline().has_value());
  workers.Kill(WorkerId(7));
  const TimePoint start = TimePoint(std::chrono::hours(1));
  ASSERT_TRUE(workers.NextDeadline().has_value());
  EXPECT_LE(*workers.NextDeadline(), start);  // wakes the loop, which says what time it is
  workers.OnTick(start);
  EXPECT_EQ(workers.NextDeadline(), start + kKillPatience);
  EXPECT_FALSE(workers.TakeGone().has_value());
  workers.OnTick(start + kKillPatience);
  const auto gone = workers.TakeGone();
  ASSERT_TRUE(gone.has_value());
  EXPECT_EQ(gone->first, WorkerId(7));
  EXPECT_EQ(gone->second.signal, SIGKILL);
  EXPECT_FALSE(workers.NextDeadline().has_value());
  EXPECT_EQ(::waitpid(pid, nullptr, 0), pid);
}

TEST(LinuxWorkersTest, ReportsAKeeperThatEndedByItselfWhileAnOrphanOfAnotherIsStuck) {
  const auto self = SelfExec::Open();
  ASSERT_TRUE(self.ok());
  LinuxWorkers workers(self.value(), "/nonexistent");
  const pid_t stuck = ::fork();  // nobody reaps it: as one in uninterruptible sleep
  if (stuck == 0) ::_exit(0);
  for (int i = 1; i <= 2; ++i) {
    auto worker = std::make_unique<LinuxWorkers::Worker>();
    worker->id = WorkerId(static_cast<std::uint32_t>(i));
    worker->pid = 1'000'000 + i;
    worker->has_children = true;
    workers.all().push_back(std::move(worker));
  }
  const TimePoint start = TimePoint(std::chrono::hours(1));
  ASSERT_TRUE(workers.OnChildEnded(1'000'001, SIGKILL, start));  // killed: by its wall limit, say
  workers.SweepOrphans(-1, start);
  workers.OnTick(start + kKillPatience);
  const auto first = workers.TakeGone();
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->first, WorkerId(1));
  // The next command ends as it should.
  ASSERT_TRUE(workers.OnChildEnded(1'000'002, 0, start + 2 * kKillPatience));
  for (int i = 0; i < 100; ++i) {
    const TimePoint now = start + std::chrono::hours(i + 1);
    workers.SweepOrphans(-1, now);
    workers.Kill(WorkerId(2));  // its wall limit
    workers.OnTick(now);
  }
  EXPECT_TRUE(workers.TakeGone().has_value());
  ::waitpid(stuck, nullptr, 0);
}

pid_t OnlyChild() {
  std::ifstream file("/proc/self/task/" + std::to_string(::getpid()) + "/children");
  pid_t child = -1;
  file >> child;
  return child;
}

WorkerStart StartOf(std::uint32_t id) {
  WorkerStart start;
  start.id = WorkerId(id);
  start.command = "a command";
  return start;
}

// Ended by itself, and all it said is here.
std::string AnswerOf(LinuxWorkers::Worker& worker) {
  std::string answer;
  std::array<char, 4096> buffer{};
  for (;;) {
    pollfd entry{worker.output.get(), POLLIN, 0};
    if (::poll(&entry, 1, 10'000) <= 0) return "no answer in 10 s";
    const ssize_t got = ::read(worker.output.get(), buffer.data(), buffer.size());
    if (got <= 0) return answer;
    answer.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

class SpareTest : public testing::Test {
 public:
  SpareTest() { std::signal(SIGPIPE, SIG_IGN); }  // as in warden
  ~SpareTest() override {
    for (const auto& worker : workers_.all()) ::waitpid(worker->pid, nullptr, 0);
  }

 protected:
  const Result<SelfExec> self_ = SelfExec::Open();
  LinuxWorkers workers_{self_.value(), "/state"};
};

TEST_F(SpareTest, TakesTheNextCommandWhole) {
  workers_.PrepareSpare();
  const pid_t spare = OnlyChild();
  ASSERT_GT(spare, 0);
  ASSERT_TRUE(workers_.Spawn(StartOf(1)).ok());
  ASSERT_EQ(workers_.all().size(), 1U);
  EXPECT_EQ(workers_.all()[0]->pid, spare);
  const std::string answer = AnswerOf(*workers_.all()[0]);
  EXPECT_NE(answer.find("a command"), std::string::npos) << answer;
  EXPECT_NE(answer.find("/state"), std::string::npos) << answer;
}

TEST_F(SpareTest, IsPassedOverWhenItDiedUnnoticed) {
  workers_.PrepareSpare();
  const pid_t spare = OnlyChild();
  ASSERT_EQ(::kill(spare, SIGKILL), 0);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(spare), &info, WEXITED | WNOWAIT), 0);
  ASSERT_TRUE(workers_.Spawn(StartOf(1)).ok());
  ASSERT_EQ(workers_.all().size(), 1U);
  EXPECT_NE(workers_.all()[0]->pid, spare);
  EXPECT_NE(AnswerOf(*workers_.all()[0]).find("a command"), std::string::npos);
  ::waitpid(spare, nullptr, 0);
}

TEST_F(SpareTest, IsNotForCommandsThatStartPrograms) {
  workers_.PrepareSpare();
  const pid_t spare = OnlyChild();
  WorkerStart start = StartOf(1);
  start.has_children = true;
  ASSERT_TRUE(workers_.Spawn(start).ok());
  EXPECT_NE(workers_.all()[0]->pid, spare);
  workers_.DropSpare();
  EXPECT_EQ(::waitpid(spare, nullptr, 0), spare);
}

// What a worker or keeper would be: answers with what it was asked.
int Echo() {
  std::array<char, 4096> buffer{};
  const ssize_t got = ::read(0, buffer.data(), buffer.size());
  return got > 0 && ::write(1, buffer.data(), static_cast<std::size_t>(got)) == got ? 0 : 1;
}

}  // namespace
}  // namespace holdfast::agent

int main(int argc, char** argv) {
  const std::string_view word = argc > 1 ? argv[1] : "";
  if (word == "worker" || word == "keeper") return holdfast::agent::Echo();
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
