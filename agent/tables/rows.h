// TableRows: rows written one column after another, and given out in that order: a RowSource by itself, where RowList
// (row_list.h) only collects.
//
//   rows.Begin().Text("eth0").Int(1500);   // further columns stay NULL
//
// For tables whose rows are made at once: `.open = OpenFilled<kColumns, Fill>`.
//
// Limits:    all rows are in memory: for what one or a few files, or one process, give.
// Threading: thread-compatible.
// Errors:    writing beyond the last column is a mistake of the table and ends the process.
#pragma once

#include <iterator>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "agent/tables/table.h"

namespace holdfast::agent {

class TableRows : public RowSource {
 public:
  explicit TableRows(std::size_t columns) : columns_(columns) {}
  TableRows& Begin();
  TableRows& Text(std::string_view text);
  TableRows& TextOrNull(std::string_view text);  // NULL for ""
  template <typename Number>
  TableRows& Int(Number number) {
    return Put(static_cast<std::int64_t>(number));
  }
  TableRows& IntOrNull(const std::optional<std::int64_t>& number);
  TableRows& Skip();  // NULL
  bool Next(Row& row) override;

 private:
  TableRows& Put(std::int64_t number);
  SqlValue& At();

  std::size_t columns_;
  std::size_t column_ = 0;  // that is written next
  std::vector<Row> rows_;
  std::size_t next_ = 0;
};

using Fill = void (*)(const Request& request, Machine& machine, TableRows& rows);
std::unique_ptr<RowSource> FilledRows(std::size_t columns, Fill fill, const Request& request,
                                      Machine& machine);

template <const auto& kTableColumns, Fill kFill>
Result<std::unique_ptr<RowSource>> OpenFilled(const Request& request, Machine& machine) {
  return FilledRows(std::size(kTableColumns), kFill, request, machine);
}

}  // namespace holdfast::agent
