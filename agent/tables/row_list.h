// RowList: rows written column by column, in the order of the declaration. Columns that are not written
// stay NULL.
//
// Limits:    kMaxRows: what is written beyond is left out, so that a file of a hostile user costs some 100 MB
//            and not the query.
// Ownership: owns its rows.
// Threading: thread-compatible.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/tables/table.h"

namespace holdfast::agent {

class RowList {
 public:
  static constexpr std::size_t kMaxRows = 200'000;

  RowList& Begin();  // a new row; what follows is written to it
  RowList& Text(std::string_view text);
  RowList& TextOrNull(std::string_view text);  // "" is NULL
  RowList& Integer(std::int64_t number);
  RowList& Null();
  RowList& Value(SqlValue value);

  bool empty() const { return rows_.empty(); }
  std::size_t size() const { return rows_.size(); }
  void Clear() {
    rows_.clear();
    full_ = false;
  }
  Row Take(std::size_t index) { return std::move(rows_[index]); }

 private:
  std::vector<Row> rows_;
  bool full_ = false;
};

}  // namespace holdfast::agent
