#include "backend/core/record_rows.h"

#include <algorithm>

#include "backend/core/store_columns.h"

namespace holdfast::backend {
namespace {

// "?1, ?2, ?3" from `first` on.
std::string Parameters(char mark, std::size_t first, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    out += (i == 0 ? "" : ", ") + std::string(1, mark) + std::to_string(first + i);
  }
  return out;
}

}  // namespace

std::string_view ToString(RecordTable table) {
  switch (table) {
    case RecordTable::kAgents: return "agents";
    case RecordTable::kCommands: return "commands";
    case RecordTable::kDeliveries: return "deliveries";
    case RecordTable::kOutputs: return "pieces of small outputs";
    case RecordTable::kTokens: return "enrolment tokens";
    case RecordTable::kAudit: return "audit records";
  }
  HF_UNREACHABLE("a RecordTable outside its enum");
}

std::uint64_t RecordRowView::Number(int column) const {
  const auto* const number = std::get_if<std::uint64_t>(&row_[static_cast<std::size_t>(column)]);
  return number != nullptr ? *number : 0;
}

std::string RecordRowView::Bytes(int column) const {
  const auto* const bytes = std::get_if<std::string>(&row_[static_cast<std::size_t>(column)]);
  return bytes != nullptr ? *bytes : std::string();
}

std::string RecordSql::Page(char mark) const {
  std::string names;
  for (std::size_t i = 0; i < keys(); ++i) names += (i == 0 ? "" : ", ") + std::string(key[i]);
  return "SELECT " + names + ", " + columns + " FROM " + table + " WHERE (" + names + ") > (" +
         Parameters(mark, 1, keys()) + ") ORDER BY " + names + " LIMIT " +
         Parameters(mark, keys() + 1, 1);
}

std::string RecordSql::Insert(char mark) const {
  const std::string names = columns;
  const auto count = static_cast<std::size_t>(std::ranges::count(names, ',')) + 1;
  return std::string("INSERT INTO ") + table + " (" + columns + ") VALUES (" +
         Parameters(mark, 1, count) + ")";
}

std::vector<RecordSql> RecordSqls(const char* ordinal, const char* offset,
                                  const char* output_columns) {
  const RecordCell none = std::string();
  const RecordCell zero = std::uint64_t{0};
  return {{"agents", HF_AGENT_COLUMNS, {"id"}, {none}},
          {"commands", HF_COMMAND_COLUMNS, {ordinal}, {zero}},
          {"deliveries", HF_DELIVERY_COLUMNS, {"digest", "agent_id"}, {none, none}},
          {"outputs", output_columns, {"digest", "agent_id", offset}, {none, none, zero}},
          {"tokens", HF_TOKEN_COLUMNS, {"hash"}, {none}},
          {"audit", HF_AUDIT_COLUMNS, {"seq"}, {zero}}};
}

}  // namespace holdfast::backend
