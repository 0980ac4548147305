#include <string>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/tables/registry.h"
#include "tests/support/worker_harness.h"

namespace holdfast::agent {
namespace {

namespace pb = command::v1;

pb::Command Query(const std::string& sql) {
  pb::Command command;
  command.mutable_query()->set_sql(sql);
  return command;
}
WorkerRun Ask(const std::string& sql) { return RunWorkerProcess(Query(sql)); }

TEST(QueryVerbTest, AnswersSelectOneWithOneRowAndOneExit) {
  const WorkerRun run =
      Ask("SELECT 1 AS one, 'x' AS text, NULL AS none, 0.5 AS half, x'00ff' AS b");
  EXPECT_EQ(run.exits, 1);
  EXPECT_TRUE(run.exit_is_last);
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE) << run.result.message();
  EXPECT_EQ(run.result.rows(), 1U);
  const RowTable table = ReadRows(run.output);
  EXPECT_EQ(table.columns, (std::vector<std::string>{"one", "text", "none", "half", "b"}));
  EXPECT_EQ(table.At(0, "one"), "1");
  EXPECT_EQ(table.At(0, "none"), "NULL");
  EXPECT_EQ(table.At(0, "b"), std::string("\x00\xff", 2));
}

TEST(QueryVerbTest, NamesColumnsEvenWithoutRows) {
  const WorkerRun run = Ask("SELECT pid FROM processes WHERE pid = -5");
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE);
  EXPECT_EQ(ReadRows(run.output).columns, std::vector<std::string>{"pid"});
}

TEST(QueryVerbTest, SaysWhatItHadToLeaveOutAndIsDone) {
  const WorkerRun run = Ask("SELECT message FROM journal WHERE path = '/etc/passwd'");
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE);
  EXPECT_EQ(run.result.message(), "/etc/passwd: not a file of systemd's journal");
  EXPECT_EQ(Ask("SELECT 1").result.message(), "");
}

TEST(QueryVerbTest, KeepsColumnNamesThatAStatementMakesReadable) {
  std::string name = "x";
  for (int i = 0; i < 100; ++i) name += "\xc3\xa4";  // each two bytes: the cut falls into one
  const WorkerRun run = Ask("SELECT 1 AS \"" + name + "\", 2 AS \"a\nb\"");
  const RowTable table = ReadRows(run.output);
  ASSERT_EQ(table.columns.size(), 2U);
  EXPECT_LE(table.columns[0].size(), 128U);
  EXPECT_EQ(table.columns[1], "a\\nb");
}

TEST(QueryVerbTest, TellsAnUnknownTableItsPositionAndTheNearestName) {
  const WorkerRun run = Ask("SELECT * FROM procesess");
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_SQL);
  EXPECT_EQ(run.result.message(),
            "no such table: procesess (at character 15); did you mean processes?");
}

TEST(QueryVerbTest, TellsATableThatIsNearNoneWhereTheyAreListed) {
  const WorkerRun run = Ask("SELECT * FROM socket_events");
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_SQL);
  std::string nearest;
  for (const std::string_view name : LikelyTables("socket_events", 3)) {
    nearest.append(nearest.empty() ? " " : ", ").append(name);
  }
  EXPECT_EQ(run.result.message(),
            "no such table: socket_events (at character 15); docs/tables.md lists them; the "
            "nearest:" +
                nearest);
}

TEST(QueryVerbTest, AsksTheKernelForTheNetworkFromAWorker) {
  const WorkerRun run = Ask("SELECT interface FROM interface_details WHERE interface = 'lo'");
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE) << run.result.message();
  EXPECT_EQ(run.result.rows(), 1U);
}

TEST(QueryVerbTest, FindsOurselvesAmongTheProcesses) {
  const WorkerRun run =
      Ask("SELECT pid, uid, parent, on_disk, start_time FROM processes WHERE pid = " +
          std::to_string(getpid()));
  const RowTable table = ReadRows(run.output);
  ASSERT_EQ(table.rows.size(), 1U) << run.result.message();
  EXPECT_EQ(table.At(0, "uid"), std::to_string(getuid()));
  EXPECT_EQ(table.At(0, "parent"), std::to_string(getppid()));
  EXPECT_EQ(table.At(0, "on_disk"), "1");
}

// A bound socket of any family, for the time of a test.
class Listener {
 public:
  Listener(int family, const sockaddr* address, socklen_t size)
      : fd_(socket(family, SOCK_STREAM, 0)) {
    good_ = bind(fd_, address, size) == 0 && listen(fd_, 1) == 0;
  }
  ~Listener() { close(fd_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  bool good() const { return good_; }
  int fd() const { return fd_; }
  std::string port() const {
    sockaddr_storage address = {};
    socklen_t size = sizeof address;
    (void)getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    return std::to_string(ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port));
  }

 private:
  int fd_;
  bool good_ = false;
};

RowTable PortsOf(const Listener& listener) {
  return ReadRows(Ask("SELECT * FROM listening_ports WHERE pid = " + std::to_string(getpid()) +
                      " AND fd = " + std::to_string(listener.fd()))
                      .output);
}

TEST(QueryVerbTest, FindsOurListeningSocketInIpv4) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const Listener listener(AF_INET, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  ASSERT_TRUE(listener.good());
  const RowTable table = PortsOf(listener);
  ASSERT_EQ(table.rows.size(), 1U);
  EXPECT_EQ(table.At(0, "port"), listener.port());
  EXPECT_EQ(table.At(0, "protocol"), "6");
  EXPECT_EQ(table.At(0, "family"), "2");
  EXPECT_EQ(table.At(0, "address"), "127.0.0.1");
}

TEST(QueryVerbTest, FindsOurListeningSocketInIpv6) {
  sockaddr_in6 address = {};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  const Listener listener(AF_INET6, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (!listener.good()) GTEST_SKIP() << "no IPv6 here";
  const RowTable table = PortsOf(listener);
  ASSERT_EQ(table.rows.size(), 1U);
  EXPECT_EQ(table.At(0, "port"), listener.port());
  EXPECT_EQ(table.At(0, "family"), "10");
  EXPECT_EQ(table.At(0, "address"), "::1");
}

TEST(QueryVerbTest, FindsOurListeningUnixSocketByPath) {
  const std::string path = ::testing::TempDir() + "holdfast port " + std::to_string(getpid());
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  (void)unlink(path.c_str());
  const Listener listener(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  ASSERT_TRUE(listener.good());
  const RowTable table = PortsOf(listener);
  (void)unlink(path.c_str());
  ASSERT_EQ(table.rows.size(), 1U);
  EXPECT_EQ(table.At(0, "path"), path);
  EXPECT_EQ(table.At(0, "family"), "1");
  EXPECT_EQ(table.At(0, "protocol"), "0");
}

constexpr const char* kRefused[] = {
    "DELETE FROM processes",
    "UPDATE sqlite_master SET type = 'x'",
    "UPDATE sqlite_schema SET sql = 'x'",
    "INSERT INTO users(uid) VALUES (1)",
    "UPDATE users SET uid = 0",
    "CREATE TABLE t(x)",
    "CREATE VIEW v AS SELECT 1",
    "CREATE TEMP TABLE t AS SELECT 1",
    "CREATE VIRTUAL TABLE t USING processes",
    "DROP TABLE processes",
    "ATTACH '/tmp/holdfast-attached.db' AS a",
    "PRAGMA journal_mode",
    "PRAGMA database_list",
    "PRAGMA function_list",
    "EXPLAIN CREATE TABLE t(x)",
    "EXPLAIN ATTACH '/tmp/holdfast-attached.db' AS a",
    "PRAGMA writable_schema = 1",
    "SELECT * FROM pragma_table_info('processes')",
    "SELECT load_extension('/tmp/x.so')",
    "SELECT name FROM sqlite_schema",
    "VACUUM INTO '/tmp/holdfast-vacuum.db'",
    "BEGIN",
    "ANALYZE",
    "REINDEX",
    "SAVEPOINT s",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE processes",
    "SELECT 1 FROM users; -- x\n DELETE FROM users",
    "",
    "-- only a comment",
    "EXPLAIN DELETE FROM users",
};

TEST(QueryVerbTest, RefusesWhateverIsNotOneSelect) {
  for (const char* sql : kRefused) {
    const WorkerRun run = Ask(sql);
    EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_SQL) << sql << ": " << run.result.message();
    EXPECT_FALSE(run.result.message().empty()) << sql;
  }
  EXPECT_NE(access("/tmp/holdfast-attached.db", F_OK), 0);
  EXPECT_NE(access("/tmp/holdfast-vacuum.db", F_OK), 0);
}

TEST(QueryVerbTest, NamesThePlaceOfASyntaxErrorAndOfASecondStatement) {
  EXPECT_EQ(Ask("SELECT pid FORM processes").result.message(),
            "near \"processes\": syntax error (at character 17)");
  EXPECT_EQ(Ask("SELECT 'ä', nosuch FROM users").result.message(),
            "no such column: nosuch (at character 13)");
  EXPECT_EQ(Ask("SELECT usernam FROM users").result.message(),
            "no such column: usernam (at character 8); did you mean username?");
  EXPECT_EQ(Ask("SELECT 1;  SELECT 2").result.message(),
            "more than one statement (at character 12); a query is exactly one");
}

TEST(QueryVerbTest, AllowsWhatAnalystsWrite) {
  for (const char* sql : {
           "SELECT 1;",
           "SELECT 1 -- and a comment",
           "SELECT 1; -- and a comment\n ;",
           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) "
           "SELECT sum(i) FROM n",
           "SELECT count(*) FROM (SELECT * FROM users)",
           "WITH u AS (SELECT * FROM users) SELECT count(*) FROM u",
           "SELECT value FROM json_each('[1,2]')",
           "EXPLAIN QUERY PLAN SELECT * FROM users",
           "SELECT u.username, count(*) FROM processes p LEFT JOIN users u USING (uid) GROUP BY 1 "
           "ORDER BY 2",
           "SELECT username FROM users WHERE username = \"root\"",
           "VALUES (1), (2)",
       }) {
    const WorkerRun run = Ask(sql);
    EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE) << sql << ": " << run.result.message();
  }
}

TEST(QueryVerbTest, EndsAtTheRowLimitWithTheRowsSoFar) {
  pb::Command command =
      Query("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n");
  command.mutable_limits()->set_rows(1000);
  const WorkerRun run = RunWorkerProcess(command);
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_ROW_LIMIT);
  EXPECT_EQ(run.result.rows(), 1000U);
  EXPECT_EQ(ReadRows(run.output).rows.size(), 1000U);
  EXPECT_EQ(run.result.message(), "there are more than 1000 rows");
}

TEST(QueryVerbTest, ReachesTheRowLimitExactlyWithoutComplaint) {
  pb::Command command = Query("VALUES (1), (2), (3)");
  command.mutable_limits()->set_rows(3);
  EXPECT_EQ(RunWorkerProcess(command).result.outcome(), pb::OUTCOME_DONE);
}

TEST(QueryVerbTest, EndsAtTheOutputLimitWithWholeBatches) {
  pb::Command command = Query(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, "
      "hex(randomblob(200)) FROM n");
  command.mutable_limits()->set_out_bytes(1'000'000);
  const WorkerRun run = RunWorkerProcess(command);
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_OUTPUT_LIMIT);
  EXPECT_TRUE(run.result.truncated());
  EXPECT_LE(run.output.size(), 1'000'000U);
  EXPECT_EQ(ReadRows(run.output).rows.size(), run.result.rows());
}

TEST(QueryVerbTest, EndsAtTheWallLimit) {
  pb::Command command = Query(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n");
  command.mutable_limits()->set_wall_ms(200);
  EXPECT_EQ(RunWorkerProcess(command).result.failure(), pb::COMMAND_FAILURE_WALL_LIMIT);
}

TEST(QueryVerbTest, EndsAtTheCpuLimit) {
  pb::Command command = Query(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n");
  command.mutable_limits()->set_cpu_ms(500);
  command.mutable_limits()->set_cpu_percent(100);
  const WorkerRun run = RunWorkerProcess(command);
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_CPU_LIMIT);
  EXPECT_EQ(run.exits, 1);
}

TEST(QueryVerbTest, EndsAtTheMemoryLimit) {
  pb::Command command = Query(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
      "SELECT hex(randomblob(500000)) AS x FROM n ORDER BY x");
  command.mutable_limits()->set_mem_bytes(std::uint64_t{32} << 20);
  const WorkerRun run = RunWorkerProcess(command);
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_MEMORY_LIMIT) << run.result.message();
}

TEST(QueryVerbTest, SaysWhatAFileQueryNeeds) {
  const WorkerRun run = Ask("SELECT * FROM file");
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_SQL);
  EXPECT_EQ(run.result.message(),
            "table file needs a path or a directory, for example WHERE path = '/etc/passwd', "
            "directory = '/etc' or path LIKE '/etc/%'");
  EXPECT_NE(Ask("SELECT f.size FROM file f JOIN hash h ON f.path = h.path")
                .result.message()
                .find("needs a path"),
            std::string::npos);
}

TEST(QueryVerbTest, KnowsOsquerysFunctions) {
  const RowTable table =
      ReadRows(Ask("SELECT split('a,b;;c', ',;', 2) AS s, concat('a', NULL, 'b') AS c, "
                   "concat_ws('-', 'a', NULL, 'b') AS w, inet_aton('10.0.0.1') AS i, md5('') AS m, "
                   "sha1('abc') AS s1, sha256('abc') AS s2, to_base64('hello') AS t, "
                   "from_base64('aGVsbG8=') AS f, "
                   "inet_aton('10.0.0.1x') AS bad")
                   .output);
  EXPECT_EQ(table.At(0, "s"), "c");
  EXPECT_EQ(table.At(0, "c"), "ab");
  EXPECT_EQ(table.At(0, "w"), "a-b");
  EXPECT_EQ(table.At(0, "i"), "167772161");
  EXPECT_EQ(table.At(0, "m"), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(table.At(0, "s1"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(table.At(0, "s2"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(table.At(0, "t"), "aGVsbG8=");
  EXPECT_EQ(table.At(0, "f"), "hello");
  EXPECT_EQ(table.At(0, "bad"), "NULL");
}

}  // namespace
}  // namespace holdfast::agent
