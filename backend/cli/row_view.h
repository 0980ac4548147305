// RowView: what people look for in the rows of ls, stat, hash, ps and kill, in words: "drwxr-xr-x", a time.
//
// The other formats keep every column as it came.
//
// Threading: a value.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backend/cli/record_printer.h"
#include "holdfast/command/v1/command.pb.h"

namespace holdfast::cli {

class RowView {
 public:
  // nullopt: rows of this verb, or with these columns, are shown as they are.
  static std::optional<RowView> For(const ::holdfast::command::v1::Command& command,
                                    const std::vector<std::string>& names);
  const std::vector<RecordColumn>& columns() const { return columns_; }
  // `row` has the values of the names that For() was given.
  std::vector<Cell> Cells(const std::vector<Cell>& row) const;

 private:
  using Render = Cell (*)(const std::vector<Cell>& values);
  struct Part {
    Render render;
    std::vector<std::size_t> from;  // places of its values in a row
  };
  std::vector<RecordColumn> columns_;
  std::vector<Part> parts_;
};

// Of a query: free text may wrap; names and hashes stay, other columns may be left out, last first.
RecordColumn QueryColumn(const std::string& name, std::size_t place);

}  // namespace holdfast::cli
