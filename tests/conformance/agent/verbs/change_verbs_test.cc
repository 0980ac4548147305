#include <atomic>
#include <csignal>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/verbs/tree_walk.h"
#include "tests/support/temp_dir.h"
#include "tests/support/worker_harness.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::ReadWhole;
using holdfast::testing::TempDir;

namespace pb = command::v1;

bool Exists(const std::string& path) {
  struct stat at = {};
  return lstat(path.c_str(), &at) == 0;
}
std::uint32_t ModeOf(const std::string& path) {
  struct stat at = {};
  return lstat(path.c_str(), &at) == 0 ? at.st_mode & 07777 : 0;
}

class ChangeVerbsTest : public ::testing::Test {
 protected:
  WorkerRun Mkdir(const std::string& path, bool parents = false, std::uint32_t mode = 0) {
    pb::Command command;
    command.mutable_mkdir()->set_path(path);
    command.mutable_mkdir()->set_parents(parents);
    command.mutable_mkdir()->set_mode(mode);
    return RunWorkerProcess(command, "", state_);
  }
  WorkerRun Cp(const std::string& from, const std::string& to, bool recursive = false,
               bool overwrite = false) {
    pb::Command command;
    command.mutable_cp()->set_from(from);
    command.mutable_cp()->set_to(to);
    command.mutable_cp()->set_recursive(recursive);
    command.mutable_cp()->set_overwrite(overwrite);
    return RunWorkerProcess(command, "", state_);
  }
  WorkerRun Mv(const std::string& from, const std::string& to, bool overwrite = false) {
    pb::Command command;
    command.mutable_mv()->set_from(from);
    command.mutable_mv()->set_to(to);
    command.mutable_mv()->set_overwrite(overwrite);
    return RunWorkerProcess(command, "", state_);
  }
  WorkerRun Rm(const std::vector<std::string>& paths, bool recursive = false) {
    pb::Command command;
    for (const auto& path : paths) command.mutable_rm()->add_paths(path);
    command.mutable_rm()->set_recursive(recursive);
    return RunWorkerProcess(command, "", state_);
  }
  void MakeTree(const std::string& name) {
    ASSERT_EQ(mkdir((dir_ / name).c_str(), 0750), 0);
    ASSERT_EQ(mkdir((dir_ / (name + "/sub")).c_str(), 0700), 0);
    dir_.Write(name + "/one", "first");
    dir_.Write(name + "/sub/two", "second");
    ASSERT_EQ(symlink("one", (dir_ / (name + "/link")).c_str()), 0);
  }

  TempDir dir_;
  std::string state_ = "/nowhere";
};

// --- mkdir ---

TEST_F(ChangeVerbsTest, MkdirMakesADirectoryWithItsMode) {
  const WorkerRun run = Mkdir(dir_ / "new", false, 02775);
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE) << run.result.message();
  EXPECT_EQ(ModeOf(dir_ / "new"), 02775U);
  EXPECT_EQ(ReadRows(run.output).At(0, "directories"), "1");
  (void)Mkdir(dir_ / "plain/");
  EXPECT_EQ(ModeOf(dir_ / "plain"), 0755U);
}

TEST_F(ChangeVerbsTest, MkdirMakesParentsOnlyWhenAsked) {
  EXPECT_EQ(Mkdir(dir_ / "a/b/c").result.failure(), pb::COMMAND_FAILURE_NO_SUCH_FILE);
  const WorkerRun run = Mkdir(dir_ / "a//b/c", true);
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE) << run.result.message();
  EXPECT_EQ(ReadRows(run.output).At(0, "directories"), "3");
  EXPECT_TRUE(Exists(dir_ / "a/b/c"));
  EXPECT_EQ(Mkdir(dir_ / "a/b/c", true).result.outcome(), pb::OUTCOME_DONE) << "it is there";
}

TEST_F(ChangeVerbsTest, MkdirLeavesWhatIsThere) {
  dir_.Write("file", "x");
  const WorkerRun run = Mkdir(dir_ / "file", true);
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  EXPECT_NE(run.result.message().find(dir_ / "file" + ": File exists"), std::string::npos);
  EXPECT_NE(Mkdir(dir_ / "file/below", true).result.outcome(), pb::OUTCOME_DONE);
  EXPECT_EQ(ReadWhole(dir_ / "file"), "x");
}

// --- cp ---

TEST_F(ChangeVerbsTest, CpCopiesAFileWithItsFacts) {
  const std::string from = dir_.Write("from", "content");
  ASSERT_EQ(chmod(from.c_str(), 0741), 0);
  const timespec times[2] = {{.tv_sec = 1000, .tv_nsec = 5}, {.tv_sec = 2000, .tv_nsec = 7}};
  ASSERT_EQ(utimensat(AT_FDCWD, from.c_str(), times, 0), 0);
  const WorkerRun run = Cp(from, dir_ / "to");
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE) << run.result.message();
  const RowTable table = ReadRows(run.output);
  EXPECT_EQ(table.At(0, "path"), from);
  EXPECT_EQ(table.At(0, "target"), dir_ / "to");
  EXPECT_EQ(table.At(0, "files"), "1");
  EXPECT_EQ(table.At(0, "bytes"), "7");
  EXPECT_EQ(ReadWhole(dir_ / "to"), "content");
  EXPECT_EQ(ModeOf(dir_ / "to"), 0741U);
  struct stat at = {};
  ASSERT_EQ(stat((dir_ / "to").c_str(), &at), 0);
  EXPECT_EQ(at.st_mtim.tv_sec, 2000);
  EXPECT_EQ(at.st_mtim.tv_nsec, 7);
}

TEST_F(ChangeVerbsTest, CpOverwritesOnlyWhenAsked) {
  const std::string from = dir_.Write("from", "new");
  const std::string to = dir_.Write("to", "old");
  const WorkerRun run = Cp(from, to);
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  EXPECT_EQ(run.result.message(), to + ": File exists; overwrite was not asked for");
  EXPECT_EQ(ReadRows(run.output).At(0, "failed"), "1");
  EXPECT_EQ(ReadWhole(to), "old");
  EXPECT_EQ(Cp(from, to, false, true).result.outcome(), pb::OUTCOME_DONE);
  EXPECT_EQ(ReadWhole(to), "new");
  ASSERT_EQ(mkdir((dir_ / "there").c_str(), 0700), 0);
  EXPECT_NE(Cp(from, dir_ / "there", false, true).result.outcome(), pb::OUTCOME_DONE);
  EXPECT_EQ(Cp(from, dir_ / "there/").result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
}

TEST_F(ChangeVerbsTest, CpNamesTheSideThatFailed) {
  const std::string from = dir_.Write("from", "x");
  const WorkerRun missing = Cp(dir_ / "none", dir_ / "to");
  EXPECT_EQ(missing.result.message(), dir_ / "none" + ": No such file or directory");
  const WorkerRun nowhere = Cp(from, dir_ / "none/to");
  EXPECT_EQ(nowhere.result.message(), dir_ / "none" + ": No such file or directory");
  const WorkerRun device = Cp("/dev/null", dir_ / "to");
  EXPECT_EQ(device.result.message(), "/dev/null: Operation not supported");
}

TEST_F(ChangeVerbsTest, CpTakesADirectoryOnlyWhenAskedAndWhole) {
  MakeTree("tree");
  const WorkerRun refused = Cp(dir_ / "tree", dir_ / "copy");
  EXPECT_EQ(refused.result.failure(), pb::COMMAND_FAILURE_NOT_A_FILE);
  EXPECT_FALSE(Exists(dir_ / "copy"));
  const WorkerRun run = Cp(dir_ / "tree", dir_ / "copy", true);
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE) << run.result.message();
  EXPECT_EQ(ReadRows(run.output).At(0, "files"), "3");
  EXPECT_EQ(ReadRows(run.output).At(0, "directories"), "2");
  EXPECT_EQ(ReadWhole(dir_ / "copy/sub/two"), "second");
  EXPECT_EQ(ModeOf(dir_ / "copy"), 0750U);
  char target[16] = {};
  ASSERT_EQ(readlink((dir_ / "copy/link").c_str(), target, sizeof target - 1), 3);
  EXPECT_STREQ(target, "one");
}

TEST_F(ChangeVerbsTest, CpOverDirectoriesThatAreThereLeavesTheirModes) {
  MakeTree("tree");
  MakeTree("there");
  ASSERT_EQ(mkdir((dir_ / "tree/new").c_str(), 0711), 0);
  ASSERT_EQ(chmod((dir_ / "there").c_str(), 0700), 0);
  ASSERT_EQ(chmod((dir_ / "there/sub").c_str(), 0755), 0);
  const WorkerRun run = Cp(dir_ / "tree", dir_ / "there", true, true);
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE) << run.result.message();
  EXPECT_EQ(ModeOf(dir_ / "there"), 0700U);
  EXPECT_EQ(ModeOf(dir_ / "there/sub"), 0755U);
  EXPECT_EQ(ModeOf(dir_ / "there/new"), 0711U);
}

TEST_F(ChangeVerbsTest, CpIntoItselfIsRefused) {
  MakeTree("tree");
  const WorkerRun run = Cp(dir_ / "tree", dir_ / "tree/sub/copy", true);
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  EXPECT_NE(run.result.message().find("lies within"), std::string::npos);
  EXPECT_FALSE(Exists(dir_ / "tree/sub/copy"));
  EXPECT_EQ(Cp(dir_ / "tree", dir_ / "tree", true, true).result.failure(),
            pb::COMMAND_FAILURE_BAD_ARGUMENT);
}

TEST_F(ChangeVerbsTest, CpGoesOnBehindWhatItCannotCopyAndCountsIt) {
  MakeTree("tree");
  ASSERT_EQ(mkfifo((dir_ / "tree/fifo").c_str(), 0600), 0);
  const WorkerRun run = Cp(dir_ / "tree", dir_ / "copy", true);
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_IO);
  EXPECT_NE(run.result.message().find(dir_ / "tree/fifo"), std::string::npos);
  EXPECT_EQ(ReadRows(run.output).At(0, "failed"), "1");
  EXPECT_TRUE(Exists(dir_ / "copy/sub/two"));
}

// --- mv ---

TEST_F(ChangeVerbsTest, MvRenamesAndReplacesOnlyWhenAsked) {
  const std::string from = dir_.Write("from", "new");
  const std::string to = dir_.Write("to", "old");
  EXPECT_EQ(Mv(from, to).result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  EXPECT_EQ(ReadWhole(to), "old");
  EXPECT_EQ(Mv(from, to, true).result.outcome(), pb::OUTCOME_DONE);
  EXPECT_EQ(ReadWhole(to), "new");
  EXPECT_FALSE(Exists(from));
  const WorkerRun missing = Mv(from, to);
  EXPECT_EQ(missing.result.failure(), pb::COMMAND_FAILURE_NO_SUCH_FILE);
  EXPECT_EQ(missing.result.message(), from + ": No such file or directory");
}

TEST_F(ChangeVerbsTest, MvBetweenFileSystemsCopiesAndRemoves) {
  const std::string other = "/dev/shm/holdfast-mv-" + std::to_string(getpid());
  struct stat here = {};
  struct stat there = {};
  if (stat(dir_.path().c_str(), &here) != 0 || stat("/dev/shm", &there) != 0 ||
      here.st_dev == there.st_dev || access("/dev/shm", W_OK) != 0) {
    GTEST_SKIP() << "needs a second file system";
  }
  MakeTree("tree");
  const WorkerRun run = Mv(dir_ / "tree", other);
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE) << run.result.message();
  EXPECT_EQ(ReadWhole(other + "/sub/two"), "second");
  EXPECT_FALSE(Exists(dir_ / "tree"));
  // What cannot be copied whole stays where it is.
  ASSERT_EQ(mkfifo((other + "/fifo").c_str(), 0600), 0);
  EXPECT_EQ(Mv(other, dir_ / "back").result.outcome(), pb::OUTCOME_FAILED);
  EXPECT_TRUE(Exists(other + "/sub/two"));
  EXPECT_EQ(Rm({other}, true).result.outcome(), pb::OUTCOME_DONE);
}

// --- rm ---

TEST_F(ChangeVerbsTest, RmRemovesFilesLinksAndWithRecursiveTrees) {
  MakeTree("tree");
  dir_.Write("file", "12345");
  ASSERT_EQ(symlink("tree", (dir_ / "link").c_str()), 0);
  const WorkerRun refused = Rm({dir_ / "tree"});
  EXPECT_EQ(refused.result.failure(), pb::COMMAND_FAILURE_NOT_A_FILE);
  EXPECT_NE(refused.result.message().find("recursive"), std::string::npos);
  const WorkerRun run = Rm({dir_ / "file", dir_ / "link"}, true);
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE) << run.result.message();
  EXPECT_EQ(ReadRows(run.output).rows.size(), 2U);
  EXPECT_EQ(ReadRows(run.output).At(0, "bytes"), "5");
  EXPECT_TRUE(Exists(dir_ / "tree/one")) << "the link itself was removed";
  const WorkerRun tree = Rm({dir_ / "tree"}, true);
  EXPECT_EQ(ReadRows(tree.output).At(0, "files"), "3");
  EXPECT_EQ(ReadRows(tree.output).At(0, "directories"), "2");
  EXPECT_FALSE(Exists(dir_ / "tree"));
}

TEST_F(ChangeVerbsTest, RmGoesOnBehindAPathThatIsMissing) {
  dir_.Write("file", "");
  const WorkerRun run = Rm({dir_ / "missing", dir_ / "file"});
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_NO_SUCH_FILE);
  EXPECT_EQ(run.result.message(), dir_ / "missing" + ": No such file or directory");
  EXPECT_FALSE(Exists(dir_ / "file"));
}

TEST_F(ChangeVerbsTest, RmRefusesTheRootAndWhatIsNoName) {
  dir_.Write("file", "");
  for (const char* path : {"/", "//", "/..", "/tmp/."}) {
    const WorkerRun run = Rm({dir_ / "file", path}, true);
    EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT) << path;
    EXPECT_TRUE(Exists(dir_ / "file")) << "refused before anything is removed";
  }
}

TEST_F(ChangeVerbsTest, TheAgentsStateIsLeftAloneUnderWhateverNameAndFromAbove) {
  ASSERT_EQ(mkdir((dir_ / "lib").c_str(), 0700), 0);
  ASSERT_EQ(mkdir((dir_ / "lib/state").c_str(), 0700), 0);
  ASSERT_EQ(mkdir((dir_ / "lib/state/spool").c_str(), 0700), 0);
  dir_.Write("lib/state/journal", "x");
  dir_.Write("lib/other", "x");
  ASSERT_EQ(symlink("lib/state", (dir_ / "alias").c_str()), 0);
  state_ = dir_ / "lib/state";
  for (const std::string name : {"lib", "lib/state", "lib/state/journal", "alias/journal",
                                 "lib/state/spool", "lib/../lib/state"}) {
    const WorkerRun run = Rm({dir_ / name}, true);
    EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_PERMISSION) << name;
    EXPECT_NE(run.result.message().find("own state"), std::string::npos) << run.result.message();
    EXPECT_EQ(Mv(dir_ / name, dir_ / "moved").result.failure(), pb::COMMAND_FAILURE_PERMISSION)
        << name;
  }
  EXPECT_TRUE(Exists(dir_ / "lib/other"));
  dir_.Write("evil", "y");
  EXPECT_EQ(Cp(dir_ / "evil", dir_ / "lib/state/journal", false, true).result.failure(),
            pb::COMMAND_FAILURE_PERMISSION);
  EXPECT_EQ(Mv(dir_ / "evil", dir_ / "alias/journal", true).result.failure(),
            pb::COMMAND_FAILURE_PERMISSION);
  EXPECT_EQ(ReadWhole(dir_ / "lib/state/journal"), "x");
  // A tree that would be laid over it.
  ASSERT_EQ(mkdir((dir_ / "over").c_str(), 0700), 0);
  ASSERT_EQ(mkdir((dir_ / "over/state").c_str(), 0700), 0);
  dir_.Write("over/state/journal", "y");
  EXPECT_EQ(Cp(dir_ / "over", dir_ / "lib", true, true).result.outcome(), pb::OUTCOME_FAILED);
  EXPECT_EQ(ReadWhole(dir_ / "lib/state/journal"), "x");
  EXPECT_EQ(Rm({dir_ / "alias"}).result.outcome(), pb::OUTCOME_DONE) << "only a link";
}

// Between the look at a directory and its opening it becomes a link.
TEST_F(ChangeVerbsTest, AWalkDoesNotFollowALinkThatADirectoryBecame) {
  const TempDir outside;
  outside.Write("precious", "x");
  ASSERT_EQ(mkdir((dir_ / "sub").c_str(), 0700), 0);
  TreeWalk walk(UniqueFd(open(dir_.path().c_str(), O_RDONLY | O_DIRECTORY)), dir_.path(),
                TreeWalk::Mounts::kAll);
  TreeEntry entry;
  ASSERT_EQ(walk.Next(entry), TreeWalk::Step::kEntry);
  EXPECT_EQ(entry.name, "sub");
  ASSERT_EQ(rmdir((dir_ / "sub").c_str()), 0);
  ASSERT_EQ(symlink(outside.path().c_str(), (dir_ / "sub").c_str()), 0);
  EXPECT_EQ(walk.Next(entry), TreeWalk::Step::kDenied);
  EXPECT_EQ(walk.Next(entry), TreeWalk::Step::kLeave);
  EXPECT_EQ(walk.Next(entry), TreeWalk::Step::kEnd);
}

// A directory of the tree is exchanged for a link out of it, over and over, while it is removed.
TEST_F(ChangeVerbsTest, RmIsNotLedOutOfTheTreeByARace) {
  const TempDir outside;
  outside.Write("precious", "x");
  int tried = 0;
  for (int round = 0; round < 20; ++round) {
    ASSERT_EQ(mkdir((dir_ / "tree").c_str(), 0700), 0);
    ASSERT_EQ(mkdir((dir_ / "tree/sub").c_str(), 0700), 0);
    for (int i = 0; i < 50; ++i) dir_.Write("tree/sub/f" + std::to_string(i), "");
    ASSERT_EQ(symlink(outside.path().c_str(), (dir_ / "out").c_str()), 0);
    const pid_t racer = fork();
    if (racer == 0) {
      const std::string sub = dir_ / "tree/sub";
      const std::string out = dir_ / "out";
      while (renameat2(AT_FDCWD, sub.c_str(), AT_FDCWD, out.c_str(), RENAME_EXCHANGE) == 0) {
      }
      _exit(0);
    }
    (void)Rm({dir_ / "tree"}, true);
    kill(racer, SIGKILL);
    (void)waitpid(racer, nullptr, 0);
    ++tried;
    ASSERT_TRUE(Exists(outside / "precious")) << "round " << round;
    std::error_code ignored;
    std::filesystem::remove_all(dir_ / "tree", ignored);
    std::filesystem::remove_all(dir_ / "out", ignored);
  }
  EXPECT_EQ(tried, 20);
}

TEST_F(ChangeVerbsTest, RmAndCpDoNotEnterWhatIsMountedBelow) {
  ASSERT_EQ(mkdir((dir_ / "tree").c_str(), 0700), 0);
  ASSERT_EQ(mkdir((dir_ / "tree/mounted").c_str(), 0700), 0);
  const TempDir outside;
  outside.Write("precious", "x");
  // Of the same device, where the device number tells nothing.
  const std::string point = dir_ / "tree/mounted";
  if (mount(outside.path().c_str(), point.c_str(), nullptr, MS_BIND, nullptr) != 0) {
    GTEST_SKIP() << "may not mount";
  }
  const WorkerRun removed = Rm({dir_ / "tree"}, true);
  const WorkerRun copied = Cp(dir_ / "tree", dir_ / "copy", true);
  const bool is_there = Exists(outside / "precious");
  ASSERT_EQ(umount(point.c_str()), 0);
  EXPECT_TRUE(is_there);
  EXPECT_EQ(removed.result.outcome(), pb::OUTCOME_FAILED);
  EXPECT_NE(removed.result.message().find("Device or resource busy"), std::string::npos)
      << removed.result.message();
  EXPECT_EQ(copied.result.outcome(), pb::OUTCOME_DONE);
  EXPECT_TRUE(Exists(dir_ / "copy/mounted"));
  EXPECT_FALSE(Exists(dir_ / "copy/mounted/precious"));
}

}  // namespace
}  // namespace holdfast::agent
