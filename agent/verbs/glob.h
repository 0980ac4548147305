// GlobMatches: whether a name fits a pattern as shells write them for one name.
//
//   * any run of bytes, ? one byte, [a-z] one of these, [!a-z] or [^a-z] none of these, \x means x.
//   A "[" without its "]" means itself. Bytes, not characters; "*" matches a leading dot too.
//
// Limits:    time is at most pattern times name.
// Threading: a pure function.
#pragma once

#include <string_view>

namespace holdfast::agent {

enum class Letters { kAsTheyAre, kEitherCase };  // ASCII

bool GlobMatches(std::string_view pattern, std::string_view name, Letters letters);

}  // namespace holdfast::agent
