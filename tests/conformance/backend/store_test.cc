// The Store suite on the fake and on SQLite; and what only SQLite can get wrong.
#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include "backend/adapters/sqlite/sqlite_connection.h"
#include "backend/adapters/sqlite/sqlite_store.h"
#include "tests/conformance/backend/store_suite.h"
#include "tests/support/fake_store.h"
#include "tests/support/temp_dir.h"

namespace holdfast::testing {
namespace {

void SetSchema(const std::string& path, int schema) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  const std::string sql = "PRAGMA user_version=" + std::to_string(schema);
  EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
}

// The one number that a query gives.
int Number(const std::string& path, const char* sql) {
  sqlite3* db = nullptr;
  sqlite3_stmt* statement = nullptr;
  int out = -1;
  if (sqlite3_open(path.c_str(), &db) == SQLITE_OK &&
      sqlite3_prepare_v2(db, sql, -1, &statement, nullptr) == SQLITE_OK &&
      sqlite3_step(statement) == SQLITE_ROW) {
    out = sqlite3_column_int(statement, 0);
  }
  sqlite3_finalize(statement);
  sqlite3_close(db);
  return out;
}

struct OnFake {
  FakeStore fake;
  backend::Store& store() { return fake; }
  void Crash() { fake.Crash(); }
};

struct OnSqlite {
  TempDir dir;
  std::unique_ptr<backend::Store> open =
      backend::OpenSqliteStore(dir.path() + "/ledger.db").value();
  backend::Store& store() { return *open; }
  // The next one opens a copy of what is on disk now: the journal of a killed process is replayed.
  void Crash() {
    const std::filesystem::path copy = dir / "copy";
    std::filesystem::create_directory(copy);
    for (const char* name : {"ledger.db", "ledger.db-wal"}) {
      const std::filesystem::path from = dir.path() + "/" + name;
      if (std::filesystem::exists(from)) {
        std::filesystem::copy_file(from, copy / name,
                                   std::filesystem::copy_options::overwrite_existing);
      }
    }
    open = backend::OpenSqliteStore((copy / "ledger.db").string()).value();
  }
};

INSTANTIATE_TYPED_TEST_SUITE_P(Fake, StoreSuite, OnFake);
INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, StoreSuite, OnSqlite);

TEST(SqliteStoreTest, RefusesALedgerThatAnotherControlHasOpen) {
  TempDir dir;
  const auto first = backend::OpenSqliteStore(dir.path() + "/ledger.db");
  ASSERT_TRUE(first.ok());
  const auto second = backend::OpenSqliteStore(dir.path() + "/ledger.db");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Code::kUnavailable);
}

// What is in a WAL may never have reached the disk, after an fsync that failed: nothing is written behind it.
TEST(SqliteStoreTest, HasAllThatItFoundInTheDatabaseFileOnceItIsOpen) {
  OnSqlite killed;
  backend::CommandRow row;
  row.digest = *Digest::From(std::string(32, 'd'));
  row.command_id = *CommandId::From(std::string(16, 'c'));
  row.envelope = "envelope";
  ASSERT_TRUE(killed.store().InsertCommand(row).ok());
  ASSERT_TRUE(killed.store().Commit().ok());
  killed.Crash();
  // While it is open: closing would copy as well.
  const std::filesystem::path bare = killed.dir / "bare.db";
  std::filesystem::copy_file(killed.dir.path() + "/copy/ledger.db", bare);
  const auto store = backend::OpenSqliteStore(bare.string());
  ASSERT_TRUE(store.ok());
  EXPECT_EQ(store.value()->ListCommands(0, 1000, false).value().size(), 1U);
}

TEST(SqliteStoreTest, RefusesALedgerOfANewerProgram) {
  TempDir dir;
  const std::string path = dir.path() + "/ledger.db";
  ASSERT_TRUE(backend::OpenSqliteStore(path).ok());
  SetSchema(path, 1000);
  const auto opened = backend::OpenSqliteStore(path);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::kUnsupported);
}

TEST(SqliteStoreTest, SaysBothSchemasOfALedgerOfANewerProgram) {
  TempDir dir;
  const std::string path = dir.path() + "/ledger.db";
  ASSERT_TRUE(backend::OpenSqliteStore(path).ok());
  EXPECT_EQ(backend::SchemaOf(ReadWhole(path)), backend::LedgerSchema());
  SetSchema(path, 1000);
  EXPECT_EQ(backend::SchemaOf(ReadWhole(path)), 1000U);
  const auto opened = backend::OpenSqliteStore(path);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().message.find("schema 1000"), std::string::npos);
  EXPECT_FALSE(backend::SchemaOf("no database"));
}

// An older ledger is brought forward step by step, with what is in it; a step that fails leaves it as it was.
TEST(SqliteMigrationTest, TakesTheStepsThatAreMissingAndAllOfThemOrNone) {
  TempDir dir;
  const std::string path = dir.path() + "/ledger.db";
  constexpr const char* kFirst = "CREATE TABLE t (a); INSERT INTO t VALUES (7)";
  constexpr const char* kSecond = "ALTER TABLE t ADD COLUMN b INTEGER NOT NULL DEFAULT 8";
  constexpr const char* kBroken = "UPDATE t SET a = 9; INSERT INTO nowhere VALUES (1)";
  const auto migrate = [&](std::vector<const char*> steps) {
    auto connection = backend::SqliteConnection::Open(path, nullptr).value();
    return connection.Migrate(steps);
  };
  ASSERT_TRUE(migrate({kFirst}).ok());
  EXPECT_FALSE(migrate({kFirst, kBroken}).ok());
  EXPECT_EQ(backend::SchemaOf(ReadWhole(path)), 1U);
  EXPECT_EQ(Number(path, "SELECT a FROM t"), 7);
  ASSERT_TRUE(migrate({kFirst, kSecond}).ok());
  EXPECT_EQ(backend::SchemaOf(ReadWhole(path)), 2U);
  EXPECT_EQ(Number(path, "SELECT a * 10 + b FROM t"), 78);
  EXPECT_TRUE(migrate({kFirst, kSecond}).ok());
  const Status back = migrate({kFirst});  // the older program
  ASSERT_FALSE(back.ok());
  EXPECT_EQ(back.error().code, Code::kUnsupported);
}

TEST(SqliteStoreTest, DropsEveryTokenWithTheTurnThatSaysSo) {
  TempDir dir;
  const auto ledger = backend::OpenSqliteStore(dir.path() + "/ledger.db").value();
  backend::TokenRow row;
  row.uses_left = 2;
  for (const char fill : {'1', '2'}) {
    row.hash = *Digest::From(std::string(32, fill));
    ASSERT_TRUE(ledger->PutToken(row).ok());
  }
  ASSERT_TRUE(ledger->Commit().ok());
  ASSERT_TRUE(ledger->DropTokens().ok());
  ledger->Rollback();
  EXPECT_TRUE(ledger->FindToken(row.hash).value());
  ASSERT_TRUE(ledger->DropTokens().ok());
  ASSERT_TRUE(ledger->Commit().ok());
  for (const char fill : {'1', '2'}) {
    EXPECT_FALSE(ledger->FindToken(*Digest::From(std::string(32, fill))).value());
  }
}

// --- the copy ---------------------------------------------------------------------------------------

class SqliteCopyTest : public ::testing::Test {
 protected:
  void Insert(std::uint32_t number) {
    backend::CommandRow row;
    const std::string id = std::to_string(number);
    row.digest = *Digest::From(std::string(32 - id.size(), '-') + id);
    row.command_id = *CommandId::From(std::string(16 - id.size(), '-') + id);
    row.envelope = std::string(2000, 'e');
    ASSERT_TRUE(ledger_->InsertCommand(row).ok());
  }
  std::size_t CommandsIn(const std::string& path) {
    return backend::OpenSqliteStore(path).value()->ListCommands(0, 1'000'000, false).value().size();
  }
  TempDir dir_;
  std::string copy_path_ = dir_.path() + "/copy.db";
  std::unique_ptr<backend::SqliteLedger> ledger_ =
      backend::OpenSqliteStore(dir_.path() + "/ledger.db").value();
};

TEST_F(SqliteCopyTest, HasAllThatWasCommittedBeforeItsLastPiece) {
  constexpr std::uint32_t kRows = 2000;
  for (std::uint32_t i = 0; i < kRows; ++i) Insert(i);
  ASSERT_TRUE(ledger_->Commit().ok());
  auto copy = ledger_->Copy(copy_path_).value();
  std::uint32_t written = kRows;
  int pieces = 1;
  for (; copy->More().value(); ++pieces) {
    Insert(written++);  // goes on meanwhile
    ASSERT_TRUE(ledger_->Commit().ok());
  }
  EXPECT_GT(pieces, 5);
  copy.reset();
  EXPECT_EQ(CommandsIn(copy_path_), written);
  EXPECT_EQ(Number(copy_path_,
                   "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"),
            1);
}

TEST_F(SqliteCopyTest, WaitsForATurnToEndAndHasNothingOfOneThatWasTakenBack) {
  Insert(1);
  ASSERT_TRUE(ledger_->Commit().ok());
  auto copy = ledger_->Copy(copy_path_).value();
  Insert(2);  // not committed
  EXPECT_TRUE(copy->More().value());
  EXPECT_TRUE(copy->More().value());
  ledger_->Rollback();
  while (copy->More().value()) {
  }
  copy.reset();
  EXPECT_EQ(CommandsIn(copy_path_), 1U);
}

TEST_F(SqliteCopyTest, LeavesALedgerThatGoesOnWhenItIsGivenUp) {
  for (std::uint32_t i = 0; i < 2000; ++i) Insert(i);
  ASSERT_TRUE(ledger_->Commit().ok());
  auto copy = ledger_->Copy(copy_path_).value();
  EXPECT_TRUE(copy->More().value());
  copy.reset();
  Insert(5000);
  EXPECT_TRUE(ledger_->Commit().ok());
}

TEST_F(SqliteCopyTest, NamesTheFilesThatItsRowsPointTo) {
  const auto put = [this](char command, backend::OutputPlace place, char file) {
    backend::DeliveryRow row;
    row.digest = *Digest::From(std::string(32, command));
    row.place = place;
    row.stored_bytes = 77;
    row.output_name = *Nonce16::From(std::string(16, file));
    row.output_sha256 = *Digest::From(std::string(32, file));
    ASSERT_TRUE(ledger_->PutDelivery(row).ok());
  };
  put('1', backend::OutputPlace::kSealed, 's');
  put('2', backend::OutputPlace::kSealed, 's');  // the same bytes
  put('3', backend::OutputPlace::kIncoming, 'i');
  put('4', backend::OutputPlace::kInline, 'x');
  put('5', backend::OutputPlace::kNone, 'y');
  ASSERT_TRUE(ledger_->Commit().ok());
  const std::string odd = dir_.path() + "/a%20?b#c.db";
  auto copy = ledger_->Copy(odd).value();
  while (copy->More().value()) {
  }
  copy.reset();
  const auto named = backend::ReadNamedFiles(odd);
  ASSERT_TRUE(named.ok());
  ASSERT_EQ(named.value().sealed.size(), 1U);
  EXPECT_EQ(named.value().sealed[0].str(), std::string(32, 's'));
  ASSERT_EQ(named.value().incoming.size(), 1U);
  EXPECT_EQ(named.value().incoming[0].name.str(), std::string(16, 'i'));
  EXPECT_EQ(named.value().incoming[0].stored_bytes, 77U);
}

TEST(SqliteStoreTest, SaysWhatIsWrongWithAFileThatIsNoLedger) {
  TempDir dir;
  const std::string path = dir.Write("ledger.db", std::string(8192, 'x'));
  const auto opened = backend::OpenSqliteStore(path);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::kCorrupt);
}

// A ledger of a million rows loads for longer than a silent process lives.
TEST(SqliteStoreTest, TellsThatALongLoadGoesOn) {
  TempDir dir;
  int calls = 0;
  const auto store =
      backend::OpenSqliteStore(dir.path() + "/ledger.db", [&calls] { ++calls; }).value();
  backend::CommandRow command;
  ASSERT_TRUE(store->InsertCommand(command).ok());
  backend::DeliveryRow row;
  constexpr int kRows = 5000;
  for (int i = 0; i < kRows; ++i) {
    const std::string id = std::to_string(i);
    row.agent_id = *AgentId::From(std::string(16 - id.size(), '-') + id);
    ASSERT_TRUE(store->PutDelivery(row).ok());
  }
  ASSERT_TRUE(store->Commit().ok());
  calls = 0;
  EXPECT_EQ(store->LoadOpenDeliveries().value().size(), std::size_t{kRows});
  EXPECT_GT(calls, 2);
}

// A file that may not grow stands for a disk that is full.
TEST(SqliteStoreTest, WritesNothingHalfOnAFullDiskAndRecoversByItself) {
  TempDir dir;
  const auto store = backend::OpenSqliteStore(dir.path() + "/ledger.db").value();
  (void)std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = std::size_t{256} * 1024;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  backend::CommandRow row;
  row.envelope = std::string(20000, 'e');
  int kept = 0;
  bool failed = false;
  for (; !failed && kept < 100; ++kept) {
    row.digest = *Digest::From(std::string(32, static_cast<char>(kept)));
    row.command_id = *CommandId::From(std::string(16, static_cast<char>(kept)));
    const Status put = store->InsertCommand(row);
    const Status committed = store->Commit();
    failed = !committed.ok();
    if (!failed) continue;
    EXPECT_EQ(committed.error().code, Code::kUnavailable);
    store->Rollback();
    break;
  }
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_TRUE(failed);
  EXPECT_EQ(store->ListCommands(0, 1000, false).value().size(), static_cast<std::size_t>(kept));
  ASSERT_TRUE(store->InsertCommand(row).ok());
  EXPECT_TRUE(store->Commit().ok());
}

}  // namespace
}  // namespace holdfast::testing
