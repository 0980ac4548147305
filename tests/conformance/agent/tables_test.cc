// The tables over a tree of files that stands for a machine, hostile entries included.
#include <algorithm>
#include <array>
#include <fstream>
#include <map>

#include <gtest/gtest.h>

#include "tests/support/query_harness.h"
#include "tests/support/temp_dir.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::ReadWhole;
using holdfast::testing::TempDir;

std::string MarksText(Marks marks) {
  std::string text;
  if ((marks & kRequired) != 0) text += "!";
  if ((marks & kIndex) != 0) text += "*";
  if ((marks & kAdditional) != 0) text += "+";
  if ((marks & kHidden) != 0) text += "~";
  if ((marks & kLinux) != 0) text += text.empty() ? "linux" : " linux";
  return text;
}

// Tables that osquery does not have: their columns are ours.
constexpr std::string_view kOwnTables[] = {"auth_log",
                                           "browser_downloads",
                                           "browser_history",
                                           "btmp",
                                           "deleted_executables",
                                           "ebpf_programs",
                                           "hidden_processes",
                                           "isolation",
                                           "journal",
                                           "memfd_processes",
                                           "persistence",
                                           "timeline",
                                           "wtmp"};

// A release build leaves the words out that the page is made of.
bool HasWords() { return !AllTables().front()->description.empty(); }

TEST(TablesTest, DeclaresExactlyOsquerysColumns) {
  std::map<std::string, std::string> expected;
  std::ifstream file(HOLDFAST_FIXTURES "/osquery_columns.tsv");
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    const std::size_t tab = line.find('\t');
    expected[line.substr(0, tab)] += line.substr(tab + 1) + "\n";
  }
  const auto is_own = [](const Table* table) {
    return std::find(std::begin(kOwnTables), std::end(kOwnTables), table->name) !=
           std::end(kOwnTables);
  };
  const auto own = std::count_if(AllTables().begin(), AllTables().end(), is_own);
  ASSERT_EQ(expected.size() + static_cast<std::size_t>(own), AllTables().size());
  for (const Table* table : AllTables()) {
    if (is_own(table)) {
      EXPECT_FALSE(expected.contains(std::string(table->name))) << table->name;
      continue;
    }
    std::string declared;
    for (const Column& column : table->columns) {
      declared.append(column.name).append("\t").append(ToString(column.type));
      declared.append("\t").append(MarksText(column.marks)).append("\n");
    }
    EXPECT_EQ(declared, expected[std::string(table->name)]) << table->name;
  }
}

TEST(TablesTest, PageIsWhatTheDeclarationsSay) {
  if (!HasWords()) GTEST_SKIP() << "no words in a release build";
  EXPECT_EQ(ReadWhole(HOLDFAST_SOURCE_DIR "/docs/tables.md"), TablesPage())
      << "docs/tables.md is made by build/dev/bin/agent_tables_page > docs/tables.md";
}

TEST(TablesTest, EveryExampleRunsAndEveryColumnIsDescribed) {
  if (!HasWords()) GTEST_SKIP() << "no words in a release build";
  QueryHarness harness;
  for (const Table* table : AllTables()) {
    (void)harness.Ask(std::string(std::string_view(table->example)));
    // osquery's columns are held to osquery's; whoever reads the page has to know which are ours.
    const bool own = std::find(std::begin(kOwnTables), std::end(kOwnTables), table->name) !=
                     std::end(kOwnTables);
    const std::string words(std::string_view(table->description));
    EXPECT_EQ(own, words.ends_with("Not in osquery.") || words.ends_with("Not osquery's."))
        << table->name;
    EXPECT_EQ(harness.end.stop, QueryStop::kDone) << table->name << ": " << harness.end.message;
    for (const Column& column : table->columns)
      EXPECT_FALSE(column.description.empty()) << column.name;
  }
}

TEST(ProcessesTableTest, TellsAllOfAProcess) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM processes WHERE pid = 1"),
            Rows{"1|init|/usr/bin/init|/sbin/init "
                 "splash|S|/srv|/|0|5|1|6|2|7|1|0|2048000|4096000|2500|1300|"
                 "4096|4096|1700000001|1|1|3|-5|/init.scope"});
}

TEST(ProcessesTableTest, ListsHostileNamesWholeAndSkipsWhatIsTornOrGone) {
  QueryHarness harness;
  EXPECT_EQ(
      harness.Ask("SELECT pid, name, state, cmdline FROM processes"),
      (Rows{"1|init|S|/sbin/init splash", "50|a) R 7 (b|R|evil --arg with space",
            "51|new\nline \xff\xfe|S|\xff\xfe\n\x1b[2J", "52|kthread|I|", "70|contained|S|"}));
}

TEST(ProcessesTableTest, KnowsDeletedProgramsAndUnknownOnes) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT pid, path, on_disk, disk_bytes_read, cgroup_path FROM processes "
                        "WHERE pid IN (50, 51)"),
            (Rows{"50|/tmp/gone|0|NULL|/init.scope", "51||-1|NULL|/first"}));
}

TEST(ProcessesTableTest, VisitsOnlyThePidThatIsAskedFor) {
  QueryHarness harness;
  (void)harness.Ask("SELECT name FROM processes WHERE pid = 50");
  EXPECT_EQ(harness.machine.read, std::vector<std::string>{"/proc/50/stat"});
  EXPECT_TRUE(harness.machine.listed.empty());
}

TEST(ProcessesTableTest, VisitsEachPidOfAnInListOnce) {
  QueryHarness harness;
  (void)harness.Ask("SELECT name FROM processes WHERE pid IN (50, 51, 50)");
  EXPECT_EQ(harness.machine.read.size(), 2U);
}

TEST(ProcessesTableTest, ReadsNoFileWhoseColumnsAreNotAsked) {
  QueryHarness harness;
  (void)harness.Ask("SELECT pid, name FROM processes");
  for (const std::string& path : harness.machine.read) EXPECT_TRUE(path.ends_with("/stat")) << path;
  EXPECT_TRUE(harness.machine.links.empty());
}

TEST(ProcessesTableTest, StopsVisitingAtALimit) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT pid FROM processes LIMIT 1"), Rows{"1"});
  EXPECT_EQ(harness.machine.read.size(), 1U);
}

TEST(ProcessesTableTest, IsLookedUpByPidInAJoinWhateverTheOrder) {
  for (const char* sql :
       {"SELECT p.name, l.port FROM listening_ports l JOIN processes p USING (pid)",
        "SELECT p.name, l.port FROM processes p JOIN listening_ports l USING (pid)"}) {
    QueryHarness harness;
    const Rows rows = harness.Ask(sql);
    EXPECT_GE(rows.size(), 6U) << sql;
    // One scan of the sockets; /proc is listed once for it, and never again for the processes.
    EXPECT_EQ(std::count(harness.machine.listed.begin(), harness.machine.listed.end(), "/proc"), 1)
        << sql;
  }
}

TEST(ProcessesTableTest, ComparesAsSqliteDoesAlsoWherePushDownCannotHelp) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT pid FROM processes WHERE pid = 50.0"), Rows{"50"});
  EXPECT_EQ(harness.Ask("SELECT pid FROM processes WHERE pid = '50'"), Rows{"50"});
  EXPECT_EQ(harness.Ask("SELECT pid FROM processes WHERE pid = 50.5"), Rows{});
  EXPECT_EQ(harness.Ask("SELECT pid FROM processes WHERE pid = NULL"), Rows{});
  EXPECT_EQ(harness.Ask("SELECT uid FROM users WHERE username = 'ROOT' COLLATE NOCASE"), Rows{"0"});
  EXPECT_EQ(harness.Ask("SELECT uid FROM users WHERE username = 'ROOT'"), Rows{});
}

TEST(UsersTableTest, ReadsAccountsAndSkipsWhatIsNone) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM users"),
            (Rows{"0|0|0|0|root|root|/root|/bin/bash|NULL",
                  "65534|65534|65534|65534|nobody|nobody|/nonexistent|/usr/sbin/nologin|NULL",
                  "4294967294|4294967295|-2|-1|big||/||NULL",
                  "4294967294|4294967294|-2|-2|old|old nobody|/|/bin/false|NULL",
                  "1001|1001|1001|1001|t\xf6st|T\xf6st\x1b[0m|/home/t|/bin/sh|NULL",
                  "7|8|7|8|short||||NULL"}));
  EXPECT_EQ(harness.Ask("SELECT username FROM users WHERE uid = 65534"), Rows{"nobody"});
  EXPECT_EQ(harness.Ask("SELECT pid_with_namespace, include_remote FROM users LIMIT 1"),
            Rows{"0|0"});
}

TEST(SocketTablesTest, JoinsSocketsWithTheProcessesThatHoldThem) {
  QueryHarness harness;
  EXPECT_EQ(
      harness.Ask(
          "SELECT * FROM process_open_sockets WHERE family = 2 AND protocol = 6 ORDER BY pid, fd"),
      (Rows{"-1|-1|0|2|6|127.0.0.1|10.0.0.3|80|1||TIME_WAIT|4026531840",
            "1|3|9001|2|6|127.0.0.1|0.0.0.0|8080|0||LISTEN|4026531840",
            "1|4|9002|2|6|127.0.0.1|10.0.0.2|8080|50000||ESTABLISHED|4026531840",
            "50|3|9001|2|6|127.0.0.1|0.0.0.0|8080|0||LISTEN|4026531840",
            "70|3|9100|2|6|0.0.0.0|0.0.0.0|22|0||LISTEN|4026532000"}));
}

TEST(SocketTablesTest, ListsWhatListens) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT pid, port, protocol, family, address, path FROM listening_ports "
                        "ORDER BY family, port, pid, path"),
            (Rows{"-1|0|0|1||/run/new", "-1|0|0|1||@abstract", "1|0|0|1||/run/with space.sock",
                  "70|22|6|2|0.0.0.0|", "1|53|17|2|0.0.0.0|", "1|8080|6|2|127.0.0.1|",
                  "50|8080|6|2|127.0.0.1|", "1|443|6|10|::1|"}));
}

TEST(SocketTablesTest, LooksIntoOneProcessOnlyWhenItIsNamed) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT pid, fd, socket FROM process_open_sockets WHERE pid = 70"),
            Rows{"70|3|9100"});
  EXPECT_EQ(harness.machine.listed, std::vector<std::string>{"/proc/70/fd"});
}

TEST(FileTableTest, AnswersAPathAndADirectory) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT path, directory, filename, size, type, symlink FROM file WHERE "
                        "path = '/files/plain.txt'"),
            Rows{"/files/plain.txt|/files|plain.txt|3|regular|0"});
  EXPECT_EQ(harness.Ask("SELECT filename FROM file WHERE directory = '/files/sub' ORDER BY 1"),
            (Rows{"deep", "inner.txt"}));
  EXPECT_EQ(harness.Ask("SELECT filename FROM file WHERE directory = '/files/sub/' ORDER BY 1"),
            (Rows{"deep", "inner.txt"}));
  EXPECT_EQ(harness.Ask("SELECT directory, filename FROM file WHERE path = '/files/sub/'"),
            Rows{"/files|sub"});
  EXPECT_EQ(harness.Ask("SELECT path FROM file WHERE path IN ('/files/plain.txt', '/nowhere', "
                        "'/etc') ORDER BY 1"),
            (Rows{"/etc", "/files/plain.txt"}));
  EXPECT_EQ(harness.Ask("SELECT path FROM file WHERE path = '/etc' OR path = '/usr' ORDER BY 1"),
            (Rows{"/etc", "/usr"}));
}

TEST(FileTableTest, TellsOfALinksTarget) {
  QueryHarness harness;
  EXPECT_EQ(
      harness.Ask(
          "SELECT symlink, type, size, symlink_target_path FROM file WHERE path = '/files/link'"),
      Rows{"1|regular|3|plain.txt"});
  EXPECT_EQ(
      harness.Ask(
          "SELECT symlink, type, symlink_target_path FROM file WHERE path = '/files/dangling'"),
      Rows{"1|symlink|nowhere"});
}

TEST(FileTableTest, MatchesOneLevelOrAllBelow) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT path FROM file WHERE path LIKE '/files/sub/%' ORDER BY 1"),
            (Rows{"/files/sub/deep", "/files/sub/inner.txt"}));
  EXPECT_EQ(harness.Ask("SELECT path FROM file WHERE path LIKE '/files/sub/%%' ORDER BY 1"),
            (Rows{"/files/sub/deep", "/files/sub/deep/bottom.txt", "/files/sub/inner.txt"}));
  EXPECT_EQ(harness.Ask("SELECT path FROM file WHERE path LIKE '/files/under_score' ORDER BY 1"),
            (Rows{"/files/underXscore", "/files/under_score"}));
  EXPECT_EQ(harness.Ask("SELECT path FROM file WHERE path LIKE '/fi%/s%/in%.txt'"),
            Rows{"/files/sub/inner.txt"});
  EXPECT_EQ(
      harness.Ask("SELECT count(*) FROM file WHERE path LIKE '/files/%%' AND path LIKE '%loop/%'"),
      Rows{"0"});
  EXPECT_EQ(
      harness.Ask("SELECT path FROM file WHERE directory LIKE '/files/%' AND filename = 'passwd'"),
      Rows{});
  EXPECT_EQ(
      harness.Ask("SELECT path FROM file WHERE directory LIKE '/files/%' AND filename = 'etc'"),
      Rows{"/files/loop/etc"});
  EXPECT_EQ(harness.Ask("SELECT path FROM file WHERE path = 'files/x'"), Rows{});
  (void)harness.Ask("SELECT path FROM file WHERE path LIKE '%passwd'");
  EXPECT_EQ(harness.end.stop, QueryStop::kBadSql);
}

TEST(FileTableTest, ReadsNothingBeyondWhatThePathNames) {
  QueryHarness harness;
  (void)harness.Ask("SELECT size FROM file WHERE path = '/files/plain.txt'");
  EXPECT_EQ(harness.machine.stats, std::vector<std::string>{"/files/plain.txt"});
  EXPECT_TRUE(harness.machine.listed.empty());
}

TEST(HashTableTest, HashesRegularFilesOnlyAndOnlyWhenAsked) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask(
                "SELECT path, md5 FROM hash WHERE directory = '/files' AND path LIKE '%plain.txt'"),
            Rows{"/files/plain.txt|900150983cd24fb0d6963f7d28e17f72"});
  EXPECT_EQ(harness.Ask("SELECT count(path) FROM hash WHERE path LIKE '/files/sub/%'"), Rows{"1"});
  QueryHarness lazy;
  (void)lazy.Ask("SELECT path FROM hash WHERE path = '/files/plain.txt'");
  EXPECT_TRUE(lazy.machine.hashed.empty());
}

TEST(HashTableTest, JoinsWithProcessesByPath) {
  QueryHarness harness;
  EXPECT_EQ(
      harness.Ask("SELECT p.pid, length(h.sha256) FROM processes p JOIN hash h ON h.path = p.path"),
      Rows{"1|64"});
  EXPECT_EQ(harness.machine.hashed, std::vector<std::string>{"/usr/bin/init"});
}

TEST(SystemTablesTest, TellOfTheMachine) {
  QueryHarness harness;
  EXPECT_EQ(
      harness.Ask("SELECT * FROM os_version"),
      Rows{"Fixture Linux|12 (bookworm)|12|5|0|rolling|fixture|debian ubuntu|bookworm|x86_64"});
  EXPECT_EQ(harness.Ask("SELECT mount_namespace_id FROM os_version"), Rows{"4026531841"});
  EXPECT_EQ(harness.Ask("SELECT * FROM uptime"), Rows{"1|2|3|4|93784"});
  EXPECT_EQ(harness.Ask("SELECT * FROM system_info"),
            Rows{"fixture-host|01234567-89ab-cdef-0123-456789abcdef|x86_64|85|Fixture CPU @ "
                 "2.00GHz|1|2|1|0x2a|"
                 "2097152000|Fixture Inc.|Model "
                 "1|NULL|NULL|NULL|NULL|NULL|NULL|fixture-host|fixture-host"});
}

TEST(SystemTablesTest, GiveNullsOnAMachineWithoutAnything) {
  const TempDir empty;
  ProcfsMachine nothing(empty.path());
  RecordingMachine machine(nothing);
  for (const Table* table : AllTables()) {
    QueryEngine engine(machine, AllTables(), {});
    TextSink sink;
    std::string sql = "SELECT * FROM " + std::string(table->name);
    const auto required = std::find_if(table->columns.begin(), table->columns.end(),
                                       [](const Column& c) { return (c.marks & kRequired) != 0; });
    if (required != table->columns.end()) {
      sql.append(" WHERE ").append(required->name).append(" LIKE '/%%'");
      if (required->name == "id") sql.replace(sql.find("LIKE"), 4, "=");
      if (required->name == "pid") sql.replace(sql.find("LIKE"), sql.npos, "= 1");
      if (table->name.starts_with("yara_")) sql += " AND sigrule = 'rules'";
    }
    const QueryEnd end = engine.Run(sql, sink);
    EXPECT_EQ(end.stop, QueryStop::kDone) << table->name << ": " << end.message;
  }
}

}  // namespace
}  // namespace holdfast::agent
