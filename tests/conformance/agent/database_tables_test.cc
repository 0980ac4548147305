// What is read out of databases: SQLite's files against SQLite itself, then the tables made of them.
#include <filesystem>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "agent/tables/rpm_header.h"
#include "agent/tables/sqlite_file.h"
#include "tests/support/query_harness.h"
#include "tests/support/temp_dir.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::ReadWhole;
using holdfast::testing::TempDir;

// A database as its user has it: open, and not tidied up.
class Database {
 public:
  explicit Database(const std::string& path) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    EXPECT_EQ(sqlite3_open(path.c_str(), &db_), SQLITE_OK);
    Do("PRAGMA page_size = 512");
  }
  ~Database() { sqlite3_close(db_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  void Do(const std::string& sql) {
    char* error = nullptr;
    EXPECT_EQ(sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, &error), SQLITE_OK)
        << sql << ": " << (error == nullptr ? "" : error);
  }
  void Insert(const std::string& sql, const std::string& blob) {
    sqlite3_stmt* statement = nullptr;
    EXPECT_EQ(sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr), SQLITE_OK);
    sqlite3_bind_blob(statement, 1, blob.data(), static_cast<int>(blob.size()), SQLITE_STATIC);
    EXPECT_EQ(sqlite3_step(statement), SQLITE_DONE);
    sqlite3_finalize(statement);
  }

 private:
  sqlite3* db_ = nullptr;
};

SqliteFile FileOf(const std::string& path) { return {ReadWhole(path), ReadWhole(path + "-wal")}; }

Rows AskIn(const TempDir& dir, const std::string& sql) {
  ProcfsMachine machine(dir.path());
  QueryEngine engine(machine, AllTables(), {});
  TextSink sink;
  const QueryEnd end = engine.Run(sql, sink);
  return end.stop == QueryStop::kDone ? sink.rows : Rows{"failed: " + end.message};
}

TEST(SqliteFileTest, ReadsEveryTypeAndLongValues) {
  const TempDir dir;
  const std::string path = dir / "x/a.db";
  Database db(path);
  db.Do(
      "CREATE TABLE t (id INTEGER PRIMARY KEY, \"a b\" TEXT, n INT DEFAULT (max(1, 2)), "
      "r REAL, PRIMARY_NOTE TEXT, CHECK (n <> 7), UNIQUE (r))");
  db.Do(
      "INSERT INTO t VALUES (5, 'x', -1, 1.5, NULL), (9, hex(zeroblob(5000)), 1 << 40, -0.25, "
      "x'00ff'), (10, '', 0, 1, ''), (11, 'z', 1, 300, -129)");
  db.Do("ALTER TABLE t ADD COLUMN later TEXT");
  const SqliteFile file = FileOf(path);
  SqliteRows rows(file, "t");
  ASSERT_TRUE(rows.Next());
  EXPECT_EQ(rows.GetInteger("id"), 5);
  EXPECT_EQ(rows.GetText("a b"), "x");
  EXPECT_EQ(rows.GetInteger("n"), -1);
  EXPECT_EQ(std::get<double>(rows.Get("r")), 1.5);
  EXPECT_EQ(rows.Get("primary_note"), SqlValue{});
  EXPECT_EQ(rows.Get("later"), SqlValue{});
  ASSERT_TRUE(rows.Next());
  EXPECT_EQ(rows.GetInteger("n"), std::int64_t{1} << 40);
  EXPECT_EQ(rows.GetText("primary_note"), std::string("\0\xff", 2));
  ASSERT_TRUE(rows.Next());
  ASSERT_TRUE(rows.Next());
  EXPECT_EQ(rows.GetText("primary_note"), "-129");
  EXPECT_FALSE(rows.Next());
  SqliteRows none(file, "nothing");
  EXPECT_FALSE(none.Next());
}

TEST(SqliteFileTest, SeesWhatTheLogHoldsAndOnlyWhatWasCommitted) {
  const TempDir dir;
  const std::string path = dir / "x/a.db";
  Database db(path);
  db.Do("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE urls (url TEXT)");
  db.Do(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
      "INSERT INTO urls SELECT 'https://example/' || i || hex(zeroblob(i % 700)) FROM n");
  db.Do("PRAGMA wal_checkpoint(TRUNCATE)");
  db.Do("DELETE FROM urls WHERE rowid % 3 = 0; INSERT INTO urls VALUES ('in the log')");
  db.Do("PRAGMA cache_size = 1; BEGIN");
  db.Do("UPDATE urls SET url = 'not committed, and spilled to the log' || hex(zeroblob(300))");
  const SqliteFile file = FileOf(path);
  SqliteRows rows(file, "urls");
  std::size_t count = 0;
  std::string last;
  while (rows.Next()) {
    last = rows.GetText("url");
    ++count;
    EXPECT_FALSE(last.starts_with("not committed")) << last;
  }
  EXPECT_EQ(count, 2001U);
  EXPECT_EQ(last, "in the log");
}

TEST(SqliteFileTest, TakesNoHarmFromTornFiles) {
  const TempDir dir;
  const std::string path = dir / "x/a.db";
  Database db(path);
  db.Do(
      "CREATE TABLE urls (url TEXT); INSERT INTO urls SELECT hex(zeroblob(900)); INSERT INTO urls "
      "SELECT url FROM urls; INSERT INTO urls SELECT url FROM urls");
  const std::string whole = ReadWhole(path);
  for (std::size_t at = 0; at < whole.size(); at += 7) {
    std::string bent = whole;
    bent[at] = static_cast<char>(bent[at] ^ 0x55);
    for (const std::string& bytes : {whole.substr(0, at), bent}) {
      const SqliteFile file(bytes, bytes);
      SqliteRows rows(file, "urls");
      while (rows.Next()) (void)rows.GetText("url");
    }
  }
}

constexpr const char* kPasswd = "u:x:1000:1000::/home/u:/bin/sh\n";

TEST(BrowserTablesTest, ReadChromesDatabaseWhileItIsLocked) {
  const TempDir dir;
  std::filesystem::create_directories(dir / "etc");
  dir.Write("etc/passwd", kPasswd);
  Database db(dir / "home/u/.config/chromium/Default/History");
  db.Do(
      "CREATE TABLE urls (id INTEGER PRIMARY KEY AUTOINCREMENT, url LONGVARCHAR, title "
      "LONGVARCHAR, "
      "visit_count INTEGER DEFAULT 0 NOT NULL, last_visit_time INTEGER NOT NULL);"
      "INSERT INTO urls VALUES (1, 'https://a.example', CAST(x'ff1b5b324a' AS TEXT), 3, "
      "13300000000000000), "
      "(2, 'https://b.example', '', 0, 0);"
      "CREATE TABLE downloads (id INTEGER PRIMARY KEY, guid VARCHAR NOT NULL, target_path "
      "LONGVARCHAR, "
      "start_time INTEGER, received_bytes INTEGER, referrer VARCHAR);"
      "CREATE TABLE downloads_url_chains (id INTEGER NOT NULL, chain_index INTEGER NOT NULL, url "
      "LONGVARCHAR NOT NULL);"
      "INSERT INTO downloads VALUES (7, 'g', '/home/u/x.sh', 13300000001000000, 42, "
      "'https://a.example');"
      "INSERT INTO downloads_url_chains VALUES (7, 0, 'https://short'), (7, 1, "
      "'https://real/x.sh')");
  db.Do("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
  const std::string profile = "/home/u/.config/chromium/Default";
  EXPECT_EQ(AskIn(dir, "SELECT * FROM browser_history"),
            (Rows{"1000|chromium|" + profile + "|https://a.example|\xff\x1b[2J|3|1655526400",
                  "1000|chromium|" + profile + "|https://b.example||0|NULL"}));
  EXPECT_EQ(AskIn(dir, "SELECT * FROM browser_downloads"),
            Rows{"1000|chromium|" + profile +
                 "|https://real/x.sh|https://a.example|/home/u/x.sh|"
                 "1655526401|42"});
  EXPECT_EQ(AskIn(dir, "SELECT count(*) FROM browser_history WHERE uid = 0"), Rows{"0"});
}

TEST(BrowserTablesTest, ReadFirefoxsDatabase) {
  const TempDir dir;
  std::filesystem::create_directories(dir / "etc");
  dir.Write("etc/passwd", kPasswd);
  Database db(dir / "home/u/.mozilla/firefox/p.default/places.sqlite");
  db.Do(
      "PRAGMA journal_mode = WAL;"
      "CREATE TABLE moz_places (id INTEGER PRIMARY KEY, url LONGVARCHAR, title LONGVARCHAR, "
      "visit_count INTEGER DEFAULT 0, last_visit_date INTEGER);"
      "INSERT INTO moz_places VALUES (1, 'https://a.example/f', 'F', 2, 1700000000123456), (2, "
      "'https://bookmark', "
      "'B', 0, NULL);"
      "CREATE TABLE moz_anno_attributes (id INTEGER PRIMARY KEY, name VARCHAR(32) UNIQUE NOT NULL);"
      "INSERT INTO moz_anno_attributes VALUES (3, 'downloads/metaData'), (4, "
      "'downloads/destinationFileURI');"
      "CREATE TABLE moz_annos (id INTEGER PRIMARY KEY, place_id INTEGER NOT NULL, "
      "anno_attribute_id "
      "INTEGER, content LONGVARCHAR, dateAdded INTEGER DEFAULT 0);"
      "INSERT INTO moz_annos VALUES (1, 1, 3, '{}', 0), (2, 1, 4, 'file:///home/u/f', "
      "1700000001000000)");
  const std::string profile = "/home/u/.mozilla/firefox/p.default";
  EXPECT_EQ(AskIn(dir, "SELECT * FROM browser_history"),
            Rows{"1000|firefox|" + profile + "|https://a.example/f|F|2|1700000000"});
  EXPECT_EQ(AskIn(dir, "SELECT * FROM browser_downloads"),
            Rows{"1000|firefox|" + profile +
                 "|https://a.example/f|NULL|file:///home/u/f|1700000001|NULL"});
}

// A header as rpm writes it: entries of four numbers, then what they point to.
class HeaderBytes {
 public:
  void AddNumbers(RpmTag tag, std::uint32_t type, std::size_t bytes,
                  const std::vector<std::uint64_t>& values) {
    Entry(tag, type, values.size());
    for (const std::uint64_t value : values) AppendNumber(store_, value, bytes);
  }
  void AddTexts(RpmTag tag, std::uint32_t type, const std::vector<std::string>& values) {
    Entry(tag, type, values.size());
    for (const std::string& value : values) store_ += value + '\0';
  }
  std::string bytes() const {
    std::string whole;
    AppendNumber(whole, index_.size() / 16, 4);
    AppendNumber(whole, store_.size(), 4);
    return whole + index_ + store_;
  }

 private:
  static void AppendNumber(std::string& out, std::uint64_t value, std::size_t bytes) {
    for (std::size_t i = bytes; i-- > 0;) out.push_back(static_cast<char>(value >> (8 * i)));
  }
  void Entry(RpmTag tag, std::uint32_t type, std::size_t count) {
    AppendNumber(index_, static_cast<std::uint32_t>(tag), 4);
    AppendNumber(index_, type, 4);
    AppendNumber(index_, store_.size(), 4);
    AppendNumber(index_, count, 4);
  }
  std::string index_, store_;
};

std::string BashHeader() {
  HeaderBytes header;
  header.AddTexts(RpmTag::kName, 6, {"bash"});
  header.AddTexts(RpmTag::kVersion, 6, {"5.2"});
  header.AddTexts(RpmTag::kRelease, 6, {"1.fc39"});
  header.AddTexts(RpmTag::kArch, 6, {"x86_64"});
  header.AddTexts(RpmTag::kSource, 6, {"bash-5.2-1.src.rpm"});
  header.AddTexts(RpmTag::kVendor, 6, {"Fedora\xff\x1b[2J"});
  header.AddTexts(RpmTag::kGroup, 9, {"Shells"});
  header.AddTexts(RpmTag::kSha1, 6, {"abcd"});
  header.AddNumbers(RpmTag::kInstallTime, 4, 4, {1700000000});
  header.AddNumbers(RpmTag::kSize, 4, 4, {8000000});
  header.AddNumbers(RpmTag::kFileSizes, 4, 4, {1000, 4096});
  header.AddNumbers(RpmTag::kFileModes, 3, 2, {0100755, 040755});
  header.AddTexts(RpmTag::kFileDigests, 8, {"e3b0", ""});
  header.AddTexts(RpmTag::kFileUsers, 8, {"root", "root"});
  header.AddTexts(RpmTag::kFileGroups, 8, {"root", "wheel"});
  header.AddNumbers(RpmTag::kDirIndexes, 4, 4, {0, 1});
  header.AddTexts(RpmTag::kBaseNames, 8, {"bash", "bash"});
  header.AddTexts(RpmTag::kDirNames, 8, {"/usr/bin/", "/usr/share/doc/"});
  return header.bytes();
}

TEST(RpmTablesTest, ReadTheHeadersInTheDatabase) {
  const TempDir dir;
  Database db(dir / "var/lib/rpm/rpmdb.sqlite");
  db.Do(
      "PRAGMA journal_mode = WAL; CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT, "
      "blob BLOB NOT NULL)");
  db.Insert("INSERT INTO Packages (blob) VALUES (?)", BashHeader());
  db.Insert("INSERT INTO Packages (blob) VALUES (?)", "torn");
  EXPECT_EQ(AskIn(dir, "SELECT *, pid_with_namespace FROM rpm_packages"),
            Rows{"bash|5.2|1.fc39|bash-5.2-1.src.rpm|8000000|abcd|x86_64|NULL|1700000000|"
                 "Fedora\xff\x1b[2J|Shells|0"});
  EXPECT_EQ(AskIn(dir, "SELECT * FROM rpm_package_files"),
            (Rows{"bash|/usr/bin/bash|root|root|0755|1000|e3b0",
                  "bash|/usr/share/doc/bash|root|wheel|0755|4096|"}));
  EXPECT_EQ(AskIn(dir, "SELECT package FROM rpm_package_files WHERE path = '/usr/bin/bash'"),
            Rows{"bash"});
  EXPECT_EQ(AskIn(dir, "SELECT count(*) FROM rpm_package_files WHERE package = 'zsh'"), Rows{"0"});
}

TEST(RpmTablesTest, TakeNoHarmFromTornHeaders) {
  const std::string whole = BashHeader();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string bent = whole;
    bent[at] = static_cast<char>(bent[at] ^ 0x80);
    for (const std::string& bytes : {whole.substr(0, at), bent}) {
      const RpmHeader header(bytes);
      for (const RpmTag tag : {RpmTag::kName, RpmTag::kFileModes, RpmTag::kDirNames}) {
        (void)header.TextAt(tag, 1);
        (void)header.NumberAt(tag, 1);
      }
    }
  }
  EXPECT_EQ(RpmHeader(whole).Text(RpmTag::kName), "bash");
}

}  // namespace
}  // namespace holdfast::agent
