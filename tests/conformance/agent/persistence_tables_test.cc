// persistence, auth_log, suid_bin and extended_attributes.
#include <filesystem>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "agent/tables/auth_log_lines.h"
#include "tests/support/query_harness.h"
#include "tests/support/temp_dir.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::TempDir;

Rows Of(const std::string& category) {
  QueryHarness harness;
  return harness.Ask(
      "SELECT name, command, path, username, state FROM persistence WHERE category = '" + category +
      "'");
}

TEST(PersistenceTableTest, SeesWhatTheLoaderThePamAndTheKernelStart) {
  EXPECT_EQ(Of("preload"), (Rows{"ld.so.preload|/lib/\xff"
                                 "evil.so|/etc/ld.so.preload||NULL",
                                 "LD_PRELOAD|/tmp/e.so|/etc/environment||NULL"}));
  EXPECT_EQ(Of("pam"), (Rows{"sshd|pam_unix.so nullok|/etc/pam.d/sshd||NULL",
                             "sshd|/tmp/x.so arg|/etc/pam.d/sshd||NULL"}));
  EXPECT_EQ(Of("udev"), Rows{"99.rules|RUN+=\"/bin/sh -c evil\"|/etc/udev/rules.d/99.rules||NULL"});
  EXPECT_EQ(Of("modprobe"), Rows{"usb-storage|/bin/evil|/etc/modprobe.d/x.conf||NULL"});
  EXPECT_EQ(Of("module"),
            (Rows{"modules|dummy|/etc/modules||NULL", "nf_nat|NULL|/proc/modules||NULL",
                  "ext4|NULL|/proc/modules||NULL", "rootk\x1b[2Jit|NULL|/proc/modules||NULL",
                  "torn|NULL|/proc/modules||NULL"}));
}

TEST(PersistenceTableTest, SeesUnitsWithDropInsAndThoseOfUsers) {
  const Rows units = Of("systemd");
  for (const char* row :
       {"web.service|/usr/bin/web  --port 80|/usr/lib/systemd/system/web.service|www|enabled",
        "web.service|/tmp/added|/etc/systemd/system/web.service.d/x.conf||drop-in",
        "daily.timer|OnCalendar=daily|/usr/lib/systemd/system/daily.timer||static",
        "evil-1.service|/tmp/e|/etc/systemd/system/evil-1.service||static"}) {
    EXPECT_EQ(std::count(units.begin(), units.end(), row), 1) << row;
  }
  EXPECT_EQ(Of("systemd_user"),
            Rows{"u.service|/home/t/u|/home/t/.config/systemd/user/u.service|t\xf6st|NULL"});
}

TEST(PersistenceTableTest, SeesWhatRunsByTheClockAndAtTheStart) {
  EXPECT_EQ(Of("cron"),
            (Rows{"17 * * * *|cd / && run-parts --report /etc/cron.hourly|/etc/crontab|root|NULL",
                  "@reboot|/sbin/x   --y|/etc/crontab|root|NULL",
                  "*/5 * * * 1-5|/bin/\xff\x1b[2J|/etc/cron.d/job|root|NULL",
                  "0 0 1 1 0|/home/t/run.sh %in|/var/spool/cron/crontabs/t|t|NULL",
                  "daily|run-parts /etc/cron.daily|/etc/anacrontab||NULL",
                  "tidy|NULL|/etc/cron.daily/tidy||NULL"}));
  EXPECT_EQ(Of("init"), (Rows{"rc-x|NULL|/etc/init.d/rc-x||NULL",
                              "1|/sbin/getty 38400 tty1|/etc/inittab||NULL"}));
}

TEST(PersistenceTableTest, SeesWhatStartsWithASessionOrAKey) {
  EXPECT_EQ(Of("shell"), (Rows{"x.sh|NULL|/etc/profile.d/x.sh||NULL",
                               ".bashrc|NULL|/home/t/.bashrc|t\xf6st|NULL"}));
  EXPECT_EQ(Of("autostart"),
            (Rows{"Tool|/usr/bin/tool --x|/etc/xdg/autostart/tool.desktop||enabled",
                  "\xff\x1b[2J|/tmp/e|/home/t/.config/autostart/e.desktop|t\xf6st|hidden"}));
  const Rows keys = Of("ssh_key");
  EXPECT_EQ(std::count(keys.begin(), keys.end(),
                       "key with words|from=\"10.0.0.0/8\",command=\"/bin/sh -c \\\"id me\\\"\"|"
                       "/home/t/.ssh/authorized_keys|t\xf6st|NULL"),
            1);
}

TEST(PersistenceTableTest, SeesHooksAndRules) {
  EXPECT_EQ(Of("apt"), (Rows{"DPkg::Post-Invoke|touch /tmp/x || true|/etc/apt/apt.conf.d/50x||NULL",
                             "APT::Update::Pre-Invoke|NULL|/etc/apt/apt.conf.d/50x||NULL"}));
  EXPECT_EQ(Of("dpkg"), Rows{"pre-invoke|/bin/y|/etc/dpkg/dpkg.cfg||NULL"});
  EXPECT_EQ(Of("sudoers").size(), 8U);
}

TEST(PersistenceTableTest, LooksOnlyIntoTheCategoryThatIsAskedFor) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT count(*) FROM persistence WHERE category = 'dpkg'"), Rows{"1"});
  EXPECT_EQ(harness.machine.read, (Rows{"/etc/passwd", "/etc/dpkg/dpkg.cfg"}));
}

TEST(AuthLogTableTest, ReadsBothFormsOfTimeAndSkipsWhatIsCompressed) {
  QueryHarness harness;
  EXPECT_EQ(
      harness.Ask("SELECT * FROM auth_log"),
      (Rows{
          "1796008245|2026-11-30T04:10:45.123456+01:00|host|sshd|123|Failed password for root from "
          "10.0.0.1 port 22 ssh2|/var/log/auth.log",
          "NULL|Nov  3 04:10:45|host|sudo|NULL|t : TTY=pts/0 ; COMMAND=/bin/x|/var/log/auth.log",
          "NULL||||NULL|odd line \xff\x1b[2J|/var/log/auth.log",
          "1709164800|2024-02-29T00:00:00Z|h||NULL|last message repeated 2 times|/var/log/auth.log",
          "NULL|Nov  2 00:00:00|host|su|1|old|/var/log/secure-20261101"}));
  EXPECT_EQ(harness.Ask("SELECT message FROM auth_log WHERE path = '/var/log/secure-20261101'"),
            Rows{"old"});
  EXPECT_EQ(ParseRfc3339("1969-12-31T23:59:59Z"), -1);
  EXPECT_EQ(ParseRfc3339("2026-13-01T00:00:00Z"), std::nullopt);
}

TEST(SuidBinTableTest, FindsProgramsAndFollowsNoLinks) {
  const TempDir dir;
  std::filesystem::create_directories(dir / "etc");
  std::filesystem::create_directories(dir / "tmp/deep/er");
  std::filesystem::create_directories(dir / "usr/bin");
  dir.Write("etc/passwd", "root:x:0:0::/:\n");
  const std::string suid = dir.Write("usr/bin/su", "");
  const std::string hidden = dir.Write("tmp/deep/er/\xff\n\x1b[2J", "");
  dir.Write("usr/bin/plain", "");
  ASSERT_EQ(chmod(suid.c_str(), 04755), 0);
  ASSERT_EQ(chmod(hidden.c_str(), 06755), 0);
  ASSERT_EQ(symlink("su", (dir / "usr/bin/link").c_str()), 0);
  ASSERT_EQ(symlink("../deep", (dir / "tmp/deep/loop").c_str()), 0);
  ProcfsMachine machine(dir.path());
  QueryEngine engine(machine, AllTables(), {});
  TextSink sink;
  (void)engine.Run("SELECT path, permissions, pid_with_namespace FROM suid_bin", sink);
  EXPECT_EQ(sink.rows, (Rows{"/usr/bin/su|S|0", "/tmp/deep/er/\xff\n\x1b[2J|SG|0"}));
}

TEST(SuidBinTableTest, AgreesWithFind) {
  EXPECT_EQ(Sorted(AskThisMachine(
                "SELECT path || ' ' || username || ' ' || groupname FROM suid_bin WHERE "
                "path LIKE '/usr/bin/%'")),
            Sorted(LinesOf("find /usr/bin -type f -perm /6000 -printf '%p %u %g\\n'")));
}

class AttributesMachine : public RecordingMachine {
 public:
  explicit AttributesMachine(Machine& machine) : RecordingMachine(machine) {}
  Result<std::vector<Attribute>> Attributes(const std::string&) override {
    using std::string_literals::operator""s;
    return std::vector<Attribute>{
        {"security.capability", "\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0"s},
        {"user.url", "https://x.example"},
        {"user.ended", "text\0"s},
        {"user.bytes\xff", "\xff\x1b[2J"},
        {"user.empty", ""}};
  }
};

TEST(ExtendedAttributesTableTest, GivesCapabilitiesInWordsAndBytesAsBase64) {
  ProcfsMachine fixture(HOLDFAST_FIXTURES "/procfs_fixture");
  AttributesMachine machine(fixture);
  QueryEngine engine(machine, AllTables(), {});
  TextSink sink;
  (void)engine.Run("SELECT * FROM extended_attributes WHERE path = '/files/plain.txt'", sink);
  const std::string file = "/files/plain.txt|/files|";
  EXPECT_EQ(sink.rows, (Rows{file + "security.capability|cap_net_raw=ep|0",
                             file + "user.url|https://x.example|0", file + "user.ended|text|0",
                             file + "user.bytes\xff|/xtbMko=|1", file + "user.empty||0"}));
  TextSink without;
  EXPECT_EQ(engine.Run("SELECT * FROM extended_attributes", without).stop, QueryStop::kBadSql);
}

TEST(ExtendedAttributesTableTest, ReadsThoseOfRealFiles) {
  const TempDir dir;
  const std::string path = dir.Write("file", "");
  const bool has = setxattr(path.c_str(), "user.note", "here", 4, 0) == 0;
  EXPECT_EQ(AskThisMachine("SELECT key, value FROM extended_attributes WHERE directory = '" +
                           dir.path() + "' AND key LIKE 'user.%'"),
            has ? Rows{"user.note|here"} : Rows{});
}

}  // namespace
}  // namespace holdfast::agent
