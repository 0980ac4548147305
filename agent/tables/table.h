// Table: one declaration per table, and the rows it gives.
//
// A declaration names the columns with type, marks and meaning; code, docs/tables.md and the tests
// all come from it. To add a table: one file with a declaration and a row source, one line in
// registry.cc.
//
//   Request{columns used, constraints} --> Table::open --> RowSource --> Next(row)*
//
// Ordering:  rows come in no promised order. They may be more than asked for: whoever asked filters
//            again, so a constraint may be ignored, but never obeyed wrongly.
// Limits:    rows are pulled one at a time; a source holds at most one directory or file in memory.
// Ownership: declarations are constants; a RowSource borrows the Machine for its life.
// Threading: thread-compatible.
// Errors:    open(): kInvalid, the constraints cannot be answered (a required column is missing).
//            What vanishes or may not be read while rows are made is skipped or NULL, never an
//            Error.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "agent/tables/machine.h"
#include "common/base/result.h"

namespace holdfast::agent {

// NULL, INTEGER, DOUBLE, or TEXT of any bytes.
using SqlValue = std::variant<std::monostate, std::int64_t, double, std::string>;

enum class ColumnType : std::uint8_t { kText, kInteger, kBigint, kDouble, kBlob };
std::string_view ToString(ColumnType type);  // "TEXT", ...

// What a constraint on a column is good for, and who sees it. The same marks as osquery's.
using Marks = std::uint8_t;
inline constexpr Marks kPlain = 0;
inline constexpr Marks kRequired = 1;    // one of the required columns must be constrained
inline constexpr Marks kIndex = 2;       // names a row: an equality makes the table cheap
inline constexpr Marks kAdditional = 4;  // an equality changes or narrows what is read
inline constexpr Marks kHidden = 8;      // not in SELECT *
inline constexpr Marks kLinux = 16;      // only Linux has it
inline constexpr Marks kRange =
    32;  // <, <=, >, >= and BETWEEN narrow what is read too; osquery has none

// Words for people, which docs/tables.md is made of. The agent has no use for them: its release build leaves them out,
// a hundred times what a word more or less would cost (decisions/0088).
#ifdef HOLDFAST_WITHOUT_WORDS
struct Words {
  Words() = default;
  consteval Words(const char*) {}  // NOLINT(google-explicit-constructor): stands for a string_view
  constexpr operator std::string_view() const { return {}; }  // NOLINT(google-explicit-constructor)
  constexpr bool empty() const { return true; }
};
#else
using Words = std::string_view;
#endif

struct Column {
  std::string_view name;
  ColumnType type;
  Words description;
  Marks marks = kPlain;
};

// What a full scan costs, for the planner: it puts cheap tables outside and looks up inside.
enum class Cost : std::uint8_t {
  kFixed,      // one or a few rows out of one or a few files
  kAccounts,   // a line of one file per row
  kHomes,      // some files of each account's home
  kPackages,   // a file, or a part of one, for each of thousands of packages
  kLogs,       // log files, line by line
  kProcesses,  // some files of /proc per row
  kSockets,    // every descriptor of every process
  kDevices,    // some files of /sys or /proc/sys per row
  kFiles,      // as many rows as the path matches
  kFileBytes,  // reads whole files
  kMemory,     // reads the memory of a process
};

// kAtLeast stands for > too, kAtMost for <: a bound more or less is not worth a kind of its own.
enum class Op : std::uint8_t { kEqual, kLike, kAtLeast, kAtMost };

struct Constraint {
  std::size_t column = 0;
  Op op = Op::kEqual;
  SqlValue value;
};

// What of a table is wanted.
struct Request {
  std::vector<Constraint> constraints;             // all hold (AND)
  std::uint64_t columns_used = ~std::uint64_t{0};  // bit 63 stands for column 63 and above

  bool Uses(std::size_t column) const {
    return (columns_used >> (column < 63 ? column : 63) & 1) != 0;
  }
  // The value that `column` must equal; null when it is free.
  const SqlValue* Equal(std::size_t column) const;
  // The same as text: of a TEXT value, or a number's digits ("" for NULL). nullopt when free.
  std::optional<std::string> EqualText(std::size_t column) const;
  // The whole numbers that `column` may have, of a column with kRange; an equality counts as both bounds.
  struct Span {
    std::int64_t from = INT64_MIN;
    std::int64_t to = INT64_MAX;
  };
  Span SpanOf(std::size_t column) const;
};

using Row = std::vector<SqlValue>;

class RowSource {
 public:
  virtual ~RowSource() = default;
  // Fills `row` (one NULL per column at the call) and returns true, or false at the end.
  virtual bool Next(Row& row) = 0;
};

struct Table {
  std::string_view name;
  Words description;
  Words example;  // a query that runs
  Cost cost = Cost::kFixed;
  std::span<const Column> columns;
  Result<std::unique_ptr<RowSource>> (*open)(const Request& request, Machine& machine);
};

// Table::open of what needs the request and the machine, and cannot fail to begin.
template <typename Rows>
Result<std::unique_ptr<RowSource>> OpenRows(const Request& request, Machine& machine) {
  return std::unique_ptr<RowSource>(std::make_unique<Rows>(request, machine));
}

// Rows that were made at once: for tables of a few rows.
class ReadyRows : public RowSource {
 public:
  explicit ReadyRows(std::vector<Row> rows) : rows_(std::move(rows)) {}
  bool Next(Row& row) override {
    if (next_ == rows_.size()) return false;
    row = std::move(rows_[next_++]);
    return true;
  }

 private:
  std::vector<Row> rows_;
  std::size_t next_ = 0;
};

inline SqlValue Null() { return {}; }
inline SqlValue Text(std::string_view text) { return std::string(text); }
// Systems that do not say leave NULL, not "".
inline SqlValue TextOrNull(std::string_view text) { return text.empty() ? Null() : Text(text); }
template <typename Number>
SqlValue Integer(Number number) {
  return static_cast<std::int64_t>(number);
}
template <typename Number>
SqlValue IntegerOrNull(const std::optional<Number>& number) {
  return number ? Integer(*number) : Null();
}

}  // namespace holdfast::agent
