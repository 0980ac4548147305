#include "agent/tables/byte_set.h"

#include <utility>

namespace holdfast::agent {
namespace {

ByteSet Letters(std::string_view ranges) {  // pairs
  ByteSet set = {};
  for (std::size_t i = 0; i + 1 < ranges.size(); i += 2) {
    PutRange(set, static_cast<unsigned char>(ranges[i]), static_cast<unsigned char>(ranges[i + 1]));
  }
  return set;
}

}  // namespace

void Put(ByteSet& set, unsigned char byte) { set[byte / 64] |= std::uint64_t{1} << byte % 64; }
void PutRange(ByteSet& set, unsigned from, unsigned to) {
  for (unsigned byte = from; byte <= to; ++byte) Put(set, static_cast<unsigned char>(byte));
}
void Merge(ByteSet& set, const ByteSet& other) {
  for (std::size_t i = 0; i < set.size(); ++i) set[i] |= other[i];
}
ByteSet Inverse(ByteSet set) {
  for (std::uint64_t& word : set) word = ~word;
  return set;
}

std::optional<ByteSet> NamedSet(char letter) {
  switch (letter) {
    case 'd': return Letters("09");
    case 'D': return Inverse(Letters("09"));
    case 'w': return Letters("azAZ09__");
    case 'W': return Inverse(Letters("azAZ09__"));
    case 's': return Letters("\t\r  ");
    case 'S': return Inverse(Letters("\t\r  "));
    default: return std::nullopt;
  }
}

std::optional<ByteSet> PosixSet(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"alpha", "azAZ"},    {"digit", "09"},     {"alnum", "azAZ09"}, {"upper", "AZ"},
      {"lower", "az"},      {"space", "\t\r  "}, {"blank", "\t\t  "}, {"punct", "!/:@[`{~"},
      {"xdigit", "09afAF"}, {"print", " ~"},     {"graph", "!~"}};
  for (const auto& [known, ranges] : kNames) {
    if (name == known) return Letters(ranges);
  }
  return std::nullopt;
}

ByteSet AllButLineEnds() { return Inverse(Letters("\n\n\r\r")); }

bool IsWordByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

}  // namespace holdfast::agent
