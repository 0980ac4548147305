// Tables that have several rows for each process, over the fixture tree.
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

}  // namespace
}  // namespace holdfast::agent
