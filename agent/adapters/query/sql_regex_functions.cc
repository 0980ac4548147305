// regex_match and regex_split.
#include <array>
#include <memory>
#include <string>

#include "agent/adapters/query/sql_values.h"
#include "agent/tables/regex.h"

namespace holdfast::agent {
namespace {

// The pattern in argument 1: compiled once for a statement when it is a constant. Null when there is
// none; the error is given then.
const Regex* PatternOf(sqlite3_context* context, sqlite3_value** values) {
  constexpr int kPattern = 1;
  if (const void* kept = sqlite3_get_auxdata(context, kPattern); kept != nullptr) {
    return static_cast<const Regex*>(kept);
  }
  auto compiled = Regex::Compile(TextOf(values[kPattern]));
  if (!compiled.ok()) {
    GiveError(context, "regular expression: " + compiled.error().message);
    return nullptr;
  }
  auto owned = std::make_unique<Regex>(std::move(compiled).value());
  sqlite3_set_auxdata(context, kPattern, owned.release(),
                      [](void* kept) { delete static_cast<Regex*>(kept); });
  // SQLite may have refused to keep it, and deleted it.
  return static_cast<const Regex*>(sqlite3_get_auxdata(context, kPattern));
}

bool AnyNull(sqlite3_value** values) {
  return IsNull(values[0]) || IsNull(values[1]) || IsNull(values[2]);
}

// regex_match(text, pattern, group): what the group matched, 0 for all; NULL when nothing did.
void Match(sqlite3_context* context, int, sqlite3_value** values) {
  if (AnyNull(values)) return;
  const Regex* regex = PatternOf(context, values);
  const auto group = static_cast<std::uint64_t>(sqlite3_value_int64(values[2]));
  Regex::Match match;
  const std::string_view text = TextOf(values[0]);
  if (regex == nullptr || group >= regex->groups() || !regex->Search(text, 0, match)) return;
  const std::uint32_t from = match[2 * group];
  const std::uint32_t to = match[2 * group + 1];
  // A group that took no part is empty, as with osquery.
  GiveText(context, from == Regex::kNowhere || to == Regex::kNowhere
                        ? std::string_view("")
                        : text.substr(from, to - from));
}

// regex_split(text, pattern, index): the index-th piece between the matches; NULL when there is none.
void Split(sqlite3_context* context, int, sqlite3_value** values) {
  if (AnyNull(values)) return;
  const Regex* regex = PatternOf(context, values);
  if (regex == nullptr) return;
  const std::string_view text = TextOf(values[0]);
  std::size_t piece = 0;
  std::size_t from = 0;
  Regex::Match match;
  for (std::int64_t index = sqlite3_value_int64(values[2]); index >= 0; --index) {
    bool found = regex->Search(text, from, match);
    // A match of nothing separates nothing.
    while (found && match[0] == match[1]) {
      from = match[1] + std::size_t{1};
      found = regex->Search(text, from, match);
    }
    if (index == 0) {
      return GiveText(context,
                      text.substr(piece, found ? match[0] - piece : std::string_view::npos));
    }
    if (!found) return;
    piece = from = match[1];
  }
}

constexpr std::array<SqlFunction, 2> kFunctions = {{
    {"regex_match", 3, Match},
    {"regex_split", 3, Split},
}};

}  // namespace

void RegisterRegexFunctions(sqlite3* db) { RegisterAll(db, kFunctions.data(), kFunctions.size()); }

}  // namespace holdfast::agent
