// Settings of the kernel and of its access control, over the fixture tree.
#include <algorithm>

#include <gtest/gtest.h>

#include "tests/support/query_harness.h"

namespace holdfast::agent {
namespace {

Rows InOrder(Rows rows) {
  std::sort(rows.begin(), rows.end());
  return rows;
}

TEST(SystemControlsTableTest, TellsValuesBesideWhatTheFilesOfSysctlSay) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM system_controls"),
            (Rows{"kernel.core_pattern||kernel||/tmp/\xff\x1b[2J %p|vendor|string",
                  "kernel.pid_max||kernel|100|4194304|string",
                  "net.ipv4.conf.eth0.100.forwarding||net|1|NULL|string",
                  "net.ipv4.ip_forward||net|0|1|string", "vm.stat_refresh||vm|NULL|NULL|string"}));
}

TEST(SystemControlsTableTest, ReadsOneFileWhenItIsNamed) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT current_value FROM system_controls WHERE name = "
                        "'net.ipv4.ip_forward'"),
            Rows{"0"});
  EXPECT_EQ(harness.machine.read, std::vector<std::string>{"/proc/sys/net/ipv4/ip_forward"});
  EXPECT_TRUE(harness.machine.listed.empty());
}

TEST(SystemControlsTableTest, FindsANameWhosePartsHaveDots) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT current_value FROM system_controls WHERE name = "
                        "'net.ipv4.conf.eth0.100.forwarding'"),
            Rows{"1"});
}

TEST(SystemControlsTableTest, StaysInsideTheSubsystemThatIsNamedAndBelowProcSys) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT name FROM system_controls WHERE subsystem = 'kernel'").size(), 2U);
  EXPECT_EQ(harness.machine.listed, std::vector<std::string>{"/proc/sys/kernel"});
  EXPECT_EQ(harness.Ask("SELECT name FROM system_controls WHERE subsystem = '../../etc'"), Rows{});
}

TEST(SelinuxSettingsTableTest, TellsWhatIsThere) {
  QueryHarness harness;
  EXPECT_EQ(InOrder(harness.Ask("SELECT * FROM selinux_settings")),
            (Rows{"booleans|httpd_x|off", "booleans|pending|0 1", "booleans|zebra|on",
                  "class|file/perms|read", "initial_contexts|kernel|system_u:\xff:kernel_t",
                  "|checkreqprot|0", "|deny_unknown|0", "|enforce|1", "|policyvers|33"}));
}

TEST(ApparmorProfilesTableTest, NamesAProfileAfterThoseItIsPartOf) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM apparmor_profiles"),
            (Rows{"firefox|firefox|/usr/lib/firefox/*|enforce|aa11|NULL",
                  "firefox//l\xff\x1b[2J|l\xff\x1b[2J||complain|NULL|bb22"}));
}

TEST(IsolationTableTest, TellsWhatTheAgentHasWrittenDown) {
  ProcfsMachine machine(HOLDFAST_FIXTURES "/procfs_fixture", "/var/lib/holdfast-agent");
  QueryEngine engine(machine, AllTables(), {});
  TextSink sink;
  EXPECT_EQ(
      engine.Run("SELECT state, since, until, allow, job, seconds_left < 0 FROM isolation", sink)
          .stop,
      QueryStop::kDone);
  const bool is_past = machine.Facts().unix_time > 1796078400;
  EXPECT_EQ(sink.rows[0], "held|1796060400|1796078400|10.0.0.0/8 [2001:db8::/32]:443|" +
                              std::string(64, 'a') + (is_past ? "|1" : "|0"));
  EXPECT_TRUE(
      sink.rows[1].starts_with("trial|1796064000|1796067600||" + std::string(64, 'b') + "|"));
  EXPECT_EQ(sink.rows.size(), 2U);
}

TEST(IsolationTableTest, IsEmptyWhereThereIsNoAgentOrNoIsolation) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM isolation"), Rows());
}

}  // namespace
}  // namespace holdfast::agent
