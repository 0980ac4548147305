// SqliteDb, SqliteStatement: one SQLite connection, set up to be small and to keep its word.
//
// WAL with synchronous=FULL: a commit that returned is on stable storage. One connection and no
// other (the WAL-reset bug of SQLite up to 3.51.2 needs two).
//
// Limits:    kCacheKib of pages; the WAL is folded back every kCheckpointPages and cut to
// kWalBytes. Threading: loop thread only. Errors:    kCorrupt: SQLite says that the file is damaged
// or no database. kExhausted: the disk is full.
//            kUnavailable: anything else; after it the connection must be closed and opened anew.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <sqlite3.h>

#include "common/base/result.h"

namespace holdfast::agent {

class SqliteDb {
 public:
  enum class Mode : std::uint8_t { kReadWrite, kReadOnly };
  static constexpr int kCacheKib = 96;
  static constexpr int kCheckpointPages = 256;   // 1 MiB of WAL
  static constexpr int kWalBytes = 1024 * 1024;  // kept after a checkpoint

  static Result<std::unique_ptr<SqliteDb>> Open(const std::string& path, Mode mode);
  ~SqliteDb();
  SqliteDb(const SqliteDb&) = delete;
  SqliteDb& operator=(const SqliteDb&) = delete;

  Status Execute(const char* sql);
  // All of the file's structure, indexes included: kCorrupt with SQLite's words.
  Status CheckIntegrity();
  // All that is committed into the database file, and that to the disk. Waits up to a second for readers.
  Status Checkpoint();
  // kCorrupt: the file's head, of which nobody keeps a sum, is not one that we write. Right after a Checkpoint()
  // only: before that it may be in the log, or nowhere else.
  Status CheckHead();
  Error LastError(const char* doing) const;
  sqlite3* handle() const { return db_; }
  // The database's own, opened since the first read; nullptr: it cannot be had.
  sqlite3_file* file() const;

 private:
  explicit SqliteDb(sqlite3* db) : db_(db) {}
  sqlite3* db_;
};

// A prepared statement. Bind in order from 1; Step() says whether there is a row; Reset() makes it
// ready.
class SqliteStatement {
 public:
  static Result<SqliteStatement> Prepare(SqliteDb& db, const char* sql);
  SqliteStatement(SqliteStatement&& other) noexcept;
  SqliteStatement& operator=(SqliteStatement&&) = delete;
  ~SqliteStatement();

  SqliteStatement& Bind(std::uint64_t value);
  SqliteStatement& Bind(std::string_view bytes);  // must live until Step() returns
  Result<bool> Step();
  Status Run();  // Step() that must not give a row, then Reset()
  void Reset();

  std::uint64_t Number(int column) const;
  std::string_view Bytes(int column) const;  // valid until the next Step() or Reset()

 private:
  SqliteStatement(SqliteDb& db, sqlite3_stmt* statement) : db_(db), statement_(statement) {}
  SqliteDb& db_;
  sqlite3_stmt* statement_;
  int bound_ = 0;
};

}  // namespace holdfast::agent
