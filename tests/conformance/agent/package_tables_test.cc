// The tables of packages: over the fixture tree, and against dpkg-query.
#include <gtest/gtest.h>

#include "tests/support/query_harness.h"

namespace holdfast::agent {
namespace {

TEST(DebPackagesTableTest, ReadsWhatDpkgKeeps) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT *, pid_with_namespace, mount_namespace_id FROM deb_packages"),
            (Rows{"bash|5.2.15-2+b7||7164|amd64|2+b7|install ok installed|Matthias Klose "
                  "<doko@debian.org>|shells|required|/var/lib/dpkg|0|4026531841",
                  "gone|1.0|other (1.0~rc1)|NULL|all||deinstall ok config-files||||/var/lib/dpkg|0|"
                  "4026531841",
                  "\xff\x1b[2J|||NULL|||install ok installed||||/var/lib/dpkg|0|4026531841"}));
  EXPECT_EQ(harness.Ask("SELECT count(*) FROM deb_packages WHERE admindir = '/nowhere'"),
            Rows{"0"});
}

TEST(DebPackagesTableTest, AgreesWithDpkgQuery) {
  EXPECT_EQ(
      Sorted(AskThisMachine(
          "SELECT name || ' ' || version || ' ' || arch || ' ' || status FROM deb_packages")),
      Sorted(LinesOf("dpkg-query -W -f '${Package} ${Version} ${Architecture} ${Status}\\n'")));
}

TEST(DebPackageFilesTableTest, FindsFilesOfAPackageAndThePackageOfAFile) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM deb_package_files"),
            (Rows{"bash|/|/var/lib/dpkg", "bash|/bin|/var/lib/dpkg", "bash|/bin/bash|/var/lib/dpkg",
                  "libc6|/|/var/lib/dpkg", "libc6|/lib/new\xffname|/var/lib/dpkg",
                  "libc6|/lib/x|/var/lib/dpkg"}));
  EXPECT_EQ(harness.Ask("SELECT package FROM deb_package_files WHERE path = '/lib/x'"),
            Rows{"libc6"});
}

TEST(DebPackageFilesTableTest, ReadsOnlyTheListsOfThePackage) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT path FROM deb_package_files WHERE package = 'bash'"),
            (Rows{"/", "/bin", "/bin/bash"}));
  EXPECT_EQ(harness.machine.read, Rows{"/var/lib/dpkg/info/bash.list"});
}

TEST(DebPackageFilesTableTest, AgreesWithDpkgQuery) {
  const Rows ours = AskThisMachine("SELECT path FROM deb_package_files WHERE package = 'bash'");
  EXPECT_FALSE(ours.empty());
  EXPECT_EQ(Sorted(ours), Sorted(LinesOf("dpkg-query -L bash | sed 's|^/\\.$|/|'")));
}

TEST(AptSourcesTableTest, ReadsBothFormatsAndTheReleaseFile) {
  QueryHarness harness;
  EXPECT_EQ(
      harness.Ask("SELECT *, pid_with_namespace FROM apt_sources"),
      (Rows{"deb.example/debian bookworm|/etc/apt/sources.list|http://deb.example/debian|"
            "bookworm|12.5|Example|main contrib|all amd64|0",
            "flat.example/repo ./|/etc/apt/sources.list|https://flat.example/repo|NULL|NULL|NULL|"
            "NULL|NULL|0",
            "a.example/x s1|/etc/apt/sources.list.d/x.sources|https://a.example/x|NULL|NULL|NULL|"
            "NULL|NULL|0",
            "a.example/x s2/updates|/etc/apt/sources.list.d/x.sources|https://a.example/x|NULL|"
            "NULL|NULL|NULL|NULL|0",
            "b.example s1|/etc/apt/sources.list.d/x.sources|https://b.example|NULL|NULL|NULL|"
            "NULL|NULL|0",
            "b.example s2/updates|/etc/apt/sources.list.d/x.sources|https://b.example|NULL|NULL|"
            "NULL|NULL|NULL|0"}));
}

TEST(YumSourcesTableTest, ReadsRepositories) {
  QueryHarness harness;
  EXPECT_EQ(
      harness.Ask("SELECT *, pid_with_namespace FROM yum_sources"),
      (Rows{"Base|/etc/yum.repos.d/x.repo|https://base.example/|||1|0|file:///k|0",
            "\xff\x1b[2J|/etc/yum.repos.d/x.repo||https://m.example|https://l.example||||0"}));
}

TEST(NpmPackagesTableTest, WalksADirectoryAsDeepAsItIsTold) {
  QueryHarness harness;
  EXPECT_EQ(
      harness.Ask("SELECT name, version, description, author, license, homepage, path, directory, "
                  "depth FROM npm_packages WHERE directory = '/srv/app'"),
      (Rows{"@s/three||||||/srv/app/node_modules/@s/three/package.json|/srv/app|1",
            "one|1.0.0|say \"hi\" \xc3\xa4\xf0\x9f\x98\x80|A|MIT||"
            "/srv/app/node_modules/one/package.json|/srv/app|1"}));
  EXPECT_EQ(harness.Ask(
                "SELECT name, depth, license, author, max_depth FROM npm_packages WHERE directory "
                "= '/srv/app' AND max_depth = 100 AND depth = 2"),
            Rows{"two|2|BSD|B <b@c>|100"});
  EXPECT_EQ(harness.Ask("SELECT name, directory FROM npm_packages"), Rows{"npm|/usr/local/lib"});
}

TEST(PythonPackagesTableTest, ReadsWheelsAndEggsOfTheMachineAndOfHomes) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM python_packages"),
            (Rows{"one-file|0|2||||/usr/lib/python3.11/dist-packages/one.egg-info|"
                  "/usr/lib/python3.11/dist-packages",
                  "six|0|1.16.0|Python 2 and 3: both|B|MIT|/usr/lib/python3.11/site-packages/"
                  "six-1.16.0.dist-info|/usr/lib/python3.11/site-packages",
                  "\xff\x1b[2J|1001|0.1||||/home/t/.local/lib/python3.11/site-packages/"
                  "evil-0.1.egg-info|/home/t/.local/lib/python3.11/site-packages"}));
  EXPECT_EQ(harness.Ask("SELECT count(*) FROM python_packages WHERE uid = 1001"), Rows{"1"});
  EXPECT_EQ(harness.Ask("SELECT name FROM python_packages WHERE directory = "
                        "'/usr/lib/python3.11/site-packages'"),
            Rows{"six"});
}

TEST(FirefoxAddonsTableTest, ReadsTheProfiles) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM firefox_addons"),
            (Rows{"1001|Blocker|a@b|C|extension|1.2|Blocks|https://addons.example/x.xpi|1|1|0|1|"
                  "app-profile|/home/t/x.xpi",
                  "1001|\x1b[2J|evil||||||0|0|1|0||"}));
}

TEST(ChromeExtensionsTableTest, JoinsPreferencesAndFiles) {
  QueryHarness harness;
  EXPECT_EQ(
      harness.Ask(
          "SELECT browser_type, uid, name, profile, referenced_identifier, identifier, version, "
          "default_locale, update_url, persistent, path, permissions, optional_permissions, "
          "referenced, from_webstore, state, install_time, install_timestamp, key FROM "
          "chrome_extensions"),
      (Rows{
          "chrome|1001|Real name|Person 1|aaaa|aaaa|1.0|en|https://u.example|1|"
          "/home/t/.config/google-chrome/Default/Extensions/aaaa/1.0_0|tabs, https://*/*|history|1|"
          "true|1|13300000000000000|1655526400|MIIB",
          "chrome|1001|Side|Person 1|cccc|cccc|3|||0|/opt/side/../loaded|||1|false|||0|",
          "chrome|1001|__MSG_none__|Person 1||bbbb|2.0|../../../..||0|"
          "/home/t/.config/google-chrome/Default/Extensions/bbbb/2.0_0|||0||||0|"}));
  EXPECT_EQ(
      harness.Ask("SELECT length(manifest_hash), permissions_json FROM chrome_extensions WHERE "
                  "identifier = 'aaaa'"),
      Rows{"64|[\"tabs\", {\"fileSystem\": [\"write\"]}, \"https://*/*\"]"});
  // A language is a part of a path, and leads nowhere else.
  for (const std::string& path : harness.machine.read) {
    EXPECT_EQ(path.find("_locales/.."), std::string::npos) << path;
  }
}

}  // namespace
}  // namespace holdfast::agent
