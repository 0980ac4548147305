// LinuxWorkers with a process that does not go away: killed, and never reaped, as in uninterruptible sleep.
#include <csignal>
#include <memory>

#include <gtest/gtest.h>
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

}  // namespace
}  // namespace holdfast::agent
