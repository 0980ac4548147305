#include "agent/tables/rows.h"

namespace holdfast::agent {

TableRows& TableRows::Begin() {
  rows_.emplace_back(columns_);
  column_ = 0;
  return *this;
}

SqlValue& TableRows::At() {
  HF_CHECK(!rows_.empty() && column_ < columns_);
  return rows_.back()[column_++];
}

TableRows& TableRows::Text(std::string_view text) {
  At().emplace<std::string>(text);
  return *this;
}

TableRows& TableRows::TextOrNull(std::string_view text) {
  return text.empty() ? Skip() : Text(text);
}

TableRows& TableRows::Put(std::int64_t number) {
  At() = number;
  return *this;
}

TableRows& TableRows::IntOrNull(const std::optional<std::int64_t>& number) {
  return number ? Put(*number) : Skip();
}

TableRows& TableRows::Skip() {
  (void)At();
  return *this;
}

bool TableRows::Next(Row& row) {
  if (next_ == rows_.size()) {
    rows_.clear();
    next_ = 0;
    return false;
  }
  row = std::move(rows_[next_++]);
  return true;
}

std::unique_ptr<RowSource> FilledRows(std::size_t columns, Fill fill, const Request& request,
                                      Machine& machine) {
  auto rows = std::make_unique<TableRows>(columns);
  fill(request, machine, *rows);
  return rows;
}

}  // namespace holdfast::agent
