// The text of a request of the seed's protocol, and of its answer.
//
//   {"c":7}  -->  {"c":7,"ts":1700000000}
//
// Threading: pure functions.
// Design:    docs/benchmarks/seed.md
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::bench {

// nullopt: not a JSON object with a small whole number "c". Other members are not expected.
std::optional<std::uint32_t> ParseSeedRequest(std::string_view text);
std::string AnswerText(std::uint32_t c, std::uint64_t unix_seconds);

}  // namespace holdfast::bench
