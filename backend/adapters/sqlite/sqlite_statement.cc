#include "backend/adapters/sqlite/sqlite_statement.h"

namespace holdfast::backend {

Error SqliteError(sqlite3* db, int code) {
  const std::string text =
      std::string("store: ") + (db != nullptr ? sqlite3_errmsg(db) : "no memory");
  switch (code & 0xff) {  // the primary code of an extended one
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_NOMEM: return {Code::kUnavailable, text};
    case SQLITE_CONSTRAINT: return {Code::kExists, text};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return {Code::kCorrupt, text};
    default: return {Code::kInternal, text};
  }
}

SqliteStatement::~SqliteStatement() { sqlite3_finalize(statement_); }

Result<SqliteStatement> SqliteStatement::Prepare(sqlite3* db, const char* sql) {
  SqliteStatement out;
  const int code =
      sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &out.statement_, nullptr);
  if (code != SQLITE_OK) return SqliteError(db, code);
  return out;
}

Result<bool> SqliteStatement::Step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  Error error = SqliteError(sqlite3_db_handle(statement_), code);
  Reset();
  return error;
}

Status SqliteStatement::Run() {
  for (;;) {
    HF_ASSIGN_OR_RETURN(const bool row, Step());
    if (!row) break;
  }
  Reset();
  return Ok();
}

void SqliteStatement::Reset() {
  (void)sqlite3_reset(statement_);
}  // repeats an error that was told

void SqliteStatement::BindOne(int at, std::uint64_t value) {
  HF_CHECK(sqlite3_bind_int64(statement_, at, static_cast<sqlite3_int64>(value)) == SQLITE_OK);
}

void SqliteStatement::BindOne(int at, std::string_view bytes) {
  // A null pointer would bind NULL.
  const char* data = bytes.empty() ? "" : bytes.data();
  HF_CHECK(sqlite3_bind_blob64(statement_, at, data, bytes.size(), SQLITE_STATIC) == SQLITE_OK);
}

SqliteStatement& SqliteStatement::BindRow(const RecordRow& cells) {
  Reset();
  int at = 0;
  for (const RecordCell& cell : cells) {
    std::visit([this, &at](const auto& value) { BindOne(++at, value); }, cell);
  }
  return *this;
}

RecordRow SqliteStatement::Row() const {
  const int columns = sqlite3_column_count(statement_);
  RecordRow out;
  out.reserve(static_cast<std::size_t>(columns));
  for (int column = 0; column < columns; ++column) {
    if (sqlite3_column_type(statement_, column) == SQLITE_INTEGER) {
      out.emplace_back(Number(column));
    } else {
      out.emplace_back(Bytes(column));
    }
  }
  return out;
}

std::uint64_t SqliteStatement::Number(int column) const {
  return static_cast<std::uint64_t>(sqlite3_column_int64(statement_, column));
}

std::string SqliteStatement::Bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  if (data == nullptr || size <= 0) return {};
  return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

}  // namespace holdfast::backend
