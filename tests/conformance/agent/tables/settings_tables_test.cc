// Settings of the kernel and of its access control, over the fixture tree.
#include <algorithm>

#include <gtest/gtest.h>

#include "tests/support/query_harness.h"

namespace holdfast::agent {
namespace {

Rows Sorted(Rows rows) {
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
  EXPECT_EQ(Sorted(harness.Ask("SELECT * FROM selinux_settings")),
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

}  // namespace
}  // namespace holdfast::agent
