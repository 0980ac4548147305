#include "agent/tables/table.h"

#include <cmath>

namespace holdfast::agent {

std::string_view ToString(ColumnType type) {
  switch (type) {
    case ColumnType::kText: return "TEXT";
    case ColumnType::kInteger: return "INTEGER";
    case ColumnType::kBigint: return "BIGINT";
    case ColumnType::kDouble: return "DOUBLE";
    case ColumnType::kBlob: return "BLOB";
  }
  HF_UNREACHABLE("a ColumnType outside its enum");
}

const SqlValue* Request::Equal(std::size_t column) const {
  for (const Constraint& constraint : constraints) {
    if (constraint.column == column && constraint.op == Op::kEqual) return &constraint.value;
  }
  return nullptr;
}

std::optional<std::string> Request::EqualText(std::size_t column) const {
  const SqlValue* value = Equal(column);
  if (value == nullptr) return std::nullopt;
  if (const auto* text = std::get_if<std::string>(value)) return *text;
  if (const auto* number = std::get_if<std::int64_t>(value)) return std::to_string(*number);
  if (const auto* real = std::get_if<double>(value); real != nullptr && std::abs(*real) < 1e15) {
    if (const auto whole = static_cast<std::int64_t>(*real); static_cast<double>(whole) == *real) {
      return std::to_string(whole);  // 5.0 equals 5
    }
  }
  return std::string();  // equals nothing
}

}  // namespace holdfast::agent
