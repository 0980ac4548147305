// RecordRows: all of a record, table by table and row by row, as its database has it: to move it into another one.
//
// Store gives rows a meaning and has no way to name them all; here a row is its cells, in the order of store_columns.h,
// and comes out as it lies there. Tables of both databases have the same columns, so what one gives the other takes.
//
//   Rewind --> Next ... (empty)        [RecordRows]        Insert ... --> Commit
//
// Ordering:  commands in the order in which they were inserted, which Insert() keeps; everything else by its key.
// Limits:    kRowsAtOnce rows a Next().
// Ownership: owns the database, which nobody else has open meanwhile; rows are copied in and out.
// Threading: as its owner's; not a loop's: calls take as long as they take.
// Errors:    kUnavailable, kCorrupt, kExists as Store; kCancelled: the caller's `stop` said so. After one nothing
//            that was inserted and not committed counts.
// Design:    docs/decisions/0151-a-record-is-moved-whole.md
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/result.h"

namespace holdfast::backend {

enum class RecordTable : std::uint8_t {
  kAgents,
  kCommands,
  kDeliveries,
  kOutputs,
  kTokens,
  kAudit
};
// In an order in which a reader of half of it would miss least.
inline constexpr std::array kRecordTables{RecordTable::kAgents,     RecordTable::kCommands,
                                          RecordTable::kDeliveries, RecordTable::kOutputs,
                                          RecordTable::kTokens,     RecordTable::kAudit};
std::string_view ToString(RecordTable table);

using RecordCell = std::variant<std::uint64_t, std::string>;
using RecordRow = std::vector<RecordCell>;

// For Read...() of store_columns.h. What is no number, or of another size, is zero.
class RecordRowView {
 public:
  explicit RecordRowView(const RecordRow& row) : row_(row) {}
  std::uint64_t Number(int column) const;
  std::string Bytes(int column) const;
  template <typename Fixed>
  Fixed FixedAt(int column) const {
    return Fixed::From(Bytes(column)).value_or(Fixed{});
  }

 private:
  const RecordRow& row_;
};

class RecordRows {
 public:
  // An output's piece is the largest row, 64 KiB: some 16 MiB.
  static constexpr std::size_t kRowsAtOnce = 256;

  virtual ~RecordRows() = default;
  virtual Status Rewind(RecordTable table) = 0;
  virtual Result<std::vector<RecordRow>> Next() = 0;
  virtual Status Insert(RecordTable table, const RecordRow& row) = 0;
  virtual Status Commit() = 0;
};

// What a database of SQL calls a table, for the statements that every one of them understands.
struct RecordSql {
  const char* table;
  const char* columns;             // in the order of a row
  std::array<const char*, 3> key;  // by what rows are ordered; null: no more
  RecordRow before;                // a key that comes before all others
  std::string Page(
      char mark) const;  // key columns first; parameters: the last key, and how many rows
  std::string Insert(char mark) const;  // `mark`: what stands before a parameter's number
  std::size_t keys() const { return before.size(); }
};
// `ordinal`: the column that counts commands as they come; `offset`: that of a piece in its output.
std::vector<RecordSql> RecordSqls(const char* ordinal, const char* offset,
                                  const char* output_columns);

}  // namespace holdfast::backend
