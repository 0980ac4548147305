// timeline: files in the order of their last change, over a tree that a test makes.
#include <filesystem>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/query_harness.h"
#include "tests/support/temp_dir.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::TempDir;

class TimelineTest : public ::testing::Test {
 protected:
  void Put(const std::string& name, std::int64_t mtime, mode_t mode = 0644) {
    const std::string path = dir_ / name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    ASSERT_TRUE(dir_.Write(name, "12345") == path);
    ASSERT_EQ(chmod(path.c_str(), mode), 0);
    Touch(name, mtime);
  }
  void Touch(const std::string& name, std::int64_t mtime, long ns = 0) {
    const timespec times[] = {{.tv_sec = mtime + 1, .tv_nsec = 0},
                              {.tv_sec = mtime, .tv_nsec = ns}};
    ASSERT_EQ(utimensat(AT_FDCWD, (dir_ / name).c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
  }
  Rows Ask(const std::string& sql) {
    ProcfsMachine machine(dir_.path());
    QueryEngine engine(machine, AllTables(), {});
    TextSink sink;
    const QueryEnd end = engine.Run(sql, sink);
    return end.stop == QueryStop::kDone ? sink.rows : Rows{"failed: " + end.message};
  }
  TempDir dir_;
};

TEST_F(TimelineTest, ComesInTheOrderOfMtimeAndNarrowsByIt) {
  Put("a/late", 3000);
  Put("a/early", 1000);
  Put("a/b/middle", 2000);
  Touch("a/b", 2500);
  Put("a/b/x\nnew|line", 2000);
  Touch("a/b/x\nnew|line", 2000, 5);
  ASSERT_EQ(symlink("/gone", (dir_ / "a/link").c_str()), 0);
  Touch("a/link", 500);
  Touch("a/b", 2500);
  EXPECT_EQ(Ask("SELECT mtime, path, directory, type FROM timeline WHERE path LIKE '/a/%%'"),
            (Rows{"500|/a/link|/a|symlink", "1000|/a/early|/a|regular",
                  "2000|/a/b/middle|/a/b|regular", "2000|/a/b/x\nnew|line|/a/b|regular",
                  "2500|/a/b|/a|directory", "3000|/a/late|/a|regular"}));
  EXPECT_EQ(Ask("SELECT path FROM timeline WHERE path LIKE '/a/%%' AND mtime BETWEEN 900 AND 2400"),
            (Rows{"/a/early", "/a/b/middle", "/a/b/x\nnew|line"}));
  EXPECT_EQ(Ask("SELECT path FROM timeline WHERE directory = '/a' AND mtime > 2500"),
            Rows{"/a/late"});
}

TEST_F(TimelineTest, WritesTheLineOfABodyFile) {
  Put("s\x01 x", 1234, 06750);
  struct stat at = {};
  ASSERT_EQ(stat((dir_ / "s\x01 x").c_str(), &at), 0);
  const Rows rows = Ask("SELECT bodyfile FROM timeline WHERE path LIKE '/s%'");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_TRUE(rows[0].starts_with("0|/s^ x|" + std::to_string(at.st_ino) + "|r/rrwsr-s---|" +
                                  std::to_string(at.st_uid) + "|" + std::to_string(at.st_gid) +
                                  "|5|1235|1234|" + std::to_string(at.st_ctim.tv_sec) + "|"))
      << rows[0];
}

TEST_F(TimelineTest, LeavesTheKernelOutUnlessItIsAskedFor) {
  Put("proc/1/stat", 1);
  Put("sys/x", 2);
  Put("a/proc/y", 3);
  EXPECT_EQ(Ask("SELECT path FROM timeline WHERE path LIKE '/%%' AND type = 'regular'"),
            Rows{"/a/proc/y"});
  EXPECT_EQ(Ask("SELECT path FROM timeline WHERE path LIKE '/proc/%%' AND type = 'regular'"),
            Rows{"/proc/1/stat"});
  EXPECT_EQ(Ask("SELECT path FROM timeline"),
            Rows{"failed: table timeline needs a path or a directory, for example WHERE path = "
                 "'/etc/passwd', directory = '/etc' or path LIKE '/etc/%'"});
}

}  // namespace
}  // namespace holdfast::agent
