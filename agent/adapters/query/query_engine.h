// QueryEngine: one SQL statement over the declared tables, read-only, on SQLite in memory.
//
// Tables are SQLite virtual tables without storage: a table costs nothing until a query names it, and
// its rows are made as SQLite asks for them. What the statement may do is decided by an authorizer:
// SELECT over our tables and SQLite's harmless functions, and nothing else.
//
//   Run(sql, sink): sink.Columns() once, sink.OnRow()* until it returns false
//
// Limits:    Options; a statement above max_sql_bytes is refused before SQLite sees it.
// Ownership: borrows the Machine.
// Threading: thread-compatible; one query at a time.
// Errors:    QueryEnd says why it ended; the message names the thing and the position.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/tables/machine.h"
#include "agent/tables/table.h"

namespace holdfast::agent {

struct QueryColumn {
  std::string name;
  std::string_view type;  // as declared; "" for an expression
};

// One value of a row; text and blob are borrowed until OnRow() returns.
struct QueryValue {
  enum class Kind : std::uint8_t { kNull, kInteger, kReal, kText, kBlob };
  Kind kind = Kind::kNull;
  std::int64_t integer = 0;
  double real = 0;
  std::string_view bytes;
};

class QuerySink {
 public:
  virtual ~QuerySink() = default;
  virtual void OnColumns(std::vector<QueryColumn> columns) = 0;
  virtual bool OnRow(std::span<const QueryValue> values) = 0;  // false: enough, end here
};

enum class QueryStop : std::uint8_t {
  kDone,
  kSinkFull,  // the sink returned false
  kBadSql,    // does not compile, is not allowed, or failed while it ran
  kWallLimit,
  kMemoryLimit,
};
struct QueryEnd {
  QueryStop stop = QueryStop::kDone;
  std::string message;    // unless kDone or kSinkFull
  std::string note = {};  // what could not be read, and what tables have to say; mostly empty
};

struct QueryOptions {
  std::uint64_t wall_ms = 60'000;
  std::uint64_t heap_bytes = std::uint64_t{256} << 20;  // of SQLite's own memory
  std::size_t max_sql_bytes = std::size_t{32} * 1024;   // QueryArgs.sql
};

class QueryEngine {
 public:
  QueryEngine(Machine& machine, std::span<const Table* const> tables, QueryOptions options);
  ~QueryEngine();
  QueryEngine(const QueryEngine&) = delete;
  QueryEngine& operator=(const QueryEngine&) = delete;
  QueryEnd Run(std::string_view sql, QuerySink& sink);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::agent
