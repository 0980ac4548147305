// What SQL functions of ours share: reading arguments, giving results. All are pure functions of
// SQLite's callbacks and hold nothing.
#pragma once

#include <string>
#include <string_view>

#include <sqlite3.h>

namespace holdfast::agent {

struct SqlFunction {
  const char* name;
  int arguments;  // -1: any number
  void (*run)(sqlite3_context*, int, sqlite3_value**);
};

inline std::string_view TextOf(sqlite3_value* value) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(value));
  return {text == nullptr ? "" : text, static_cast<std::size_t>(sqlite3_value_bytes(value))};
}
inline bool IsNull(sqlite3_value* value) { return sqlite3_value_type(value) == SQLITE_NULL; }
inline void GiveText(sqlite3_context* context, std::string_view text) {
  sqlite3_result_text64(context, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}
// Ends the query: for what an analyst wrote, never for what a row holds.
inline void GiveError(sqlite3_context* context, std::string_view message) {
  sqlite3_result_error(context, message.data(), static_cast<int>(message.size()));
}

// inet_aton, in_cidr_block, community_id_v1, community_id_v1_strict.
void RegisterNetFunctions(sqlite3* db);
// regex_match, regex_split.
void RegisterRegexFunctions(sqlite3* db);
// log, ceil, floor and cot as osquery has them; SQLite has the others.
void RegisterMathFunctions(sqlite3* db);

void RegisterAll(sqlite3* db, const SqlFunction* functions, std::size_t count);

}  // namespace holdfast::agent
