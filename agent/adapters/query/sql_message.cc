#include "agent/adapters/query/sql_message.h"

#include <algorithm>

#include "agent/tables/registry.h"

namespace holdfast::agent {
namespace {

constexpr std::string_view kNoTable = "no such table: ";
constexpr std::string_view kNoColumn = "no such column: ";

bool IsWordByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         (static_cast<unsigned char>(c) & 0x80) != 0;
}

// Past the string, quoted name or comment that begins at `at`; `at` itself where none begins.
// Quoted names are looked into: "x" may be the very word.
std::size_t SkipQuiet(std::string_view sql, std::size_t at) {
  const std::string_view rest = sql.substr(at);
  std::size_t end = std::string_view::npos;
  if (rest.front() == '\'') {
    end = sql.find('\'', at + 1);
    return end == std::string_view::npos ? sql.size() : end + 1;
  }
  if (rest.substr(0, 2) == "--") {
    end = sql.find('\n', at);
    return end == std::string_view::npos ? sql.size() : end + 1;
  }
  if (rest.substr(0, 2) == "/*") {
    end = sql.find("*/", at + 2);
    return end == std::string_view::npos ? sql.size() : end + 2;
  }
  return at;
}

// The column of one of the tables that the statement names.
std::string_view NearestColumnIn(std::string_view sql, std::string_view name,
                                 std::span<const Table* const> tables) {
  for (const Table* table : tables) {
    if (FindWord(sql, table->name) == std::string_view::npos) continue;
    if (const std::string_view near = NearestColumn(*table, name); !near.empty()) return near;
  }
  return {};
}

}  // namespace

std::size_t FindWord(std::string_view sql, std::string_view word) {
  std::size_t at = 0;
  while (at < sql.size() && !word.empty()) {
    if (const std::size_t after = SkipQuiet(sql, at); after != at) {
      at = after;
      continue;
    }
    std::size_t end = at;
    while (end < sql.size() && IsWordByte(sql[end])) ++end;
    if (sql.substr(at, end - at) == word) return at;
    at = std::max(end, at + 1);
  }
  return std::string_view::npos;
}

std::size_t CharacterAt(std::string_view sql, std::size_t byte_offset) {
  const std::string_view before = sql.substr(0, byte_offset);
  return 1 + static_cast<std::size_t>(std::count_if(before.begin(), before.end(), [](char c) {
           return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
         }));
}

std::string SqlMessage(std::string_view complaint, std::string_view sql, int byte_offset,
                       std::span<const Table* const> tables) {
  std::string message(complaint);
  std::size_t at =
      byte_offset >= 0 ? static_cast<std::size_t>(byte_offset) : std::string_view::npos;
  std::string_view near;
  if (complaint.starts_with(kNoTable)) {
    const std::string_view name = complaint.substr(kNoTable.size());
    if (at == std::string_view::npos) at = FindWord(sql, name);
    near = NearestTable(name);
  } else if (complaint.starts_with(kNoColumn)) {
    std::string_view name = complaint.substr(kNoColumn.size());
    name.remove_prefix(name.rfind('.') + 1);  // npos + 1 is 0: there is no qualifier
    if (at == std::string_view::npos) at = FindWord(sql, name);
    near = NearestColumnIn(sql, name, tables);
  }
  if (at <= sql.size()) message += " (at character " + std::to_string(CharacterAt(sql, at)) + ")";
  if (!near.empty()) {
    message.append("; did you mean ").append(near).append("?");
  } else if (complaint.starts_with(kNoTable)) {
    constexpr std::size_t kShown = 3;
    message.append("; docs/tables.md lists them; the nearest: ");
    const auto likely = LikelyTables(complaint.substr(kNoTable.size()), kShown);
    for (std::size_t i = 0; i < likely.size(); ++i)
      message.append(i > 0 ? ", " : "").append(likely[i]);
  }
  return message;
}

}  // namespace holdfast::agent
