#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/support/temp_dir.h"
#include "tests/support/worker_harness.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::TempDir;

namespace pb = command::v1;

pb::Command Tail(const std::string& path, std::uint32_t lines, std::uint64_t follow_ms = 0) {
  pb::Command command;
  command.mutable_tail()->set_path(path);
  command.mutable_tail()->set_lines(lines);
  command.mutable_tail()->set_follow(follow_ms > 0);
  if (follow_ms > 0) command.mutable_limits()->set_wall_ms(follow_ms);
  return command;
}
std::string Last(const std::string& path, std::uint32_t lines) {
  return StdioOf(RunWorkerProcess(Tail(path, lines)).output, 1);
}

TEST(TailVerbTest, GivesTheLastLines) {
  const TempDir dir;
  const std::string path = dir.Write("log", "one\ntwo\nthree\n");
  EXPECT_EQ(Last(path, 2), "two\nthree\n");
  EXPECT_EQ(Last(path, 3), "one\ntwo\nthree\n");
  EXPECT_EQ(Last(path, 50), "one\ntwo\nthree\n");
  EXPECT_EQ(Last(path, 0), "");
  EXPECT_EQ(Last(dir.Write("unended", "one\ntwo\nthr"), 2), "two\nthr");
  EXPECT_EQ(Last(dir.Write("blank", "one\n\n\n"), 2), "\n\n");
  EXPECT_EQ(Last(dir.Write("empty", ""), 2), "");
}

TEST(TailVerbTest, FindsLinesFartherBackThanItsBuffer) {
  const TempDir dir;
  std::string content;
  for (int i = 0; i < 50'000; ++i) content += "line " + std::to_string(i) + "\n";
  const std::string path = dir.Write("log", content);
  EXPECT_EQ(Last(path, 40'000), content.substr(content.find("line 10000\n")));
}

TEST(TailVerbTest, GivesTheLastLinesOfFilesOfProcToo) {
  std::ifstream file("/proc/filesystems");  // the same to everybody, and more than a few lines
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line + "\n");
  ASSERT_GT(lines.size(), 3U);
  EXPECT_EQ(Last("/proc/filesystems", 2), lines[lines.size() - 2] + lines.back());
  std::string all;
  for (const std::string& line : lines) all += line;
  EXPECT_EQ(Last("/proc/filesystems", 1000), all);
  EXPECT_EQ(Last("/proc/filesystems", 0), "");
  const WorkerRun run = RunWorkerProcess(Tail("/proc/self/status", 1, 60'000));
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE) << "there is nothing to follow";
}

TEST(TailVerbTest, SaysWhatItCannotRead) {
  const TempDir dir;
  const WorkerRun missing = RunWorkerProcess(Tail(dir / "none", 1));
  EXPECT_EQ(missing.result.failure(), pb::COMMAND_FAILURE_NO_SUCH_FILE);
  EXPECT_EQ(missing.result.message(), dir / "none" + ": No such file or directory");
  EXPECT_EQ(RunWorkerProcess(Tail(dir.path(), 1)).result.failure(), pb::COMMAND_FAILURE_NOT_A_FILE);
  EXPECT_EQ(RunWorkerProcess(Tail("/etc/passwd", 100'001)).result.failure(),
            pb::COMMAND_FAILURE_BAD_ARGUMENT);
}

// Follows `path` while `work` goes on beside it.
WorkerRun Follow(const std::string& path, std::uint64_t ms, const std::function<void()>& work) {
  std::thread beside(work);
  WorkerRun run = RunWorkerProcess(Tail(path, 1, ms));
  beside.join();
  return run;
}

void Append(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::app) << text;
}

TEST(TailVerbTest, FollowsWhatIsAppendedUntilTheWallLimit) {
  const TempDir dir;
  const std::string path = dir.Write("log", "before\nlast\n");
  const WorkerRun run = Follow(path, 3500, [&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    Append(path, "new ");
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    Append(path, "line\n");
  });
  EXPECT_EQ(StdioOf(run.output, 1), "last\nnew line\n");
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_WALL_LIMIT);
}

TEST(TailVerbTest, FollowsAFileThatIsMovedAwayAndMadeAnew) {
  const TempDir dir;
  const std::string path = dir.Write("log", "old\n");
  const WorkerRun run = Follow(path, 4500, [&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    ASSERT_EQ(std::rename(path.c_str(), (dir / "log.1").c_str()), 0);
    Append(dir / "log.1", "to the old one\n");
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    dir.Write("log", "in the new one\n");
  });
  EXPECT_EQ(StdioOf(run.output, 1), "old\nto the old one\nin the new one\n");
  EXPECT_NE(StdioOf(run.output, 2).find("another file now"), std::string::npos);
}

TEST(TailVerbTest, BeginsAnewWhereAFileIsCutShort) {
  const TempDir dir;
  const std::string path = dir.Write("log", "a long line before\n");
  const WorkerRun run = Follow(path, 3500, [&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    dir.Write("log", "short\n");
  });
  EXPECT_EQ(StdioOf(run.output, 1), "a long line before\nshort\n");
  EXPECT_NE(StdioOf(run.output, 2).find("cut short"), std::string::npos);
}

}  // namespace
}  // namespace holdfast::agent
