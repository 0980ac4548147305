// Versions of programs: one to four numbers with dots between, compared as numbers. "0.2" is "0.2.0".
//
// Limits:    kMaxVersionBytes; a number has at most 9 digits.
// Threading: pure functions.
#pragma once

#include <cstddef>
#include <string_view>

namespace holdfast::sign {

inline constexpr std::size_t kMaxVersionBytes = 32;  // trust.proto, AgentFacts.version

bool IsVersion(std::string_view text);
// Of two that IsVersion(); anything else counts as 0.
bool IsOlder(std::string_view a, std::string_view b);

}  // namespace holdfast::sign
