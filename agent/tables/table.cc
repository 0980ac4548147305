#include "agent/tables/table.h"

#include <algorithm>
#include <cmath>

#include "agent/tables/text.h"

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

Request::Span Request::SpanOf(std::size_t column) const {
  constexpr double kLargest = 9e18;  // beyond it no bound is worth having
  Span span;
  for (const Constraint& constraint : constraints) {
    if (constraint.column != column || constraint.op == Op::kLike) continue;
    std::int64_t least = 0;
    std::int64_t most = 0;
    if (const auto* number = std::get_if<std::int64_t>(&constraint.value)) {
      least = most = *number;
    } else if (const auto* real = std::get_if<double>(&constraint.value);
               real != nullptr && std::abs(*real) < kLargest) {
      least = static_cast<std::int64_t>(std::floor(*real));
      most = static_cast<std::int64_t>(std::ceil(*real));
    } else if (const auto* text = std::get_if<std::string>(&constraint.value)) {
      const auto parsed = ParseInt(*text);
      if (!parsed) continue;
      least = most = *parsed;
    } else {
      continue;  // whoever asked compares again
    }
    if (constraint.op != Op::kAtMost) span.from = std::max(span.from, least);
    if (constraint.op != Op::kAtLeast) span.to = std::min(span.to, most);
  }
  return span;
}

}  // namespace holdfast::agent
