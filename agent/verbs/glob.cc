#include "agent/verbs/glob.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

unsigned char Folded(char c, Letters letters) {
  if (letters == Letters::kEitherCase && c >= 'A' && c <= 'Z')
    return static_cast<unsigned char>(c + 32);
  return static_cast<unsigned char>(c);
}

// One part of a pattern: how long it is, and whether it takes a byte.
struct Part {
  std::size_t length;
  bool takes;
};

// `pattern` begins with "[".
Part Set(std::string_view pattern, char c, Letters letters) {
  std::size_t at = 1;
  const bool inverse = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (inverse) ++at;
  const unsigned char wanted = Folded(c, letters);
  bool found = false;
  for (const std::size_t first = at; at < pattern.size(); ++at) {
    if (pattern[at] == ']' && at > first) return {.length = at + 1, .takes = found != inverse};
    if (pattern[at] == '\\' && at + 1 < pattern.size()) ++at;
    const unsigned char from = Folded(pattern[at], letters);
    unsigned char to = from;
    if (at + 2 < pattern.size() && pattern[at + 1] == '-' && pattern[at + 2] != ']') {
      at += 2;
      to = Folded(pattern[at], letters);
    }
    found = found || (from <= wanted && wanted <= to);
  }
  return {.length = 1, .takes = c == '['};
}

Part PartOf(std::string_view pattern, char c, Letters letters) {
  if (pattern.front() == '?') return {.length = 1, .takes = true};
  if (pattern.front() == '[') return Set(pattern, c, letters);
  const std::size_t escape = pattern.front() == '\\' && pattern.size() > 1 ? 1 : 0;
  return {.length = escape + 1, .takes = Folded(pattern[escape], letters) == Folded(c, letters)};
}

}  // namespace

// Greedy with one point to go back to, the last "*": an earlier one never has to take more.
bool GlobMatches(std::string_view pattern, std::string_view name, Letters letters) {
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t back_p = kNone;
  std::size_t back_n = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      back_p = ++p;
      back_n = n;
      continue;
    }
    if (p < pattern.size()) {
      if (const Part part = PartOf(pattern.substr(p), name[n], letters); part.takes) {
        p += part.length;
        ++n;
        continue;
      }
    }
    if (back_p == kNone) return false;
    p = back_p;
    n = ++back_n;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace holdfast::agent
