// The Store suite on the fake and on SQLite; and what only SQLite can get wrong.
#include <csignal>
#include <filesystem>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include "backend/adapters/sqlite/sqlite_store.h"
#include "tests/conformance/backend/store_suite.h"
#include "tests/support/fake_store.h"
#include "tests/support/temp_dir.h"

namespace holdfast::testing {
namespace {

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
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "PRAGMA user_version=1000", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
  const auto opened = backend::OpenSqliteStore(path);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::kUnsupported);
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
