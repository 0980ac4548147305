// shell_history, crontab, systemd_units and startup_items: over the fixture tree, and against systemctl,
// which reads unit files also where systemd does not run.
#include <map>

#include <gtest/gtest.h>

#include "tests/support/query_harness.h"

namespace holdfast::agent {
namespace {

TEST(ShellHistoryTableTest, ReadsEveryShellsFormat) {
  QueryHarness harness;
  EXPECT_EQ(
      harness.Ask("SELECT * FROM shell_history"),
      (Rows{"0|0|import os|/root/.python_history", "1001|1700000000|ls -la|/home/t/.bash_history",
            "1001|0|plain \xff\x1b[2J|/home/t/.bash_history",
            "1001|0|#notatime|/home/t/.bash_history", "1001|0|#1700000001|/home/t/.bash_history",
            "1001|1700000002|echo one \ntwo|/home/t/.zsh_history",
            "1001|0|: x:0;odd|/home/t/.zsh_history", "1001|0|plain|/home/t/.zsh_history",
            "1001|1700000003|echo a\nb \\ c|/home/t/.local/share/fish/fish_history",
            "1001|0|last|/home/t/.local/share/fish/fish_history"}));
  EXPECT_EQ(harness.Ask("SELECT command FROM shell_history WHERE uid = 0"), Rows{"import os"});
}

TEST(CrontabTableTest, ReadsJobsAndSkipsVariables) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT *, pid_with_namespace FROM crontab"),
            (Rows{"|17|*|*|*|*|root\tcd / && run-parts --report /etc/cron.hourly|/etc/crontab|0",
                  "@reboot||||||root /sbin/x   --y|/etc/crontab|0",
                  "|*/5|*|*|*|1-5|root /bin/\xff\x1b[2J|/etc/cron.d/job|0",
                  "|0|0|1|1|0|/home/t/run.sh %in|/var/spool/cron/crontabs/t|0"}));
}

TEST(SystemdUnitsTableTest, TellsStatesWithoutTheManager) {
  QueryHarness harness;
  EXPECT_EQ(
      harness.Ask("SELECT id, load_state, active_state, sub_state, unit_file_state, "
                  "fragment_path FROM systemd_units ORDER BY id"),
      (Rows{"daily.timer|NULL|NULL|NULL|static|/usr/lib/systemd/system/daily.timer",
            "empty.service|masked|inactive|dead|masked|/etc/systemd/system/empty.service",
            "evil-1.service|NULL|inactive|dead|static|/etc/systemd/system/evil-1.service",
            "getty@.service|NULL|inactive|dead|enabled|/usr/lib/systemd/system/getty@.service",
            "init.scope|loaded|active|running|NULL|",
            "masked.service|masked|inactive|dead|masked|/etc/systemd/system/masked.service",
            "off.service|NULL|inactive|dead|disabled|/usr/lib/systemd/system/off.service",
            "once.service|loaded|active|exited|static|/usr/lib/systemd/system/once.service",
            "other.service|NULL|inactive|dead|indirect|/usr/lib/systemd/system/other.service",
            "run-u1.service|NULL|inactive|dead|transient|/run/systemd/transient/run-u1.service",
            "srv.mount|loaded|active|mounted|generated|/run/systemd/generator/srv.mount",
            "system.slice|loaded|active|active|NULL|", "user-1.slice|loaded|active|active|NULL|",
            "user.slice|loaded|active|active|NULL|", "user@1.service|loaded|active|running|NULL|",
            "web.service|loaded|active|running|enabled|/usr/lib/systemd/system/web.service",
            "www.service|NULL|inactive|dead|alias|/etc/systemd/system/www.service"}));
  EXPECT_EQ(
      harness.Ask("SELECT description, object_path, user, following, job_id FROM systemd_units "
                  "WHERE id IN ('web.service', 'evil-1.service') ORDER BY id"),
      (Rows{"evil \xff\x1b[2J|/org/freedesktop/systemd1/unit/evil_2d1_2eservice||NULL|NULL",
            "The web|/org/freedesktop/systemd1/unit/web_2eservice|www|NULL|NULL"}));
  EXPECT_EQ(harness.Ask("SELECT source_path FROM systemd_units WHERE id = 'srv.mount'"),
            Rows{"/etc/fstab"});
}

TEST(SystemdUnitsTableTest, AgreesWithSystemctlOnWhatIsEnabled) {
  std::map<std::string, std::string> ours;
  for (const std::string& row :
       AskThisMachine("SELECT id || ' ' || unit_file_state FROM systemd_units")) {
    const std::size_t space = row.find(' ');
    ours[row.substr(0, space)] = row.substr(space + 1);
  }
  std::size_t compared = 0;
  for (const std::string& row : LinesOf("systemctl list-unit-files --root=/ --no-legend --no-pager "
                                        "--plain 2>/dev/null | awk '{print $1, $2}'")) {
    const std::size_t space = row.find(' ');
    if (space == std::string::npos) continue;
    EXPECT_EQ(ours[row.substr(0, space)], row.substr(space + 1)) << row;
    ++compared;
  }
  // As many as it lists; a machine without systemctl has none of its units either.
  EXPECT_GE(ours.size(), compared);
}

TEST(StartupItemsTableTest, ListsEntriesScriptsAndUnits) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM startup_items WHERE type = 'Startup Item'"),
            (Rows{"\xff\x1b[2J|/tmp/e|NULL|Startup Item|/home/t/.config/autostart/|hidden|t\xf6st",
                  "Tool|/usr/bin/tool --x|NULL|Startup Item|/etc/xdg/autostart/|enabled|",
                  "rc-x|/etc/init.d/rc-x|NULL|Startup Item|/etc/init.d/|enabled|"}));
  EXPECT_EQ(harness.Ask("SELECT * FROM startup_items WHERE name = 'web.service'"),
            Rows{"web.service|/usr/lib/systemd/system/web.service|NULL|systemd unit||active|www"});
}

}  // namespace
}  // namespace holdfast::agent
