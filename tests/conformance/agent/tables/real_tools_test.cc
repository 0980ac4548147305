// The tables on the machine that runs the test, against what its own programs print. A program that is not there
// proves nothing, and is skipped; what comes and goes meanwhile is asked for twice.
#include <algorithm>
#include <set>

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/support/query_harness.h"
#include "tests/support/temp_dir.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::TempDir;

bool Has(const std::string& tool) {
  return !LinesOf("command -v " + tool + " 2>/dev/null").empty();
}

// Rows that the table has before and after, and the lines that the program prints before and after.
std::string Disagreement(const std::string& sql, const std::string& command) {
  const Rows lines_before = LinesOf(command);
  const Rows rows = AskThisMachine(sql);
  const Rows lines_after = LinesOf(command);
  const Rows rows_after = AskThisMachine(sql);
  const std::set<std::string> said_before(lines_before.begin(), lines_before.end());
  const std::set<std::string> said_after(lines_after.begin(), lines_after.end());
  const std::set<std::string> had(rows.begin(), rows.end());
  const std::set<std::string> had_after(rows_after.begin(), rows_after.end());
  if (rows.empty()) return "nothing";
  for (const std::string& line : said_before) {
    if (said_after.contains(line) && !had.contains(line)) return "not in the table: " + line;
  }
  for (const std::string& row : had) {
    if (had_after.contains(row) && !said_before.contains(row) && !said_after.contains(row)) {
      return "only in the table: " + row;
    }
  }
  return {};
}

// What lives just as long as one look at the table is in no look of the program: three looks must disagree.
void ExpectSame(const std::string& sql, const std::string& command) {
  std::string disagreement = Disagreement(sql, command);
  for (int i = 0; i < 2 && !disagreement.empty(); ++i) disagreement = Disagreement(sql, command);
  EXPECT_EQ(disagreement, "") << sql << " against " << command;
}

TEST(RealToolsTest, ProcessesAgreeWithPs) {
  if (!Has("ps")) GTEST_SKIP() << "no ps";
  ExpectSame(
      "SELECT pid || ' ' || parent || ' ' || pgroup || ' ' || uid || ' ' || euid || ' ' || gid || "
      "' ' || "
      "threads FROM processes",
      "ps -eo pid,ppid,pgid,ruid,euid,rgid,nlwp --no-headers | sed 's/^ *//; s/  */ /g'");
}

TEST(RealToolsTest, ListeningPortsAgreeWithSs) {
  if (!Has("ss")) GTEST_SKIP() << "no ss";
  ExpectSame(
      "SELECT DISTINCT port FROM listening_ports WHERE family = 2 AND protocol = 6 UNION "
      "SELECT 'none'",
      "(ss -4Hltn | awk '{sub(/.*:/, \"\", $4); print $4}'; echo none) | sort -u");
}

TEST(RealToolsTest, NeighboursAgreeWithIp) {
  if (!Has("ip")) GTEST_SKIP() << "no ip";
  ExpectSame(
      "SELECT address || ' ' || interface FROM arp_cache WHERE mac <> '00:00:00:00:00:00' "
      "UNION SELECT 'none'",
      "(ip -4 neigh show | grep lladdr | awk '{print $1, $3}'; echo none)");
}

TEST(RealToolsTest, KernelModulesAgreeWithLsmod) {
  if (!Has("lsmod") || access("/proc/modules", R_OK) != 0)
    GTEST_SKIP() << "no lsmod, or no modules";
  ExpectSame("SELECT name || ' ' || size FROM kernel_modules UNION SELECT 'none'",
             "(lsmod | tail -n +2 | awk '{print $1, $2}'; echo none)");
}

TEST(RealToolsTest, PackagesAgreeWithDpkgQuery) {
  if (!Has("dpkg-query")) GTEST_SKIP() << "no dpkg-query";
  ExpectSame(
      "SELECT name || ' ' || version || ' ' || arch FROM deb_packages WHERE status LIKE "
      "'% installed'",
      "dpkg-query -W -f '${db:Status-Status} ${Package} ${Version} ${Architecture}\\n' | "
      "sed -n 's/^installed //p'");
  const Rows owner =
      AskThisMachine("SELECT DISTINCT package FROM deb_package_files WHERE path = '/usr/bin/env'");
  EXPECT_EQ(owner, LinesOf("dpkg-query -S /usr/bin/env | cut -d: -f1"));
}

TEST(RealToolsTest, AccountsAgreeWithGetent) {
  if (!Has("getent")) GTEST_SKIP() << "no getent";
  ExpectSame(
      "SELECT username || ':' || uid || ':' || gid || ':' || directory || ':' || shell FROM users",
      "getent -s files passwd | cut -d: -f1,3,4,6,7");
  ExpectSame("SELECT groupname || ':' || gid FROM groups", "getent -s files group | cut -d: -f1,3");
}

TEST(RealToolsTest, FilesAgreeWithStatAndSha256sum) {
  const TempDir dir;
  dir.Write("one", "1");
  dir.Write("two words", std::string(100'000, '2'));
  const std::string below = " WHERE path LIKE '" + dir.path() + "/%'";
  ExpectSame(
      "SELECT size || ' ' || inode || ' ' || uid || ' ' || gid || ' ' || mtime || ' ' || mode || "
      "' ' || path FROM file" +
          below,
      "stat -c '%s %i %u %g %Y 0%a %n' '" + dir.path() + "'/*");
  ExpectSame("SELECT mtime || ' ' || path FROM timeline" + below,
             "stat -c '%Y %n' '" + dir.path() + "'/*");
  ExpectSame("SELECT sha256 || '  ' || path FROM hash" + below, "sha256sum '" + dir.path() + "'/*");
  ExpectSame("SELECT md5 || '  ' || path FROM hash" + below, "md5sum '" + dir.path() + "'/*");
}

TEST(RealToolsTest, JournalAgreesWithJournalctl) {
  // The last entry may come between the two: what is older than a minute is compared.
  const std::string count =
      "journalctl --directory=/var/log/journal -o json --until '1 minute ago' "
      "--output-fields=MESSAGE 2>/dev/null | grep -c __CURSOR";
  if (!Has("journalctl") || LinesOf(count) == Rows{"0"}) GTEST_SKIP() << "no journal";
  const Rows told = LinesOf(
      "journalctl --directory=/var/log/journal -o json --until '1 minute ago' -p 4 "
      "2>/dev/null | grep -c __CURSOR");
  const Rows rows = AskThisMachine(
      "SELECT count(*) FROM journal WHERE path LIKE '/var/log/%' AND priority <= 4 AND time <= "
      "(SELECT unix_time - 60 FROM time)");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_NEAR(std::stod(rows[0]), std::stod(told.at(0)), 2) << "entries of the second between";
}

TEST(RealToolsTest, BpfProgramsAreListedOrTheReasonIsSaid) {
  ProcfsMachine machine;
  QueryEngine engine(machine, AllTables(), {});
  TextSink sink;
  const QueryEnd end = engine.Run("SELECT id FROM ebpf_programs", sink);
  EXPECT_EQ(end.stop, QueryStop::kDone);
  EXPECT_TRUE(end.note.empty() || end.note.starts_with("ebpf_programs: ")) << end.note;
  EXPECT_TRUE(end.note.empty() || sink.rows.empty());
}

}  // namespace
}  // namespace holdfast::agent
