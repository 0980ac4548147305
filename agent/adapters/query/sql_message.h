// SqlMessage: SQLite's complaint, with the place in the statement and the name that was probably meant.
//
//   no such table: procesess (at character 15); did you mean processes?
//
// Threading: pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "agent/tables/table.h"

namespace holdfast::agent {

// `byte_offset`: where SQLite saw it, or -1: then the name in the message is looked for.
std::string SqlMessage(std::string_view complaint, std::string_view sql, int byte_offset,
                       std::span<const Table* const> tables);

// Where `word` stands in `sql` outside of strings and comments; npos if it does not.
std::size_t FindWord(std::string_view sql, std::string_view word);

// 1-based count of characters up to a byte.
std::size_t CharacterAt(std::string_view sql, std::size_t byte_offset);

}  // namespace holdfast::agent
