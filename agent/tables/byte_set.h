// ByteSet: a set of byte values, as the parts of a pattern name them.
//
// Threading: pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace holdfast::agent {

using ByteSet = std::array<std::uint64_t, 4>;  // a bit for each value

void Put(ByteSet& set, unsigned char byte);
void PutRange(ByteSet& set, unsigned from, unsigned to);  // both included
inline bool Has(const ByteSet& set, char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (set[byte / 64] >> byte % 64 & 1) != 0;
}
void Merge(ByteSet& set, const ByteSet& other);
ByteSet Inverse(ByteSet set);

// \d \w \s and their opposites; nullopt for other letters.
std::optional<ByteSet> NamedSet(char letter);
// The inside of [: :]; nullopt for a name that is not known.
std::optional<ByteSet> PosixSet(std::string_view name);
ByteSet AllButLineEnds();
bool IsWordByte(char c);

}  // namespace holdfast::agent
