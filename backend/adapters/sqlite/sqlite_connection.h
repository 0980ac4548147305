// SqliteConnection: the one connection to the ledger's file, and its transaction.
//
// The first Write() of a turn begins a transaction. After a failed write the turn is broken: Commit()
// says so until Rollback().
//
// Ownership: owns the sqlite3 handle; statements must be gone before it.
// Threading: loop thread only.
// Errors:    as Store says.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include <sqlite3.h>

#include "backend/adapters/sqlite/sqlite_statement.h"
#include "common/base/result.h"

namespace holdfast::backend {

class SqliteConnection {
 public:
  static Result<SqliteConnection> Open(const std::string& path, std::function<void()> on_progress);
  SqliteConnection(SqliteConnection&& other) noexcept;
  SqliteConnection& operator=(SqliteConnection&&) = delete;
  ~SqliteConnection();

  Status Migrate(std::span<const char* const> steps);
  sqlite3* get() { return db_; }

  Status Write(SqliteStatement& bound);
  Status Commit();
  void Rollback();

 private:
  SqliteConnection(sqlite3* db, std::function<void()> on_progress);
  Status Exec(const char* sql);
  Status Begin();

  sqlite3* db_;
  std::unique_ptr<std::function<void()>> on_progress_;  // where SQLite finds it
  bool in_turn_ = false;
  std::optional<Error> broken_;  // the first write of this turn that failed
};

}  // namespace holdfast::backend
