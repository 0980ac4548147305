#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/temp_dir.h"
#include "tests/support/worker_harness.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::ReadWhole;
using holdfast::testing::TempDir;

namespace pb = command::v1;

class ArchiveVerbTest : public ::testing::Test {
 protected:
  WorkerRun Run(const std::vector<std::string>& paths) {
    pb::Command command;
    for (const auto& path : paths) command.mutable_archive()->add_paths(path);
    return RunWorkerProcess(command);
  }
  // What tar(1) of this machine makes of it, below unpacked_.
  void Unpack(const std::string& archive) {
    const std::string file = unpacked_.Write("a.tar", archive);
    ASSERT_EQ(std::system(("tar -xf '" + file + "' -C '" + unpacked_.path() + "'").c_str()), 0);
  }
  std::string Unpacked(const std::string& path) { return unpacked_.path() + path; }

  TempDir dir_;
  TempDir unpacked_;
};

TEST_F(ArchiveVerbTest, HoldsFilesLinksAndDirectoriesWithTheirFacts) {
  ASSERT_EQ(mkdir((dir_ / "sub").c_str(), 0750), 0);
  const std::string file = dir_.Write("sub/file", std::string(70'000, 'x') + "end");
  ASSERT_EQ(chmod(file.c_str(), 0640), 0);
  const timespec times[2] = {{.tv_sec = 1000, .tv_nsec = 0}, {.tv_sec = 2000, .tv_nsec = 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, file.c_str(), times, 0), 0);
  ASSERT_EQ(symlink("sub/file", (dir_ / "link").c_str()), 0);
  dir_.Write("empty", "");
  const WorkerRun run = Run({dir_.path()});
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE) << run.result.message();
  EXPECT_EQ(run.result.message(), "");
  EXPECT_EQ(run.output.size() % 512, 0U);
  struct stat before = {};
  ASSERT_EQ(stat(file.c_str(), &before), 0);
  EXPECT_EQ(before.st_atim.tv_sec, 1000) << "reading leaves no trace";
  Unpack(run.output);
  EXPECT_EQ(ReadWhole(Unpacked(file)), ReadWhole(file));
  struct stat at = {};
  ASSERT_EQ(stat(Unpacked(file).c_str(), &at), 0);
  EXPECT_EQ(at.st_mtim.tv_sec, 2000);
  EXPECT_EQ(at.st_mode & 07777, 0640U);
  ASSERT_EQ(lstat(Unpacked(dir_ / "link").c_str(), &at), 0);
  EXPECT_TRUE(S_ISLNK(at.st_mode));
  ASSERT_EQ(stat(Unpacked(dir_ / "empty").c_str(), &at), 0);
  EXPECT_EQ(at.st_size, 0);
}

TEST_F(ArchiveVerbTest, HoldsLongNamesAndAnyBytes) {
  const std::string name = std::string(200, 'n') + "\xff\n";
  dir_.Write(name, "content");
  const WorkerRun run = Run({dir_ / name});
  ASSERT_EQ(run.result.outcome(), pb::OUTCOME_DONE) << run.result.message();
  Unpack(run.output);
  EXPECT_EQ(ReadWhole(Unpacked(dir_ / name)), "content");
}

TEST_F(ArchiveVerbTest, EntersADirectoryThatALinkWasNamedFor) {
  ASSERT_EQ(mkdir((dir_ / "real").c_str(), 0700), 0);
  dir_.Write("real/file", "x");
  ASSERT_EQ(symlink("real", (dir_ / "link").c_str()), 0);
  Unpack(Run({dir_ / "link"}).output);
  EXPECT_EQ(ReadWhole(Unpacked(dir_ / "link/file")), "x");
}

TEST_F(ArchiveVerbTest, TellsWhatItLeavesOut) {
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  const std::string path = dir_ / "socket";
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  dir_.Write("file", "x");
  const WorkerRun run = Run({dir_.path()});
  close(fd);
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE);
  EXPECT_EQ(run.result.message(), "1 not whole in the archive: " + path + ": a socket");
  Unpack(run.output);
  EXPECT_EQ(ReadWhole(Unpacked(dir_ / "file")), "x");
}

TEST_F(ArchiveVerbTest, SendsNothingWhenAPathIsMissing) {
  dir_.Write("file", "x");
  const WorkerRun run = Run({dir_ / "file", dir_ / "missing"});
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_NO_SUCH_FILE);
  EXPECT_EQ(run.result.message(), dir_ / "missing" + ": No such file or directory");
  EXPECT_TRUE(run.output.empty());
}

// A file whose size is a lie: sysfs attributes claim a page and give less.
TEST_F(ArchiveVerbTest, FillsAFileThatGivesLessThanItsSize) {
  const std::string path = "/sys/kernel/mm/transparent_hugepage/enabled";
  const std::string content = ReadWhole(path);
  if (content.empty()) GTEST_SKIP() << "no such attribute here";
  const WorkerRun run = Run({path});
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE);
  EXPECT_NE(run.result.message().find("became shorter; zeros from " +
                                      std::to_string(content.size()) + " on"),
            std::string::npos)
      << run.result.message();
  Unpack(run.output);
  const std::string unpacked = ReadWhole(Unpacked(path));
  EXPECT_EQ(unpacked.size(), 4096U);
  EXPECT_EQ(unpacked.substr(0, content.size()), content);
}

TEST_F(ArchiveVerbTest, SaysWhereItWasCut) {
  dir_.Write("file", std::string(100'000, 'x'));
  pb::Command command;
  command.mutable_archive()->add_paths(dir_.path());
  command.mutable_limits()->set_out_bytes(50'000);
  const WorkerRun run = RunWorkerProcess(command);
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_OUTPUT_LIMIT);
  EXPECT_TRUE(run.result.truncated());
}

TEST_F(ArchiveVerbTest, ANamedPathThatCannotBeReadFailsBeforeAnythingIsSent) {
  const std::string good = dir_.Write("good", "x");
  const std::string secret = dir_.Write("secret", "x");
  ASSERT_EQ(chmod(dir_.path().c_str(), 0755), 0);
  ASSERT_EQ(chmod(secret.c_str(), 0), 0);
  ASSERT_EQ(mkdir((dir_ / "closed").c_str(), 0), 0);
  const uid_t before = geteuid();
  if (before == 0) {
    ASSERT_EQ(seteuid(65534), 0);
  }
  for (const std::string& path : {secret, dir_ / "closed"}) {
    const WorkerRun run = Run({good, path});
    EXPECT_EQ(run.result.outcome(), pb::OUTCOME_FAILED);
    EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_PERMISSION);
    EXPECT_NE(run.result.message().find(path), std::string::npos);
    EXPECT_EQ(run.output, "");
  }
  ASSERT_EQ(seteuid(before), 0);
}

}  // namespace
}  // namespace holdfast::agent
