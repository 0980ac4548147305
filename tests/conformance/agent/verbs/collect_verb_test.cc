#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "holdfast/command/v1/trust.pb.h"
#include "tests/support/temp_dir.h"
#include "tests/support/worker_harness.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::TempDir;

namespace pb = command::v1;

struct Thing {
  pb::CollectItem item;
  std::string data;
  pb::Result end;
  bool has_end = false;
};

struct Stream {
  pb::AgentFacts host;
  std::vector<Thing> things;
  std::vector<pb::CollectSummary> summaries;
  bool is_whole = false;  // ends behind a frame

  const Thing* Find(const std::string& path) const {
    for (const Thing& thing : things) {
      if (thing.item.file().path() == path) return &thing;
    }
    return nullptr;
  }
};

Stream Read(const std::string& output) {
  Stream stream;
  std::size_t at = 0;
  while (at + 5 <= output.size()) {
    std::size_t length = 0;
    for (std::size_t i = 4; i > 0; --i) {
      length = length << 8 | static_cast<unsigned char>(output[at + i]);
    }
    if (at + 5 + length > output.size()) return stream;
    const std::string payload = output.substr(at + 5, length);
    switch (output[at]) {
      case 'H': EXPECT_TRUE(stream.host.ParseFromString(payload)); break;
      case 'B':
        stream.things.emplace_back();
        EXPECT_TRUE(stream.things.back().item.ParseFromString(payload));
        break;
      case 'D': stream.things.back().data += payload; break;
      case 'E':
        EXPECT_TRUE(stream.things.back().end.ParseFromString(payload));
        stream.things.back().has_end = true;
        break;
      case 'S':
        stream.summaries.emplace_back();
        EXPECT_TRUE(stream.summaries.back().ParseFromString(payload));
        break;
      default: ADD_FAILURE() << "a frame of type " << output[at];
    }
    at += 5 + length;
  }
  stream.is_whole = at == output.size();
  return stream;
}

class CollectVerbTest : public ::testing::Test {
 protected:
  pb::CollectSource* Source(const std::string& name) {
    pb::CollectSource* source = command_.mutable_collect()->add_sources();
    source->set_name(name);
    return source;
  }
  pb::CollectSource* Files(const std::vector<std::string>& paths) {
    pb::CollectSource* source = Source("Files");
    for (const auto& path : paths) source->add_paths(path);
    return source;
  }
  Stream Run() {
    run_ = RunWorkerProcess(command_);
    return Read(run_.output);
  }

  pb::Command command_;
  WorkerRun run_;
  TempDir dir_;
};

TEST_F(CollectVerbTest, BringsFilesWithTheirFactsAndTheHashOfWhatWasRead) {
  const std::string file = dir_.Write("log", std::string(700'000, 'x') + "end");
  ASSERT_EQ(chmod(file.c_str(), 0640), 0);
  (void)setxattr(file.c_str(), "user.origin", "web", 3, 0);
  const timespec times[2] = {{.tv_sec = 1000, .tv_nsec = 0}, {.tv_sec = 2000, .tv_nsec = 5}};
  ASSERT_EQ(utimensat(AT_FDCWD, file.c_str(), times, 0), 0);
  dir_.Write("empty", "");
  Files({dir_ / "*", dir_ / "missing*"});
  const Stream stream = Run();
  EXPECT_EQ(run_.result.outcome(), pb::OUTCOME_DONE) << run_.result.message();
  EXPECT_EQ(run_.result.message(), "");
  EXPECT_TRUE(stream.is_whole);
  EXPECT_NE(stream.host.hostname(), "");
  ASSERT_EQ(stream.things.size(), 2U);
  const Thing* log = stream.Find(file);
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(log->data.size(), 700'003U);
  EXPECT_EQ(log->end.output_bytes(), 700'003U);
  EXPECT_EQ(log->item.file().size(), 700'003U);
  EXPECT_EQ(log->item.file().mode() & 07777U, 0640U);
  EXPECT_EQ(log->item.file().mtime_ns(), 2'000'000'000'005);
  EXPECT_FALSE(log->end.file().unstable());
  if (log->item.xattrs_size() > 0) {  // tmpfs has none
    EXPECT_EQ(log->item.xattrs(0), "user.origin");
    EXPECT_EQ(log->item.xattrs(1), "web");
  }
  struct stat after = {};
  ASSERT_EQ(stat(file.c_str(), &after), 0);
  EXPECT_EQ(after.st_atim.tv_sec, 1000) << "reading leaves no trace";
  ASSERT_EQ(stream.summaries.size(), 1U);
  EXPECT_EQ(stream.summaries[0].collected(), 2U);
  ASSERT_EQ(stream.summaries[0].unmatched_size(), 1);
  EXPECT_EQ(stream.summaries[0].unmatched(0), 1U);
}

TEST_F(CollectVerbTest, WhatCannotBeReadIsToldInItsPlaceAndEndsNothing) {
  ASSERT_EQ(mkfifo((dir_ / "a-fifo").c_str(), 0600), 0);
  ASSERT_EQ(symlink("nowhere", (dir_ / "b-dangling").c_str()), 0);
  ASSERT_EQ(symlink("/dev/zero", (dir_ / "c-device").c_str()), 0);
  const int socket_fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  (dir_ / "d-socket").copy(address.sun_path, sizeof address.sun_path - 1);
  (void)bind(socket_fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const std::string sparse = dir_ / "e-sparse";
  const int fd = open(sparse.c_str(), O_CREAT | O_WRONLY, 0600);
  ASSERT_EQ(ftruncate(fd, off_t{1} << 40), 0);
  close(fd);
  dir_.Write("f\nname\x1b[2J\xff", "hostile");
  dir_.Write("z", "last");
  Files({dir_ / "*", "/proc/kmsg", "/proc/self/mem"});
  const Stream stream = Run();
  close(socket_fd);
  EXPECT_EQ(run_.result.outcome(), pb::OUTCOME_DONE);
  EXPECT_NE(run_.result.message().find("not whole in the collection"), std::string::npos);
  const auto failure = [&](const std::string& name) {
    const Thing* thing = stream.Find(dir_ / name);
    return thing == nullptr ? "(nothing)" : pb::CommandFailure_Name(thing->end.failure());
  };
  EXPECT_EQ(failure("a-fifo"), "COMMAND_FAILURE_NOT_A_FILE");
  EXPECT_EQ(failure("b-dangling"), "COMMAND_FAILURE_NO_SUCH_FILE");
  EXPECT_EQ(failure("c-device"), "COMMAND_FAILURE_NOT_A_FILE");
  EXPECT_EQ(failure("d-socket"), "COMMAND_FAILURE_NOT_A_FILE");
  EXPECT_EQ(failure("e-sparse"), "COMMAND_FAILURE_OUTPUT_LIMIT") << "a terabyte of nothing";
  const Thing* hostile = stream.Find(dir_ / "f\nname\x1b[2J\xff");
  ASSERT_NE(hostile, nullptr);
  EXPECT_EQ(hostile->data, "hostile");
  EXPECT_EQ(stream.Find(dir_ / "z")->data, "last");
  const Thing* memory = stream.Find("/proc/self/mem");
  ASSERT_NE(memory, nullptr);
  EXPECT_NE(memory->end.failure(), pb::COMMAND_FAILURE_UNSPECIFIED);
  EXPECT_EQ(stream.summaries[0].left_out(), 1U);
}

TEST_F(CollectVerbTest, FilesOfProcComeAlthoughTheySayThatTheyAreEmpty) {
  Files({"/proc/self/status", "/proc/version"});
  const Stream stream = Run();
  const Thing* version = stream.Find("/proc/version");
  ASSERT_NE(version, nullptr);
  EXPECT_TRUE(version->data.starts_with("Linux version"));
  EXPECT_EQ(version->item.file().size(), 0U);
  EXPECT_FALSE(version->end.file().unstable());
}

TEST_F(CollectVerbTest, OneFileUnderTwoNamesComesOnceAndALinkSaysWhereItLeads) {
  const std::string file = dir_.Write("a", "content");
  ASSERT_EQ(link(file.c_str(), (dir_ / "b").c_str()), 0);
  ASSERT_EQ(symlink("a", (dir_ / "c").c_str()), 0);
  const std::string other = dir_.Write("d", "other");
  ASSERT_EQ(symlink(other.c_str(), (dir_ / "0link").c_str()), 0);
  Files({dir_ / "*", dir_ / "a"});
  const Stream stream = Run();
  EXPECT_EQ(stream.things.size(), 5U);
  EXPECT_EQ(stream.Find(file)->data, "content");
  EXPECT_EQ(stream.Find(dir_ / "b")->item.same_as(), file);
  EXPECT_EQ(stream.Find(dir_ / "c")->item.same_as(), file);
  EXPECT_EQ(stream.Find(dir_ / "c")->item.link_target(), "a");
  const Thing* link = stream.Find(dir_ / "0link");
  EXPECT_EQ(link->data, "other");
  EXPECT_EQ(link->item.link_target(), other);
  EXPECT_TRUE(link->item.resolved().ends_with("/d")) << link->item.resolved();
}

TEST_F(CollectVerbTest, OfLocationsOnlyFactsCome) {
  dir_.Write("a", "content");
  ASSERT_EQ(mkdir((dir_ / "sub").c_str(), 0700), 0);
  ASSERT_EQ(symlink("a", (dir_ / "link").c_str()), 0);
  Files({dir_ / "*"})->set_facts_only(true);
  const Stream stream = Run();
  ASSERT_EQ(stream.things.size(), 3U);
  for (const Thing& thing : stream.things) EXPECT_EQ(thing.data, "");
  EXPECT_TRUE(S_ISDIR(stream.Find(dir_ / "sub")->item.file().mode()));
  EXPECT_EQ(stream.Find(dir_ / "link")->item.link_target(), "a");
}

TEST_F(CollectVerbTest, QueriesAndProgramsAnswerAsTheyDoByThemselves) {
  Source("Query")->set_sql("SELECT 1 AS one UNION ALL SELECT 2");
  Source("Bad")->set_sql("SELECT * FROM nothing");
  pb::CollectSource* program = Source("Program");
  program->add_argv("/bin/sh");
  program->add_argv("-c");
  program->add_argv("echo said; echo complained >&2; exit 3");
  const Stream stream = Run();
  ASSERT_EQ(stream.things.size(), 3U);
  EXPECT_EQ(ReadRows(stream.things[0].data).rows.size(), 2U);
  EXPECT_EQ(stream.things[0].end.rows(), 2U);
  EXPECT_EQ(stream.things[1].end.failure(), pb::COMMAND_FAILURE_SQL);
  EXPECT_EQ(StdioOf(stream.things[2].data, 1), "said\n");
  EXPECT_EQ(StdioOf(stream.things[2].data, 2), "complained\n");
  EXPECT_EQ(stream.things[2].end.exit_code(), 3);
  EXPECT_EQ(stream.summaries[2].collected(), 1U) << "its output is there";
  EXPECT_EQ(stream.summaries[1].failed(), 1U);
}

// Those of our own triage, on the machine that is at hand.
TEST_F(CollectVerbTest, EveryBuiltInQueryIsAnswered) {
  std::vector<std::string> queries;
  for (const auto& file : std::filesystem::directory_iterator(HOLDFAST_ARTIFACTS)) {
    const std::string text = holdfast::testing::ReadWhole(file.path().string());
    const std::string begin = "{sql: \"";
    for (std::size_t at = text.find(begin); at != std::string::npos; at = text.find(begin, at)) {
      at += begin.size();
      queries.push_back(text.substr(at, text.find("\"}", at) - at));
    }
  }
  ASSERT_GT(queries.size(), 30U);
  for (const std::string& query : queries) {
    command_.mutable_collect()->clear_sources();
    Source("Query")->set_sql(query);
    const Stream stream = Run();
    EXPECT_TRUE(WIFEXITED(run_.status)) << query << ": " << run_.status;
    ASSERT_EQ(stream.things.size(), 1U) << query;
    EXPECT_EQ(pb::CommandFailure_Name(stream.things[0].end.failure()),
              "COMMAND_FAILURE_UNSPECIFIED")
        << query << ": " << stream.things[0].end.message();
  }
}

TEST_F(CollectVerbTest, AQueryOrProgramThatDoesNotEndIsEndedAndTheNextOneRuns) {
  pb::CollectSource* program = Source("Sleeps");
  for (const char* word : {"/bin/sleep", "60"}) program->add_argv(word);
  Source("Endless")->set_sql(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n");
  Source("After")->set_sql("SELECT 1");
  command_.mutable_collect()->set_source_ms(300);
  const Stream stream = Run();
  ASSERT_EQ(stream.things.size(), 3U);
  EXPECT_EQ(stream.things[0].end.failure(), pb::COMMAND_FAILURE_WALL_LIMIT);
  EXPECT_EQ(stream.things[1].end.failure(), pb::COMMAND_FAILURE_WALL_LIMIT);
  EXPECT_EQ(stream.things[2].end.failure(), pb::COMMAND_FAILURE_UNSPECIFIED);
  EXPECT_EQ(run_.result.outcome(), pb::OUTCOME_DONE);
}

TEST_F(CollectVerbTest, LimitsAreToldFileByFile) {
  for (const char* name : {"a", "b", "c", "d"}) dir_.Write(name, std::string(1000, *name));
  Files({dir_ / "*"});
  command_.mutable_collect()->set_max_bytes(2500);
  const Stream bytes = Run();
  EXPECT_EQ(run_.failure(), "COMMAND_FAILURE_OUTPUT_LIMIT");
  EXPECT_TRUE(bytes.is_whole);
  ASSERT_EQ(bytes.things.size(), 4U) << "those left out are told too";
  EXPECT_EQ(bytes.summaries[0].left_out(), 2U);
  EXPECT_EQ(bytes.things[3].end.failure(), pb::COMMAND_FAILURE_OUTPUT_LIMIT);
  command_.mutable_collect()->set_max_bytes(0);
  command_.mutable_collect()->set_max_files(3);
  const Stream files = Run();
  EXPECT_EQ(run_.failure(), "COMMAND_FAILURE_OUTPUT_LIMIT");
  EXPECT_EQ(files.things.size(), 3U);
  EXPECT_EQ(files.summaries[0].left_out(), 1U);
  EXPECT_TRUE(files.summaries[0].cut());
}

TEST_F(CollectVerbTest, TimeThatIsOverEndsItInOrder) {
  pb::CollectSource* program = Source("Sleeps");
  for (const char* word : {"/bin/sleep", "60"}) program->add_argv(word);
  Files({dir_ / "*"});
  command_.mutable_limits()->set_wall_ms(800);
  const Stream stream = Run();
  EXPECT_EQ(run_.failure(), "COMMAND_FAILURE_WALL_LIMIT");
  EXPECT_TRUE(stream.is_whole);
  ASSERT_EQ(stream.summaries.size(), 2U);
  EXPECT_TRUE(stream.summaries[1].cut());
}

TEST_F(CollectVerbTest, AFullOutputIsCutAndSaysSo) {
  dir_.Write("a", std::string(1'000'000, 'a'));
  Files({dir_ / "*"});
  command_.mutable_limits()->set_out_bytes(500'000);
  (void)Run();
  EXPECT_EQ(run_.failure(), "COMMAND_FAILURE_OUTPUT_LIMIT");
  EXPECT_TRUE(run_.result.truncated());
  EXPECT_EQ(run_.output.size(), 500'000U);
}

TEST_F(CollectVerbTest, WhatIsWrongIsRefusedBeforeAnythingIsRead) {
  (void)command_.mutable_collect();
  EXPECT_EQ((Run(), run_.failure()), "COMMAND_FAILURE_BAD_ARGUMENT") << "no sources";
  Files({"relative"});
  EXPECT_EQ((Run(), run_.failure()), "COMMAND_FAILURE_BAD_ARGUMENT");
  command_.mutable_collect()->clear_sources();
  Files({"/etc/**/a/**"});
  EXPECT_EQ((Run(), run_.failure()), "COMMAND_FAILURE_BAD_ARGUMENT");
  command_.mutable_collect()->clear_sources();
  Files({"/etc/passwd"})->set_sql("SELECT 1");
  EXPECT_EQ((Run(), run_.failure()), "COMMAND_FAILURE_BAD_ARGUMENT");
  EXPECT_EQ(run_.output, "");
}

}  // namespace
}  // namespace holdfast::agent
