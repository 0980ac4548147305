// SqliteFile: the rows of a table of an SQLite database, from the bytes of its file and of its write-ahead log.
// No lock is taken and nothing is written, so whoever uses the database never notices (decisions/0067).
//
//   SqliteFile::Read(machine, path) -> SqliteRows(file, "urls") -> Next()*, Get("url")
//
// Columns are named in lower case.
//
// What the log holds is seen as far as it was committed. A database that changes while its two files are read
// can give pages that do not belong together: values may then be missing or old, never worse.
//
// Limits:    kMaxSqliteBytes of each file, kMaxValueBytes of a row, tables with a rowid only.
// Ownership: SqliteFile owns the bytes; SqliteRows borrows it.
// Threading: thread-compatible.
// Errors:    a table or column that is not there has no rows or is NULL; no input aborts.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/tables/machine.h"
#include "agent/tables/table.h"

namespace holdfast::agent {

inline constexpr std::size_t kMaxSqliteBytes = std::size_t{128} << 20;

class SqliteFile {
 public:
  SqliteFile(std::string file, std::string log);
  // The database at `path`, with its log beside it; empty when it cannot be read.
  static SqliteFile Read(Machine& machine, const std::string& path);

 private:
  friend class SqliteRows;
  void ReadLog();
  std::string_view Page(std::uint32_t number) const;  // 1 is the first; empty if there is none

  std::string file_;
  std::string log_;
  std::uint32_t page_bytes_ = 0;    // 0: no database
  std::uint32_t usable_bytes_ = 0;  // of a page
  std::uint32_t pages_ = 0;
  std::map<std::uint32_t, std::size_t> logged_;  // page: where it begins in log_
};

class SqliteRows {
 public:
  SqliteRows(const SqliteFile& file, std::string_view table);
  bool Next();
  SqlValue Get(std::string_view column) const;
  std::string GetText(std::string_view column) const;      // "" for NULL and numbers
  std::int64_t GetInteger(std::string_view column) const;  // 0 for NULL and text

 private:
  static constexpr std::size_t kMaxDepth = 32;
  static constexpr std::size_t kMaxValueBytes = std::size_t{16} << 20;

  struct Level {
    std::string_view page;
    std::size_t header = 0;  // where it begins: 100 on page 1
    std::size_t next = 0;    // cell
  };
  SqliteRows(const SqliteFile& file, std::uint32_t root);  // of the schema
  void Enter(std::uint32_t number);
  bool TakeLeaf(std::string_view cell);
  std::optional<std::string> Payload(std::string_view local, std::size_t size) const;
  bool Decode(std::string_view record);

  const SqliteFile& file_;
  std::vector<std::string> columns_;
  std::vector<Level> levels_;
  std::uint64_t entered_ = 0;  // pages, so that a ring of them ends
  std::int64_t rowid_ = 0;
  std::string key_column_;  // INTEGER PRIMARY KEY: another name of the rowid
  std::vector<SqlValue> values_;
};

}  // namespace holdfast::agent
