#include "agent/adapters/query/sql_functions.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "agent/adapters/digest/file_digest.h"
#include "agent/adapters/query/sql_values.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr int kPure = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;

// split(text, separators, index): the index-th non-empty part between any of the separators.
void Split(sqlite3_context* context, int, sqlite3_value** values) {
  if (IsNull(values[0]) || IsNull(values[1]) || IsNull(values[2])) return;
  std::string_view rest = TextOf(values[0]);
  const std::string_view separators = TextOf(values[1]);
  std::int64_t index = sqlite3_value_int64(values[2]);
  while (index >= 0) {
    const std::size_t from = rest.find_first_not_of(separators);
    if (from == std::string_view::npos) return;
    rest.remove_prefix(from);
    const std::string_view part = rest.substr(0, rest.find_first_of(separators));
    if (index-- == 0) return GiveText(context, part);
    rest.remove_prefix(part.size());
  }
}

std::string JoinFrom(int first, int count, sqlite3_value** values, std::string_view separator) {
  std::string out;
  bool any = false;
  for (int i = first; i < count; ++i) {
    if (IsNull(values[i])) continue;
    if (any) out.append(separator);
    out.append(TextOf(values[i]));
    any = true;
  }
  return out;
}

void Concat(sqlite3_context* context, int count, sqlite3_value** values) {
  GiveText(context, JoinFrom(0, count, values, ""));
}

void ConcatWs(sqlite3_context* context, int count, sqlite3_value** values) {
  if (count == 0 || IsNull(values[0])) return;
  GiveText(context, JoinFrom(1, count, values, TextOf(values[0])));
}

template <std::string FileHashes::*kWhich>
void Hash(sqlite3_context* context, int, sqlite3_value** values) {
  if (IsNull(values[0])) return;
  FileDigest digest;
  digest.Update(TextOf(values[0]));
  GiveText(context, digest.Finish().*kWhich);
}

void ToBase64(sqlite3_context* context, int, sqlite3_value** values) {
  if (!IsNull(values[0])) GiveText(context, EncodeBase64(TextOf(values[0])));
}

// Only what has bytes that are no printable ASCII.
void ConditionalToBase64(sqlite3_context* context, int, sqlite3_value** values) {
  if (IsNull(values[0])) return;
  const std::string_view bytes = TextOf(values[0]);
  const bool printable = std::all_of(bytes.begin(), bytes.end(), [](char c) {
    return (c >= ' ' && c <= '~') || c == '\n' || c == '\r' || c == '\t';
  });
  GiveText(context, printable ? std::string(bytes) : EncodeBase64(bytes));
}

// NULL for what is not base64.
void FromBase64(sqlite3_context* context, int, sqlite3_value** values) {
  if (IsNull(values[0])) return;
  if (const auto bytes = DecodeBase64(TextOf(values[0]))) GiveText(context, *bytes);
}

constexpr std::array<SqlFunction, 9> kFunctions = {{
    {"split", 3, Split},
    {"concat", -1, Concat},
    {"concat_ws", -1, ConcatWs},
    {"md5", 1, Hash<&FileHashes::md5>},
    {"sha1", 1, Hash<&FileHashes::sha1>},
    {"sha256", 1, Hash<&FileHashes::sha256>},
    {"to_base64", 1, ToBase64},
    {"from_base64", 1, FromBase64},
    {"conditional_to_base64", 1, ConditionalToBase64},
}};

}  // namespace

void RegisterAll(sqlite3* db, const SqlFunction* functions, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    (void)sqlite3_create_function_v2(db, functions[i].name, functions[i].arguments, kPure, nullptr,
                                     functions[i].run, nullptr, nullptr, nullptr);
  }
}

void RegisterFunctions(sqlite3* db) {
  RegisterAll(db, kFunctions.data(), kFunctions.size());
  RegisterNetFunctions(db);
  RegisterRegexFunctions(db);
  RegisterMathFunctions(db);
}

}  // namespace holdfast::agent
