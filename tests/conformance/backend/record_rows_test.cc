// RecordRows of both databases: what a Store wrote in one, a Store reads in the other, and no table is forgotten.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <sqlite3.h>

#include "backend/adapters/libpq/postgres_rows.h"
#include "backend/adapters/libpq/postgres_store.h"
#include "backend/adapters/sqlite/sqlite_rows.h"
#include "backend/adapters/sqlite/sqlite_store.h"
#include "backend/core/record_move.h"
#include "tests/conformance/backend/store_suite.h"
#include "tests/support/postgres_server.h"
#include "tests/support/temp_dir.h"

namespace holdfast::testing {
namespace {

using backend::RecordRow;
using backend::RecordRows;
using backend::RecordTable;

struct RowsInSqlite {
  TempDir dir;
  const std::string path = dir.path() + "/ledger.db";

  std::unique_ptr<backend::Store> AsStore() { return backend::OpenSqliteStore(path).value(); }
  std::unique_ptr<RecordRows> AsRows() { return backend::OpenSqliteRows(path).value(); }
  std::vector<std::string> Tables() {
    std::vector<std::string> out;
    sqlite3* db = nullptr;
    EXPECT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
    const auto take = [](void* to, int, char** cells, char**) {
      static_cast<std::vector<std::string>*>(to)->emplace_back(cells[0]);
      return 0;
    };
    sqlite3_exec(db, "SELECT name FROM sqlite_schema WHERE type = 'table'", take, &out, nullptr);
    sqlite3_close(db);
    return out;
  }
};

struct RowsInPostgres {
  static PostgresServer& Server() {
    static PostgresServer server;
    return server;
  }
  static std::vector<std::string> Say(const std::string& url, const std::string& sql) {
    std::vector<std::string> out;
    PGconn* const connection = PQconnectdb(url.c_str());
    PGresult* const result = PQexec(connection, sql.c_str());
    EXPECT_EQ(std::string(PQresultErrorMessage(result)), "") << PQerrorMessage(connection);
    for (int i = 0; i < PQntuples(result); ++i) out.emplace_back(PQgetvalue(result, i, 0));
    PQclear(result);
    PQfinish(connection);
    return out;
  }
  static std::string NewUrl() {
    static int last = 0;
    const std::string schema = "r" + std::to_string(++last);
    (void)Say(Server().url(), "CREATE SCHEMA " + schema);
    return Server().url(schema);
  }
  static std::string NewName() {
    static int last = 0;
    return "rows " + std::to_string(++last);
  }
  const std::string url = NewUrl();

  std::unique_ptr<backend::Store> AsStore() {
    return backend::OpenPostgresStore(url, "a control").value();
  }
  std::unique_ptr<RecordRows> AsRows() {
    return backend::OpenPostgresRows(url, NewName(), nullptr).value();
  }
  std::vector<std::string> Tables() {
    return Say(url,
               "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename "
               "NOT LIKE 'holdfast_%'");  // of the record's own keeping
  }
};

template <typename FromPlace, typename ToPlace>
struct Ways {
  using From = FromPlace;
  using To = ToPlace;
};

template <typename Way>
class RecordRowsTest : public StoreSuite<Way> {
 protected:
  using Base = StoreSuite<Way>;

  // One row of each table and more of what has an order: the keys of commands run against the order of their coming.
  static void Fill(backend::Store& store) {
    ASSERT_TRUE(store.PutAgent(Base::Agent('a')).ok());
    ASSERT_TRUE(store.PutAgent(Base::Agent('b')).ok());
    for (const char fill : {'z', 'm', 'c'}) {
      ASSERT_TRUE(store.InsertCommand(Base::Command(fill, 5)).ok());
      ASSERT_TRUE(store.PutDelivery(Base::Delivery(fill, 'a')).ok());
    }
    for (const std::uint64_t offset : {0, 4}) {
      ASSERT_TRUE(store
                      .AppendInline(Base::template Id<Digest>('z'), Base::template Id<AgentId>('a'),
                                    offset, std::string("\0b\xff'", 4))
                      .ok());
    }
    backend::TokenRow token;
    token.hash = Base::template Id<Digest>('t');
    token.uses_left = 3;
    token.expires_ms = ~std::uint64_t{0};
    token.labels = {{"env", "lab"}};
    token.operator_id = "ann";
    ASSERT_TRUE(store.PutToken(token).ok());
    for (std::uint64_t seq = 1; seq <= kAudits; ++seq) {
      backend::AuditRow row;
      row.seq = seq;
      row.actor = "ann";
      row.detail = std::string("\0'\xc3(", 4);
      row.hash = Base::template Id<Digest>('h');
      ASSERT_TRUE(store.AppendAudit(row).ok());
    }
    ASSERT_TRUE(store.Commit().ok());
  }
  static constexpr std::uint64_t kAudits = 3 * RecordRows::kRowsAtOnce + 1;

  // Every cell of every table, through the rows.
  static std::vector<std::vector<RecordRow>> All(RecordRows& rows) {
    std::vector<std::vector<RecordRow>> out;
    for (const RecordTable table : backend::kRecordTables) {
      EXPECT_TRUE(rows.Rewind(table).ok());
      auto& all = out.emplace_back();
      for (;;) {
        const auto page = rows.Next();
        EXPECT_TRUE(page.ok()) << page.error().message;
        if (!page.ok() || page.value().empty()) break;
        EXPECT_LE(page.value().size(), RecordRows::kRowsAtOnce);
        all.insert(all.end(), page.value().begin(), page.value().end());
      }
    }
    return out;
  }
  typename Way::From from_;
  typename Way::To to_;
};

using AllWays =
    ::testing::Types<Ways<RowsInSqlite, RowsInPostgres>, Ways<RowsInPostgres, RowsInSqlite>,
                     Ways<RowsInSqlite, RowsInSqlite>, Ways<RowsInPostgres, RowsInPostgres>>;
TYPED_TEST_SUITE(RecordRowsTest, AllWays);
// Of that suite only its rows are used here.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StoreSuite);

TYPED_TEST(RecordRowsTest, AStoreReadsAfterAMoveWhatAnotherWrote) {
  this->Fill(*this->from_.AsStore());
  const auto before = this->All(*this->from_.AsRows());
  for (const auto& rows : before) EXPECT_FALSE(rows.empty());
  {
    const auto from = this->from_.AsRows();
    const auto to = this->to_.AsRows();
    const auto moved = backend::MoveRecord(*from, *to, {});
    ASSERT_TRUE(moved.ok()) << moved.error().message;
    EXPECT_EQ(moved.value().rows.back(), this->kAudits);
  }
  EXPECT_EQ(this->All(*this->from_.AsRows()), before);
  EXPECT_EQ(this->All(*this->to_.AsRows()), before);

  const auto store = this->to_.AsStore();
  const auto commands = store->LoadOpenCommands();
  ASSERT_EQ(commands.value().size(), 3U);
  std::string order;
  for (const auto& row : commands.value()) order += row.digest.view()[0];
  EXPECT_EQ(order, "zmc");  // as they came
  EXPECT_EQ(store->LoadOpenDeliveries().value().size(), 3U);
  EXPECT_EQ(store->IncomingFiles().value().size(), 3U);
  EXPECT_EQ(store->LoadAgents().value().size(), 2U);
  EXPECT_EQ(store->LastAudit().value()->seq, this->kAudits);
  EXPECT_EQ(store->FindToken(this->template Id<Digest>('t')).value()->expires_ms,
            ~std::uint64_t{0});
  EXPECT_EQ(store
                ->ReadInline(this->template Id<Digest>('z'), this->template Id<AgentId>('a'), 0,
                             std::size_t{100})
                .value(),
            std::string("\0b\xff'\0b\xff'", 8));
  // It goes on from there: the next command comes after those that were moved.
  ASSERT_TRUE(store->InsertCommand(this->Command('a', 5)).ok());
  ASSERT_TRUE(store->Commit().ok());
  EXPECT_EQ(store->LoadOpenCommands().value().back().digest, this->template Id<Digest>('a'));
}

TYPED_TEST(RecordRowsTest, ATargetWithARecordIsLeftAsItWas) {
  this->Fill(*this->from_.AsStore());
  this->Fill(*this->to_.AsStore());
  const auto before = this->All(*this->to_.AsRows());
  const auto moved =
      backend::MoveRecord(*this->from_.AsRows(), *this->to_.AsRows(), backend::MoveOptions());
  ASSERT_FALSE(moved.ok());
  EXPECT_EQ(moved.error().code, Code::kExists);
  EXPECT_EQ(this->All(*this->to_.AsRows()), before);
}

TYPED_TEST(RecordRowsTest, NoTableOfTheSchemaIsForgotten) {
  (void)this->from_.AsStore();
  std::vector<std::string> there = this->from_.Tables();
  std::vector<std::string> known;
  for (const auto& sql : backend::RecordSqls("o", "a", "c")) known.emplace_back(sql.table);
  std::ranges::sort(there);
  std::ranges::sort(known);
  EXPECT_EQ(there, known);
}

TEST(PostgresRowsTest, KeepsNothingThatWasNotCommittedAndNobodyElseWritesMeanwhile) {
  RowsInPostgres place;
  {
    const auto rows = place.AsRows();
    ASSERT_TRUE(
        rows->Insert(RecordTable::kTokens, {std::string(32, 't'), std::uint64_t{1},
                                            std::uint64_t{2}, std::string(), std::string("ann")})
            .ok());
    ASSERT_TRUE(rows->Rewind(RecordTable::kTokens).ok());
    EXPECT_EQ(rows->Next().value().size(), 1U);
    EXPECT_FALSE(backend::OpenPostgresStore(place.url, "a control").ok());
    EXPECT_FALSE(backend::OpenPostgresRows(place.url, RowsInPostgres::NewName(), nullptr).ok());
    EXPECT_EQ(rows->Next().value().size(), 0U);  // neither of them ended this session
  }
  const auto rows = place.AsRows();
  ASSERT_TRUE(rows->Rewind(RecordTable::kTokens).ok());
  EXPECT_TRUE(rows->Next().value().empty());
}

}  // namespace
}  // namespace holdfast::testing
