// The Store suite on PostgreSQL; and what only a server elsewhere can get wrong.
#include "backend/adapters/libpq/postgres_store.h"

#include <memory>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <libpq-fe.h>

#include "tests/conformance/backend/store_suite.h"
#include "tests/support/postgres_server.h"

namespace holdfast::testing {
namespace {

PostgresServer& Server() {
  static PostgresServer server;
  return server;
}

// What somebody else says to the server. Returns the first cell.
std::string Say(const std::string& sql, const std::string& url = Server().url()) {
  PGconn* const connection = PQconnectdb(url.c_str());
  PGresult* const result = PQexec(connection, sql.c_str());
  EXPECT_EQ(std::string(PQresultErrorMessage(result)), "") << PQerrorMessage(connection);
  std::string out = PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "";
  PQclear(result);
  PQfinish(connection);
  return out;
}

// A record of its own.
struct OnPostgres {
  OnPostgres() { Open(); }
  static std::string NewSchema() {
    static int last = 0;
    std::string name = "s" + std::to_string(++last);
    (void)Say("CREATE SCHEMA " + name);
    return name;
  }
  void Open() {
    static int process = 0;
    auto opened = backend::OpenPostgresStore(url, "control-" + std::to_string(++process));
    EXPECT_TRUE(opened.ok()) << opened.error().message;
    open = std::move(opened).value();
  }
  backend::Store& store() { return *open; }
  void Crash() {
    open.reset();
    Open();
  }
  // Until the server is there again, as the loop would: call by call.
  bool ComesBack() {
    for (int i = 0; i < 500; ++i) {
      if (open->LastAudit().ok()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
  }

  const std::string schema = NewSchema();
  const std::string url = Server().url(schema);
  std::unique_ptr<backend::PostgresRecord> open;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Postgres, StoreSuite, OnPostgres);

backend::CommandRow Command(char fill) {
  backend::CommandRow row;
  row.digest = *Digest::From(std::string(32, fill));
  row.command_id = *CommandId::From(std::string(16, fill));
  row.targets = 1;
  return row;
}

TEST(PostgresStoreTest, RefusesARecordThatAnotherControlHasOpen) {
  OnPostgres first;
  const auto second = backend::OpenPostgresStore(first.url, "another");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Code::kExists);
  EXPECT_NE(second.error().message.find("another control"), std::string::npos);
  EXPECT_FALSE(backend::CheckPostgres(first.url, true).ok());
  EXPECT_TRUE(backend::CheckPostgres(first.url, false).ok());
  first.open.reset();
  EXPECT_TRUE(backend::OpenPostgresStore(first.url, "another").ok());
}

TEST(PostgresStoreTest, RefusesANewerSchema) {
  OnPostgres record;
  record.open.reset();
  (void)Say("UPDATE holdfast_schema SET version = 99", record.url);
  const auto opened = backend::OpenPostgresStore(record.url, "older");
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::kUnsupported);
  EXPECT_NE(opened.error().message.find("newer holdfastd"), std::string::npos);
}

TEST(PostgresStoreTest, GoesOnByItselfAfterTheServerCrashed) {
  OnPostgres record;
  ASSERT_TRUE(record.store().InsertCommand(Command('a')).ok());
  ASSERT_TRUE(record.store().Commit().ok());
  ASSERT_TRUE(record.store().InsertCommand(Command('b')).ok());
  Server().Stop();
  const Status away = record.store().Commit();
  ASSERT_FALSE(away.ok());
  EXPECT_EQ(away.error().code, Code::kUnavailable);
  record.store().Rollback();
  EXPECT_FALSE(record.store().InsertCommand(Command('c')).ok());
  EXPECT_FALSE(record.store().Commit().ok());
  record.store().Rollback();
  Server().Start();
  ASSERT_TRUE(record.ComesBack());
  EXPECT_FALSE(record.open->must_reload());
  EXPECT_TRUE(record.store().FindCommand(Command('a').digest).value());
  EXPECT_FALSE(record.store().FindCommand(Command('b').digest).value());
  ASSERT_TRUE(record.store().InsertCommand(Command('b')).ok());
  EXPECT_TRUE(record.store().Commit().ok());
}

TEST(PostgresStoreTest, FailsATurnWhoseSessionEndedHalfway) {
  OnPostgres record;
  ASSERT_TRUE(record.store().InsertCommand(Command('a')).ok());
  ASSERT_TRUE(record.store().FindCommand(Command('a').digest).value());  // in the transaction
  (void)Say(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE "
      "'control-%'");
  // Of a new session this would be all of the turn.
  (void)record.store().InsertCommand(Command('b'));
  EXPECT_FALSE(record.store().Commit().ok());
  record.store().Rollback();
  ASSERT_TRUE(record.ComesBack());
  EXPECT_FALSE(record.store().FindCommand(Command('a').digest).value());
  EXPECT_FALSE(record.store().FindCommand(Command('b').digest).value());
}

// A control whose session is still there, but whose lock is not what it believes.
TEST(PostgresStoreTest, WritesNothingAfterAnotherControlTookOver) {
  OnPostgres old;
  ASSERT_TRUE(old.store().InsertCommand(Command('a')).ok());
  ASSERT_TRUE(old.store().Commit().ok());
  (void)Say("UPDATE holdfast_owner SET epoch = epoch + 1", old.url);
  (void)old.store().InsertCommand(Command('b'));
  const Status fenced = old.store().Commit();
  ASSERT_FALSE(fenced.ok());
  EXPECT_EQ(fenced.error().code, Code::kUnavailable);
  ASSERT_TRUE(old.open->must_reload());
  EXPECT_EQ(Say("SELECT count(*) FROM commands", old.url), "1");
  EXPECT_FALSE(old.store().FindCommand(Command('a').digest).ok());
}

TEST(PostgresStoreTest, DoesNotComeBackToARecordThatAnotherControlHadMeanwhile) {
  OnPostgres old;
  (void)Say(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE "
      "'control-%'");
  {
    const auto other = backend::OpenPostgresStore(old.url, "other");
    ASSERT_TRUE(other.ok());
  }
  old.open->Keep();
  for (int i = 0; i < 100 && !old.open->must_reload(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    old.open->Keep();
  }
  EXPECT_TRUE(old.open->must_reload());
}

TEST(PostgresStoreTest, GivesUpARecordThatAnotherControlKeeps) {
  OnPostgres old;
  (void)Say(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE "
      "'control-%'");
  const auto other = backend::OpenPostgresStore(old.url, "other");
  ASSERT_TRUE(other.ok());
  for (int i = 0; i < 500 && !old.open->must_reload(); ++i) {
    (void)old.store().InsertCommand(Command('a'));
    const Status away = old.store().Commit();
    ASSERT_FALSE(away.ok());
    EXPECT_EQ(away.error().code, Code::kUnavailable);  // kExists would be a row's
    old.store().Rollback();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  ASSERT_TRUE(old.open->must_reload());
  EXPECT_NE(old.open->must_reload()->message.find("another control"), std::string::npos);
  EXPECT_TRUE(other.value()->LastAudit().ok());
}

// The answer to a commit may be lost although it took effect: the core believes that it did not.
TEST(PostgresStoreTest, AsksToBeLoadedAnewWhenALostCommitTookEffect) {
  OnPostgres record;
  // What such a commit leaves: a turn more than we know of, and a session that is gone.
  (void)Say("UPDATE holdfast_owner SET turn = turn + 1", record.url);
  (void)Say(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE "
      "'control-%'");
  for (int i = 0; i < 100 && !record.open->must_reload(); ++i) {
    record.open->Keep();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  ASSERT_TRUE(record.open->must_reload());
  record.Crash();
  EXPECT_FALSE(record.open->must_reload());
  ASSERT_TRUE(record.store().InsertCommand(Command('a')).ok());
  EXPECT_TRUE(record.store().Commit().ok());
}

TEST(PostgresStoreTest, SaysThatStoredRowsMakeNoSense) {
  OnPostgres record;
  ASSERT_TRUE(record.store().InsertCommand(Command('a')).ok());
  ASSERT_TRUE(record.store().Commit().ok());
  (void)Say("UPDATE commands SET command_id = 'short'", record.url);
  const auto found = record.store().FindCommand(Command('a').digest);
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code, Code::kCorrupt);
}

// More than socket buffers hold, in both directions, before anything is collected.
TEST(PostgresStoreTest, TakesALargeTurnInOneFlight) {
  OnPostgres record;
  ASSERT_TRUE(record.store().InsertCommand(Command('a')).ok());
  backend::DeliveryRow row;
  row.digest = Command('a').digest;
  row.result_envelope = std::string(500, 'r');
  constexpr int kRows = 20'000;
  for (int i = 0; i < kRows; ++i) {
    const std::string id = std::to_string(i);
    row.agent_id = *AgentId::From(std::string(16 - id.size(), '-') + id);
    ASSERT_TRUE(record.store().PutDelivery(row).ok());
  }
  ASSERT_TRUE(record.store().Commit().ok());
  record.Crash();
  EXPECT_EQ(record.store().LoadOpenDeliveries().value().size(), std::size_t{kRows});
}

TEST(PostgresStoreTest, SaysWhatIsWrongWithAUrlThatLeadsNowhere) {
  const auto opened = backend::OpenPostgresStore("postgresql://holdfast@/x?host=/nonexistent", "c");
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::kUnavailable);
  EXPECT_NE(opened.error().message.find("/nonexistent"), std::string::npos);
  EXPECT_FALSE(backend::CheckPostgres(Server().url("no_such_schema"), false).ok());
}

}  // namespace
}  // namespace holdfast::testing
