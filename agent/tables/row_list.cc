#include "agent/tables/row_list.h"

namespace holdfast::agent {

RowList& RowList::Begin() {
  full_ = rows_.size() == kMaxRows;
  if (!full_) rows_.emplace_back();
  return *this;
}

RowList& RowList::Text(std::string_view text) { return Value(std::string(text)); }

RowList& RowList::TextOrNull(std::string_view text) { return text.empty() ? Null() : Text(text); }

RowList& RowList::Integer(std::int64_t number) { return Value(number); }

RowList& RowList::Null() { return Value({}); }

RowList& RowList::Value(SqlValue value) {
  if (!full_) rows_.back().push_back(std::move(value));
  return *this;
}

}  // namespace holdfast::agent
