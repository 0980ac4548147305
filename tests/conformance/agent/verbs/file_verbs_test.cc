#include <chrono>
#include <string>
#include <thread>

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

WorkerRun Get(const std::string& path) {
  pb::Command command;
  command.mutable_get()->set_path(path);
  return RunWorkerProcess(command);
}
WorkerRun Cat(const std::string& path, std::uint64_t offset, std::uint64_t length) {
  pb::Command command;
  command.mutable_cat()->set_path(path);
  command.mutable_cat()->set_offset(offset);
  command.mutable_cat()->set_length(length);
  return RunWorkerProcess(command);
}
WorkerRun Ls(const std::string& path, bool all = false, bool recursive = false) {
  pb::Command command;
  command.mutable_ls()->set_path(path);
  command.mutable_ls()->set_all(all);
  command.mutable_ls()->set_recursive(recursive);
  return RunWorkerProcess(command);
}
std::vector<std::string> Names(const WorkerRun& run) {
  std::vector<std::string> names;
  for (const auto& row : ReadRows(run.output).rows) names.push_back(row[0]);
  return names;
}

TEST(GetVerbTest, DeliversAFileByteForByteInFullMessages) {
  const TempDir dir;
  std::string content(700'001, '\0');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 31 >> 3);
  const std::string path = dir.Write("big", content);
  const WorkerRun run = Get(path);
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE) << run.result.message();
  EXPECT_TRUE(run.output == content);
  ASSERT_FALSE(run.message_bytes.empty());
  EXPECT_EQ(run.message_bytes.front(), kMaxWorkerMessageBytes);
  EXPECT_EQ(run.result.file().path(), path);
  EXPECT_EQ(run.result.file().size(), content.size());
  EXPECT_EQ(run.result.file().uid(), getuid());
  EXPECT_FALSE(run.result.file().unstable());
  EXPECT_GT(run.result.file().mtime_ns(), 0);
}

TEST(GetVerbTest, DeliversAnEmptyFileAndFilesOfProc) {
  const TempDir dir;
  EXPECT_EQ(Get(dir.Write("empty", "")).result.outcome(), pb::OUTCOME_DONE);
  EXPECT_FALSE(Get("/proc/self/status").output.empty());
  EXPECT_FALSE(Get("/proc/cpuinfo").output.empty());
}

// Not even by another name: whoever has it can answer as this endpoint.
TEST(GetVerbTest, DoesNotReadThisAgentsPrivateKey) {
  const TempDir state;
  const std::string key = state.Write("identity.key", "secret");
  ASSERT_EQ(link(key.c_str(), (state / "other").c_str()), 0);
  ASSERT_EQ(symlink(key.c_str(), (state / "link").c_str()), 0);
  for (const char* name : {"identity.key", "other", "link"}) {
    pb::Command get;
    get.mutable_get()->set_path(state / name);
    pb::Command cat;
    cat.mutable_cat()->set_path(state / name);
    pb::Command tail;
    tail.mutable_tail()->set_path(state / name);
    tail.mutable_tail()->set_lines(5);
    pb::Command archive;
    archive.mutable_archive()->add_paths(state / name);
    for (const pb::Command& command : {get, cat, tail, archive}) {
      const WorkerRun run = RunWorkerProcess(command, "", state.path());
      EXPECT_EQ(run.output.find("secret"), std::string::npos)
          << static_cast<int>(command.verb_case());
    }
    EXPECT_EQ(RunWorkerProcess(get, "", state.path()).result.failure(),
              pb::COMMAND_FAILURE_PERMISSION);
  }
  pb::Command find;
  find.mutable_find()->set_path(state.path());
  find.mutable_find()->set_content("secret");
  EXPECT_TRUE(ReadRows(RunWorkerProcess(find, "", state.path()).output).rows.empty());
  state.Write("log", "no secret");
  EXPECT_EQ(ReadRows(RunWorkerProcess(find, "", state.path()).output).rows.size(), 1U);
}

TEST(GetVerbTest, FollowsALinkToTheFile) {
  const TempDir dir;
  dir.Write("file", "content");
  ASSERT_EQ(symlink("file", (dir / "link").c_str()), 0);
  EXPECT_EQ(Get(dir / "link").output, "content");
}

TEST(GetVerbTest, SaysNoSuchFileWithThePathAndTheErrnosText) {
  const TempDir dir;
  const WorkerRun run = Get(dir / "none");
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_NO_SUCH_FILE);
  EXPECT_EQ(run.result.message(), dir / "none" + ": No such file or directory");
  EXPECT_EQ(run.exits, 1);
}

TEST(GetVerbTest, NeverHangsOnWhatIsNoRegularFile) {
  const TempDir dir;
  ASSERT_EQ(mkfifo((dir / "fifo").c_str(), 0600), 0);
  const WorkerRun fifo = Get(dir / "fifo");
  EXPECT_EQ(fifo.result.failure(), pb::COMMAND_FAILURE_NOT_A_FILE);
  EXPECT_EQ(fifo.result.message(), dir / "fifo" + ": Not a regular file (fifo)");
  const WorkerRun directory = Get(dir.path());
  EXPECT_EQ(directory.result.failure(), pb::COMMAND_FAILURE_NOT_A_FILE);
  EXPECT_EQ(directory.result.message(), dir.path() + ": Is a directory");
  EXPECT_EQ(Get("/dev/zero").result.failure(), pb::COMMAND_FAILURE_NOT_A_FILE);
}

TEST(GetVerbTest, SaysWhenPermissionIsMissing) {
  if (geteuid() != 0) GTEST_SKIP() << "switches the user";
  const TempDir dir;
  const std::string path = dir.Write("secret", "x");
  ASSERT_EQ(chmod(path.c_str(), 0600), 0);
  ASSERT_EQ(chmod(dir.path().c_str(), 0755), 0);
  ASSERT_EQ(seteuid(65534), 0);
  const WorkerRun run = Get(path);
  ASSERT_EQ(seteuid(0), 0);
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_PERMISSION);
  EXPECT_EQ(run.result.message(), path + ": Permission denied");
}

TEST(GetVerbTest, RefusesPathsThatAreNone) {
  EXPECT_EQ(Get("etc/passwd").result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  EXPECT_EQ(Get("").result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  EXPECT_EQ(Get(std::string("/etc\0/x", 7)).result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  EXPECT_EQ(Get("/" + std::string(5000, 'a')).result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
}

TEST(GetVerbTest, EscapesHostileNamesInMessages) {
  const WorkerRun run = Get("/nowhere/\x1b[2J\xff\n");
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_NO_SUCH_FILE);
  EXPECT_EQ(run.result.message().find('\x1b'), std::string::npos);
  EXPECT_EQ(run.result.message().find('\xff'), std::string::npos);
}

TEST(GetVerbTest, StopsAtTheOutputLimitAndSaysThatItIsCut) {
  const TempDir dir;
  pb::Command command;
  command.mutable_get()->set_path(dir.Write("file", std::string(10'000, 'x')));
  command.mutable_limits()->set_out_bytes(4'000);
  const WorkerRun run = RunWorkerProcess(command);
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_OUTPUT_LIMIT);
  EXPECT_TRUE(run.result.truncated());
  EXPECT_EQ(run.output.size(), 4'000U);
}

TEST(CatVerbTest, DeliversASpan) {
  const TempDir dir;
  const std::string path = dir.Write("file", "0123456789");
  EXPECT_EQ(Cat(path, 3, 4).output, "3456");
  EXPECT_EQ(Cat(path, 3, 0).output, "3456789");
  EXPECT_EQ(Cat(path, 3, 400).output, "3456789");
  EXPECT_EQ(Cat(path, 30, 0).output, "");
  EXPECT_EQ(Cat(path, 30, 0).result.outcome(), pb::OUTCOME_DONE);
  EXPECT_EQ(Cat(path, UINT64_MAX, 0).result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
}

TEST(LsVerbTest, ListsADirectorySortedByName) {
  const TempDir dir;
  dir.Write("b", "12");
  dir.Write("a", "1");
  dir.Write(".hidden", "");
  ASSERT_EQ(mkdir((dir / "c").c_str(), 0750), 0);
  ASSERT_EQ(symlink("/etc/passwd", (dir / "d").c_str()), 0);
  const WorkerRun run = Ls(dir.path());
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE);
  EXPECT_EQ(run.result.rows(), 4U);
  EXPECT_EQ(Names(run), (std::vector<std::string>{"a", "b", "c", "d"}));
  const RowTable table = ReadRows(run.output);
  EXPECT_EQ(table.columns, (std::vector<std::string>{"name", "path", "type", "size", "mode", "uid",
                                                     "gid", "user", "group", "mtime", "ctime",
                                                     "inode", "hard_links", "symlink_target"}));
  EXPECT_EQ(table.At(1, "path"), dir / "b");
  EXPECT_EQ(table.At(1, "size"), "2");
  EXPECT_EQ(table.At(1, "symlink_target"), "NULL");
  EXPECT_EQ(table.At(2, "type"), "directory");
  EXPECT_EQ(table.At(2, "mode"), "0750");
  EXPECT_EQ(table.At(3, "type"), "symlink");
  EXPECT_EQ(table.At(3, "symlink_target"), "/etc/passwd");
  EXPECT_EQ(Names(Ls(dir.path(), true)).front(), ".hidden");
}

TEST(LsVerbTest, ShowsTheFileItself) {
  const TempDir dir;
  const RowTable table = ReadRows(Ls(dir.Write("file", "123")).output);
  ASSERT_EQ(table.rows.size(), 1U);
  EXPECT_EQ(table.At(0, "name"), "file");
  EXPECT_EQ(table.At(0, "path"), dir / "file");
}

TEST(LsVerbTest, WalksBelowWithoutFollowingLinks) {
  const TempDir dir;
  ASSERT_EQ(mkdir((dir / "d").c_str(), 0700), 0);
  dir.Write("d/inner", "");
  ASSERT_EQ(symlink("..", (dir / "d/up").c_str()), 0);
  EXPECT_EQ(Names(Ls(dir.path(), false, true)), (std::vector<std::string>{"d", "inner", "up"}));
}

TEST(LsVerbTest, SurvivesNamesOfAnyBytes) {
  const TempDir dir;
  dir.Write("new\nline", "");
  dir.Write("\xff\xfe", "");
  EXPECT_EQ(Names(Ls(dir.path())), (std::vector<std::string>{"new\nline", "\xff\xfe"}));
}

TEST(LsVerbTest, EndsAtTheRowLimit) {
  const TempDir dir;
  for (int i = 0; i < 5; ++i) dir.Write("f" + std::to_string(i), "");
  pb::Command command;
  command.mutable_ls()->set_path(dir.path());
  command.mutable_limits()->set_rows(3);
  const WorkerRun run = RunWorkerProcess(command);
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_ROW_LIMIT);
  EXPECT_EQ(Names(run).size(), 3U);
}

TEST(LsVerbTest, SaysWhatIsMissing) {
  EXPECT_EQ(Ls("/nowhere").result.failure(), pb::COMMAND_FAILURE_NO_SUCH_FILE);
  EXPECT_EQ(Ls("/nowhere").result.message(), "/nowhere: No such file or directory");
  EXPECT_EQ(Ls("/etc/passwd/x").result.failure(), pb::COMMAND_FAILURE_NO_SUCH_FILE);
}

TEST(StatVerbTest, GivesARowPerPathAndTheFirstFailure) {
  const TempDir dir;
  pb::Command command;
  command.mutable_stat()->add_paths(dir.Write("a", "12345"));
  command.mutable_stat()->add_paths(dir / "none");
  command.mutable_stat()->add_paths("/dev/null");
  const WorkerRun run = RunWorkerProcess(command);
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_NO_SUCH_FILE);
  EXPECT_EQ(run.result.message(), dir / "none" + ": No such file or directory");
  const RowTable table = ReadRows(run.output);
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(table.At(0, "size"), "5");
  EXPECT_EQ(table.At(0, "special_device"), "NULL");
  EXPECT_EQ(table.At(1, "type"), "character");
  EXPECT_EQ(table.At(1, "special_device"), "1:3");
}

TEST(StatVerbTest, RefusesNoPathsAndTooMany) {
  pb::Command command;
  command.mutable_stat();
  EXPECT_EQ(RunWorkerProcess(command).result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  for (int i = 0; i < 65; ++i) command.mutable_stat()->add_paths("/");
  EXPECT_EQ(RunWorkerProcess(command).result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
}

TEST(HashVerbTest, HashesInThreeWays) {
  const TempDir dir;
  pb::Command command;
  command.mutable_hash()->add_paths(dir.Write("abc", "abc"));
  command.mutable_hash()->add_paths(dir.path());
  const WorkerRun run = RunWorkerProcess(command);
  const RowTable table = ReadRows(run.output);
  ASSERT_EQ(table.rows.size(), 1U);
  EXPECT_EQ(table.At(0, "size"), "3");
  EXPECT_EQ(table.At(0, "md5"), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(table.At(0, "sha1"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(table.At(0, "sha256"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_NOT_A_FILE);
}

struct PutCase {
  std::string path;
  std::string content = "new content";
  std::uint32_t mode = 0640;
  bool overwrite = false;
};
WorkerRun Put(const TempDir& dir, const PutCase& put) {
  pb::Command command;
  command.mutable_put()->set_path(put.path);
  command.mutable_put()->set_mode(put.mode);
  command.mutable_put()->set_overwrite(put.overwrite);
  command.add_blobs()->set_size(put.content.size());
  return RunWorkerProcess(command, dir.Write("blob", put.content));
}

TEST(PutVerbTest, WritesAFileWithItsModeAndLeavesNothingElse) {
  const TempDir blobs;
  const TempDir dir;
  const WorkerRun run = Put(blobs, {.path = dir / "new"});
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE) << run.result.message();
  EXPECT_EQ(ReadWhole(dir / "new"), "new content");
  EXPECT_EQ(run.result.file().mode() & 07777, 0640U);
  EXPECT_EQ(run.result.file().size(), 11U);
  EXPECT_EQ(run.result.file().path(), dir / "new");
  EXPECT_EQ(Names(Ls(dir.path(), true)), std::vector<std::string>{"new"});
}

TEST(PutVerbTest, LeavesAnExistingFileAloneUnlessTold) {
  const TempDir blobs;
  const TempDir dir;
  const std::string path = dir.Write("file", "old");
  const WorkerRun refused = Put(blobs, {.path = path});
  EXPECT_EQ(refused.result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  EXPECT_EQ(refused.result.message(), path + ": File exists; overwrite was not asked for");
  EXPECT_EQ(ReadWhole(path), "old");
  EXPECT_EQ(Put(blobs, {.path = path, .overwrite = true}).result.outcome(), pb::OUTCOME_DONE);
  EXPECT_EQ(ReadWhole(path), "new content");
  EXPECT_EQ(Names(Ls(dir.path(), true)), std::vector<std::string>{"file"});
}

// Whoever comes first has the name: also when somebody else makes the file while its content is copied.
TEST(PutVerbTest, NeverReplacesAFileThatAppearsMeanwhile) {
  const TempDir blobs;
  const TempDir dir;
  const std::string content(4 << 20, 'x');
  const auto before = std::chrono::steady_clock::now();
  (void)Put(blobs, {.path = dir / "first", .content = content});
  const auto whole = std::chrono::steady_clock::now() - before;
  int lost = 0;
  constexpr int kRounds = 12;
  for (int round = 0; round < kRounds; ++round) {
    const std::string path = dir / ("race" + std::to_string(round));
    const pid_t other = fork();
    if (other == 0) {
      std::this_thread::sleep_for(whole * round / kRounds);
      _exit(open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600) >= 0 ? 0 : 1);
    }
    const WorkerRun run = Put(blobs, {.path = path, .content = content});
    int status = 0;
    ASSERT_EQ(waitpid(other, &status, 0), other);
    const bool theirs = WEXITSTATUS(status) == 0;
    const bool ours = run.result.outcome() == pb::OUTCOME_DONE;
    EXPECT_NE(theirs, ours) << "round " << round;
    EXPECT_EQ(ReadWhole(path).empty(), theirs);
    lost += theirs ? 1 : 0;
  }
  EXPECT_GT(lost, 0);  // else nothing was tried
}

TEST(PutVerbTest, ReplacesALinkNotWhatItPointsTo) {
  const TempDir blobs;
  const TempDir dir;
  dir.Write("target", "old");
  ASSERT_EQ(symlink("target", (dir / "link").c_str()), 0);
  EXPECT_EQ(Put(blobs, {.path = dir / "link", .overwrite = true}).result.outcome(),
            pb::OUTCOME_DONE);
  EXPECT_EQ(ReadWhole(dir / "target"), "old");
  EXPECT_EQ(ReadWhole(dir / "link"), "new content");
}

TEST(PutVerbTest, SaysWhatIsWrong) {
  const TempDir blobs;
  const TempDir dir;
  EXPECT_EQ(Put(blobs, {.path = dir.path(), .overwrite = true}).result.failure(),
            pb::COMMAND_FAILURE_NOT_A_FILE);
  EXPECT_EQ(Put(blobs, {.path = dir / "no/such"}).result.failure(),
            pb::COMMAND_FAILURE_NO_SUCH_FILE);
  EXPECT_EQ(Put(blobs, {.path = "relative"}).result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  EXPECT_EQ(Put(blobs, {.path = dir / "x/.."}).result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  EXPECT_EQ(Put(blobs, {.path = dir / "x", .mode = 010000}).result.failure(),
            pb::COMMAND_FAILURE_BAD_ARGUMENT);
  pb::Command command;
  command.mutable_put()->set_path(dir / "x");
  command.add_blobs()->set_size(4);
  EXPECT_EQ(RunWorkerProcess(command, blobs.Write("b", "longer")).result.failure(),
            pb::COMMAND_FAILURE_BLOB_CORRUPT);
  EXPECT_EQ(RunWorkerProcess(command, blobs / "none").result.failure(), pb::COMMAND_FAILURE_IO);
}

}  // namespace
}  // namespace holdfast::agent
