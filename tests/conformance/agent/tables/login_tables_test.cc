// Records of utmp, wtmp and btmp, and the one-row tables of the agent, over the fixture tree.
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/query_harness.h"
#include "tests/support/temp_dir.h"

namespace holdfast::agent {
namespace {

const std::string kLongLine(32, 'L');  // fills its field: no NUL ends it
const std::string kLongHost(256, 'H');

TEST(LoginTablesTest, TellWhoIsLoggedIn) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM logged_in_users"),
            (Rows{"boot_time|reboot|~|6.1.0-18|1700000000|0",
                  "user|alice|pts/0|host.example|1700000100|50",
                  "user|\xff\x1b[2J\nu|" + kLongLine + "|" + kLongHost + "|4294967295|51",
                  "dead||pts/0||1700000200|50"}));
}

TEST(LoginTablesTest, TakeSystemdsSessionsWhereNoUtmpIsKept) {
  const holdfast::testing::TempDir root;
  const std::string folder = root / "run/systemd/sessions/";
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "4") << "UID=1001\nUSER=al\xff\x1b[2Jice\nTTY=pts/3\nCLASS=user\n"
                                 "REMOTE_HOST=192.0.2.9\nREALTIME=1700000100000006\nLEADER=50\n";
  std::ofstream(folder + "torn") << "UID=1\n";
  ASSERT_EQ(mkfifo((folder + "4.ref").c_str(), 0600), 0);
  ProcfsMachine machine(root.path());
  QueryEngine engine(machine, AllTables(), {});
  TextSink sink;
  EXPECT_EQ(engine.Run("SELECT * FROM logged_in_users", sink).stop, QueryStop::kDone);
  EXPECT_EQ(sink.rows, Rows{"user|al\xff\x1b[2Jice|pts/3|192.0.2.9|1700000100|50"});
}

TEST(LoginTablesTest, TellWhoWas) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM last WHERE host = 'host.example' OR type IN (8, 99)"),
            (Rows{"alice|pts/0|50|7|user|1700000100|host.example", "|pts/0|50|8|dead|1700000200|",
                  "||1|99|unknown|0|"}));
}

TEST(LoginTablesTest, TellAllThatARecordHolds) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM wtmp WHERE record < 2"),
            (Rows{"/var/log/wtmp.1|0|2|boot_time|reboot|~|~~|0|0|6.1.0-18|NULL|0|0|1700000000|5",
                  "/var/log/wtmp|0|2|boot_time|reboot|~|~~|0|0|6.1.0-18|NULL|0|0|1700000000|5",
                  "/var/log/wtmp|1|7|user|alice|pts/0|ts/0|50|77|host.example|192.0.2.9|0|0|"
                  "1700000100|6"}));
  EXPECT_EQ(harness.Ask("SELECT id, address, exit_status, exit_signal FROM wtmp WHERE record > 1"),
            (Rows{"IDID|2001:db8::1|0|0", "ts/0|NULL|3|15", "|NULL|0|0"}));
}

TEST(LoginTablesTest, ReadTheFileThatIsNamed) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT count(*) FROM wtmp WHERE path = '/var/log/wtmp.1'"), Rows{"1"});
  EXPECT_EQ(harness.machine.read, std::vector<std::string>{"/var/log/wtmp.1"});
  EXPECT_EQ(harness.Ask("SELECT count(*) FROM wtmp WHERE path = 'var/log/wtmp'"), Rows{"0"});
}

TEST(LoginTablesTest, TellWhoFailed) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT username, tty, host, address, time FROM btmp"),
            Rows{"admin'--|ssh:notty|198.51.100.7|198.51.100.7|1700000300"});
}

TEST(AgentTablesTest, TellTheTimeInUtc) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM time"),
            Rows{"Thursday|2023|11|16|0|16|25|UTC|CET|1700093785|Thu Nov 16 00:16:25 2023 UTC|"
                 "2023-11-16T00:16:25Z|2023-11-16T00:16:25Z"});
}

TEST(AgentTablesTest, SayThatHoldfastAnswersInOsquerysPlace) {
  QueryHarness harness;
  const Rows rows = harness.Ask(
      "SELECT pid, uuid, instance_id, config_hash, config_valid, extensions, build_platform, "
      "build_distro, start_time, watcher, platform_mask FROM osquery_info");
  EXPECT_EQ(rows, Rows{"50|0123456789abcdef0123456789abcdef|NULL|NULL|0|inactive|linux|static|"
                       "1700000001|1|9"});
  EXPECT_EQ(harness.Ask("SELECT version LIKE '%.%.%+holdfast' FROM osquery_info"), Rows{"1"});
}

}  // namespace
}  // namespace holdfast::agent
