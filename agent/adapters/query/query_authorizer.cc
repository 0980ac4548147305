#include "agent/adapters/query/query_authorizer.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <sqlite3.h>

namespace holdfast::agent {
namespace {

// Functions of SQLite that reach beyond the query.
constexpr std::array<std::string_view, 4> kForbiddenFunctions = {"load_extension", "fts3_tokenizer",
                                                                 "readfile", "writefile"};
// Table-valued functions over their arguments only.
constexpr std::array<std::string_view, 2> kHarmlessTables = {"json_each", "json_tree"};

// SQLite itself updates its (empty) schema table when it declares a virtual table, in the middle of
// compiling a statement. A statement that tries the same is refused by SQLite, which protects that
// table, and by the engine, which runs only what reads.
constexpr std::string_view kSchema = "sqlite_master";

bool SameWord(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return lower(x) == lower(y);
  });
}

template <typename Range>
bool Contains(const Range& range, std::string_view word) {
  return std::any_of(range.begin(), range.end(),
                     [&](std::string_view w) { return SameWord(w, word); });
}

}  // namespace

// SQLite's signature.  NOLINTNEXTLINE(readability-function-size)
int AuthorizeQuery(void* context, int action, const char* first, const char* second, const char*,
                   const char*) {
  const auto& rights = *static_cast<const QueryRights*>(context);
  const std::string_view name = first == nullptr ? "" : first;
  const std::string_view detail = second == nullptr ? "" : second;
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE: return SQLITE_OK;
    case SQLITE_FUNCTION: return Contains(kForbiddenFunctions, detail) ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_READ: {
      // No column: a table or a WITH name of which nothing is read (count(*)).
      if (name == kSchema && detail == "ROWID") return SQLITE_OK;
      if (detail.empty() || Contains(kHarmlessTables, name)) return SQLITE_OK;
      const bool ours =
          std::any_of(rights.tables.begin(), rights.tables.end(),
                      [&](const Table* table) { return SameWord(table->name, name); });
      return ours ? SQLITE_OK : SQLITE_DENY;
    }
    case SQLITE_UPDATE: return name == kSchema ? SQLITE_OK : SQLITE_DENY;
    default: return SQLITE_DENY;  // writes, schema, ATTACH, PRAGMA, transactions, ANALYZE, ...
  }
}

}  // namespace holdfast::agent
