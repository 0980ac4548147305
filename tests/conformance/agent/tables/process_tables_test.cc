// Tables that have several rows for each process, over the fixture tree.
#include <algorithm>

#include <gtest/gtest.h>

#include "tests/support/query_harness.h"

namespace holdfast::agent {
namespace {

TEST(ProcessEnvsTableTest, SplitsVariablesAtTheFirstEqualsSign) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM process_envs WHERE pid = 1"),
            (Rows{"1|PATH|/bin:/sbin", "1|EMPTY|", "1|NOEQUALS|", "1|A|b=c"}));
  EXPECT_EQ(harness.machine.read, std::vector<std::string>{"/proc/1/environ"});
  EXPECT_TRUE(harness.machine.listed.empty());
}

TEST(ProcessEnvsTableTest, KeepsHostileBytes) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT pid, value FROM process_envs WHERE key = 'LD_PRELOAD'"),
            Rows{"50|/tmp/\xff\n\x1b[31mx.so"});
}

TEST(ProcessMemoryMapTableTest, TellsEachMapping) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM process_memory_map WHERE pid = 1"),
            (Rows{"1|0x55e0a0000000|0x55e0a0010000|r-xp|8192|08:01|1234|/usr/bin/init|0",
                  "1|0x7f0000000000|0x7f0000001000|rw-s|0|00:01|77|/memfd:evil name (deleted)|0",
                  "1|0x7ffe00000000|0x7ffe00021000|rw-p|0|00:00|0|[stack]|1",
                  "1|0x7ffe00030000|0x7ffe00031000|rwxp|0|00:00|0||0"}));
  EXPECT_EQ(harness.machine.read, std::vector<std::string>{"/proc/1/maps"});
  EXPECT_EQ(harness.Ask("SELECT DISTINCT path FROM process_memory_map WHERE pid = 50"),
            Rows{"/memfd:\xff\x1b[2J (deleted)"});
}

TEST(ProcessNamespacesTableTest, TellsWhatCanBeRead) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM process_namespaces WHERE pid IN (1, 50, 4242)"),
            (Rows{"1|4026531835|4026531839|4026531841|4026531840|4026531836|4026531837|4026531838",
                  "50|NULL|NULL|NULL|4026531840|NULL|NULL|NULL"}));
}

TEST(ProcessOpenFilesTableTest, LeavesOutSocketsAndPipes) {
  QueryHarness harness;
  EXPECT_EQ(
      harness.Ask("SELECT * FROM process_open_files WHERE pid = 1 ORDER BY fd"),
      (Rows{"1|0|/dev/null", "1|10|/var/log/with space.log", "1|11|/tmp/gone\n\x1b[2J (deleted)"}));
  EXPECT_EQ(harness.machine.listed, std::vector<std::string>{"/proc/1/fd"});
}

TEST(ProcessOpenFilesTableTest, StopsAtALimit) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT pid FROM process_open_files LIMIT 1").size(), 1U);
  EXPECT_EQ(harness.machine.listed, (std::vector<std::string>{"/proc", "/proc/1/fd"}));
}

TEST(ProcessOpenPipesTableTest, JoinsTheHoldersOfAPipe) {
  QueryHarness harness;
  // Links of a tree of files are open for both.
  EXPECT_EQ(harness.Ask("SELECT * FROM process_open_pipes"),
            (Rows{"1|12|rw|7001|anonymous|50|4|rw", "50|4|rw|7001|anonymous|1|12|rw",
                  "51|9|rw|7002|anonymous|NULL|NULL|NULL"}));
}

TEST(DeletedExecutablesTableTest, ListsProgramsWhoseFileIsGone) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM deleted_executables"),
            Rows{"50|a) R 7 (b|/tmp/gone|evil --arg with space|1000|0|NULL|NULL"});
  (void)harness.Ask("SELECT path FROM deleted_executables WHERE pid = 1");
  EXPECT_EQ(std::count(harness.machine.listed.begin(), harness.machine.listed.end(), "/proc"), 1);
}

TEST(MemfdProcessesTableTest, TellsEachUseOfAFileInMemoryOnce) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM memfd_processes"),
            (Rows{"50|a) R 7 (b|mapped|\xff\x1b[2J|NULL", "50|a) R 7 (b|open|payload|5"}));
  EXPECT_EQ(harness.Ask("SELECT * FROM memfd_processes WHERE pid = 1"), Rows{})
      << "that mapping is not executable";
}

class HiddenProcessesTableTest : public ::testing::Test {
 protected:
  HiddenProcessesTableTest() {
    harness_.machine.unlisted = {"40", "55"};
    harness_.machine.answering = {1, 40, 50, 51, 52, 55, 60, 61, 62, 63, 70};
  }
  QueryHarness harness_;
};

TEST_F(HiddenProcessesTableTest, ListsWhereTheWaysOfLookingDisagree) {
  harness_.machine.answering.erase(52);
  harness_.machine.answering.insert(90);
  EXPECT_EQ(
      harness_.Ask("SELECT * FROM hidden_processes"),
      (Rows{"40|0|1|1|rootkit|NULL|./x -d", "52|1|1|0|NULL|NULL|NULL", "90|0|0|1|NULL|NULL|NULL"}));
}

TEST_F(HiddenProcessesTableTest, CountsAThreadOfAListedProcessAsNoneOfThem) {
  EXPECT_EQ(harness_.Ask("SELECT pid FROM hidden_processes"), Rows{"40"});
  harness_.machine.unlisted.insert("50");
  EXPECT_EQ(harness_.Ask("SELECT pid FROM hidden_processes"), (Rows{"40", "50", "55"}))
      << "a thread whose process is hidden as well";
}

TEST_F(HiddenProcessesTableTest, LooksAtTheNamedProcessOnly) {
  EXPECT_EQ(harness_.Ask("SELECT pid FROM hidden_processes WHERE pid = 40"), Rows{"40"});
  for (const std::string& path : harness_.machine.stats) EXPECT_TRUE(path.starts_with("/proc/40/"));
}

}  // namespace
}  // namespace holdfast::agent
