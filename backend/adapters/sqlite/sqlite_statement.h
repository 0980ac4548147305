// SqliteStatement: one prepared statement: bind in order, step, read columns in order.
//
//   Bind(a, b, c) --> Step() --> Column...()
//
// Ownership: owns the sqlite3_stmt; borrows the connection.
// Threading: loop thread only.
// Errors:    kUnavailable (full, I/O, busy), kExists (a key is taken), kCorrupt, kInternal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <sqlite3.h>

#include "backend/core/record_rows.h"
#include "common/base/bytes.h"
#include "common/base/result.h"

namespace holdfast::backend {

Error SqliteError(sqlite3* db, int code);

class SqliteStatement {
 public:
  SqliteStatement() = default;
  SqliteStatement(SqliteStatement&& other) noexcept
      : statement_(std::exchange(other.statement_, nullptr)) {}
  SqliteStatement& operator=(SqliteStatement&& other) noexcept {
    std::swap(statement_, other.statement_);
    return *this;
  }
  ~SqliteStatement();
  static Result<SqliteStatement> Prepare(sqlite3* db, const char* sql);

  // Starts over: resets, then binds every value, first to ?1. Bytes must live until Reset().
  template <typename... Values>
  SqliteStatement& Bind(const Values&... values) {
    Reset();
    int at = 0;
    (BindOne(++at, values), ...);
    return *this;
  }
  SqliteStatement& BindRow(const RecordRow& cells);
  Result<bool> Step();  // true: a row is there
  Status Run();         // steps to the end, then resets
  void Reset();

  std::uint64_t Number(int column) const;
  std::string Bytes(int column) const;
  RecordRow Row() const;  // all columns: numbers as such, everything else as bytes
  // The wrong size gives zeros: rows are written by us, and a damaged one fails its own checks.
  template <typename Fixed>
  Fixed FixedAt(int column) const {
    return Fixed::From(Bytes(column)).value_or(Fixed{});
  }

 private:
  void BindOne(int at, std::uint64_t value);
  void BindOne(int at, std::uint32_t value) { BindOne(at, std::uint64_t{value}); }
  void BindOne(int at, bool value) { BindOne(at, std::uint64_t{value}); }
  void BindOne(int at, std::string_view bytes);
  void BindOne(int at, const std::string& bytes) { BindOne(at, std::string_view(bytes)); }
  template <typename Tag, std::size_t N>
  void BindOne(int at, const FixedBytes<Tag, N>& bytes) {
    BindOne(at, bytes.view());
  }

  sqlite3_stmt* statement_ = nullptr;
};

}  // namespace holdfast::backend
