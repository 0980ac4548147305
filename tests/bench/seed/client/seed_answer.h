// ParseSeedAnswer: the text of an answer of the seed's protocol, {"c":7,"ts":1700000000}.
//
// JSON with whatever white space its server writes; `c` and `ts` are whole numbers, in any order.
//
// Threading: pure function.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace holdfast::bench {

struct SeedAnswer {
  std::uint64_t c = 0;
  std::uint64_t ts = 0;  // unix seconds
};

// nullopt: something else.
std::optional<SeedAnswer> ParseSeedAnswer(std::string_view text);

}  // namespace holdfast::bench
