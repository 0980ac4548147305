#include "agent/adapters/query/query_engine.h"

#include <chrono>
#include <utility>

#include <sqlite3.h>

#include "agent/adapters/query/query_authorizer.h"
#include "agent/adapters/query/sql_functions.h"
#include "agent/adapters/query/sql_message.h"
#include "agent/adapters/query/virtual_table.h"
#include "agent/adapters/query/watched_machine.h"

namespace holdfast::agent {
namespace {

using Clock = std::chrono::steady_clock;

struct CloseStatement {
  void operator()(sqlite3_stmt* statement) const { (void)sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, CloseStatement>;

constexpr int kStepsBetweenLooks =
    4096;  // of SQLite's machine, some 50 us: how late a limit is seen
// A value or a row; what printf, zeroblob or group_concat may build.
constexpr int kMaxValueBytes = 64 << 20;

QueryValue ValueAt(sqlite3_stmt* statement, int column) {
  QueryValue value;
  const auto bytes = [&](const void* data) {
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
    return std::string_view(data == nullptr ? "" : static_cast<const char*>(data), size);
  };
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
      value.kind = QueryValue::Kind::kInteger;
      value.integer = sqlite3_column_int64(statement, column);
      break;
    case SQLITE_FLOAT:
      value.kind = QueryValue::Kind::kReal;
      value.real = sqlite3_column_double(statement, column);
      break;
    case SQLITE_TEXT:
      value.kind = QueryValue::Kind::kText;
      value.bytes = bytes(sqlite3_column_text(statement, column));
      break;
    case SQLITE_BLOB:
      value.kind = QueryValue::Kind::kBlob;
      value.bytes = bytes(sqlite3_column_blob(statement, column));
      break;
    default: break;
  }
  return value;
}

// Only the five types of the wire; an expression has none.
std::string_view KnownType(const char* declared) {
  const std::string_view type = declared == nullptr ? "" : declared;
  for (const ColumnType known : {ColumnType::kText, ColumnType::kInteger, ColumnType::kBigint,
                                 ColumnType::kDouble, ColumnType::kBlob}) {
    if (type == ToString(known)) return ToString(known);
  }
  return {};
}

}  // namespace

struct QueryEngine::State {
  explicit State(Machine& of) : machine(of) {}
  ~State() { (void)sqlite3_close(db); }

  static int OnProgress(void* self) {
    auto& state = *static_cast<State*>(self);
    state.out_of_time = state.machine.IsOver();
    return state.out_of_time ? 1 : 0;
  }

  QueryEnd Complain(int code, std::string_view sql) const {
    // A table that ran out of time looks as if it had ended; VirtualTable says which it was.
    if (code == SQLITE_INTERRUPT && (out_of_time || machine.IsOver())) {
      return {QueryStop::kWallLimit,
              "the query took longer than " + std::to_string(options.wall_ms) + " ms"};
    }
    if (code == SQLITE_NOMEM) {
      return {QueryStop::kMemoryLimit, "the query needs more than " +
                                           std::to_string(options.heap_bytes) + " bytes of memory"};
    }
    if (code == SQLITE_AUTH) {
      const std::string what = sqlite3_errmsg(db);
      return {QueryStop::kBadSql, what == "not authorized"
                                      ? "not authorized: a query only reads, with one SELECT"
                                      : what};
    }
    int offset = -1;
#if SQLITE_VERSION_NUMBER >= 3038000
    offset = sqlite3_error_offset(db);
#endif
    return {QueryStop::kBadSql, SqlMessage(sqlite3_errmsg(db), sql, offset, rights.tables)};
  }

  QueryEnd Prepare(std::string_view sql, Statement& out);
  QueryEnd Step(sqlite3_stmt* statement, std::string_view sql, QuerySink& sink);

  QueryOptions options;
  QueryRights rights;
  WatchedMachine machine;
  bool out_of_time = false;
  sqlite3* db = nullptr;
};

QueryEngine::QueryEngine(Machine& machine, std::span<const Table* const> tables,
                         QueryOptions options)
    : state_(std::make_unique<State>(machine)) {
  state_->options = options;
  state_->rights = {.tables = tables};
  constexpr int kFlags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
  if (sqlite3_open_v2(":memory:", &state_->db, kFlags, nullptr) != SQLITE_OK) return;
  sqlite3* db = state_->db;
  (void)sqlite3_hard_heap_limit64(static_cast<sqlite3_int64>(options.heap_bytes));
  (void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, kMaxValueBytes);
  (void)sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
  (void)sqlite3_limit(db, SQLITE_LIMIT_WORKER_THREADS, 0);
  (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, nullptr);
  (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  (void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  for (const Table* table : tables) (void)RegisterTable(db, *table, state_->machine);
  RegisterFunctions(db);
  (void)sqlite3_exec(db, "PRAGMA temp_store = MEMORY", nullptr, nullptr, nullptr);
  (void)sqlite3_set_authorizer(db, AuthorizeQuery, &state_->rights);
  sqlite3_progress_handler(db, kStepsBetweenLooks, State::OnProgress, state_.get());
}

QueryEngine::~QueryEngine() = default;

QueryEnd QueryEngine::State::Prepare(std::string_view sql, Statement& out) {
  sqlite3_stmt* statement = nullptr;
  const char* tail = nullptr;
  const int size = static_cast<int>(sql.size());
  if (const int code = sqlite3_prepare_v2(db, sql.data(), size, &statement, &tail);
      code != SQLITE_OK) {
    return Complain(code, sql);
  }
  out.reset(statement);
  if (statement == nullptr) return {QueryStop::kBadSql, "there is no statement in the query"};
  const auto used = static_cast<std::size_t>(tail - sql.data());
  // What follows may be blank or a comment, which prepare to nothing.
  sqlite3_stmt* second = nullptr;
  const int rest = sqlite3_prepare_v2(db, tail, size - static_cast<int>(used), &second, nullptr);
  const Statement owned(second);
  if (rest != SQLITE_OK || second != nullptr) {
    const std::size_t at = sql.find_first_not_of(" \t\r\n;", used);
    return {QueryStop::kBadSql, "more than one statement (at character " +
                                    std::to_string(CharacterAt(sql, std::min(at, sql.size()))) +
                                    "); a query is exactly one"};
  }
  if (sqlite3_stmt_readonly(statement) == 0 || sqlite3_column_count(statement) == 0) {
    return {QueryStop::kBadSql, "not authorized: a query only reads, with one SELECT"};
  }
  return {};
}

QueryEnd QueryEngine::State::Step(sqlite3_stmt* statement, std::string_view sql, QuerySink& sink) {
  const int count = sqlite3_column_count(statement);
  std::vector<QueryColumn> columns;
  for (int i = 0; i < count; ++i) {
    const char* name = sqlite3_column_name(statement, i);
    columns.push_back({.name = name == nullptr ? "" : name,
                       .type = KnownType(sqlite3_column_decltype(statement, i))});
  }
  sink.OnColumns(std::move(columns));
  std::vector<QueryValue> values(static_cast<std::size_t>(count));
  while (true) {
    const int code = sqlite3_step(statement);
    if (code == SQLITE_DONE) return {};
    if (code != SQLITE_ROW) return Complain(code, sql);
    for (int i = 0; i < count; ++i) values[static_cast<std::size_t>(i)] = ValueAt(statement, i);
    if (!sink.OnRow(values)) return {QueryStop::kSinkFull, ""};
  }
}

QueryEnd QueryEngine::Run(std::string_view sql, QuerySink& sink) {
  State& state = *state_;
  if (state.db == nullptr) return {QueryStop::kMemoryLimit, "no memory for a database"};
  if (sql.size() > state.options.max_sql_bytes) {
    return {QueryStop::kBadSql, "a query is at most " +
                                    std::to_string(state.options.max_sql_bytes) +
                                    " bytes, this one has " + std::to_string(sql.size())};
  }
  state.out_of_time = false;
  state.machine.Begin(Clock::now() + std::chrono::milliseconds(state.options.wall_ms));
  Statement statement;
  QueryEnd end = state.Prepare(sql, statement);
  if (end.stop != QueryStop::kDone) return end;
  end = state.Step(statement.get(), sql, sink);
  end.note = state.machine.Report();
  return end;
}

}  // namespace holdfast::agent
