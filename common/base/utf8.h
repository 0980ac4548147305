// UTF-8, one character at a time, by Unicode 15 table 3-7: no over-long forms, no surrogates.
//
// Threading: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace holdfast {

// One character, or one byte that is none.
struct Utf8Character {
  char32_t code = 0;
  std::size_t bytes = 1;
  bool valid = false;
};

// The first character of `text`, which is not empty.
Utf8Character DecodeUtf8(std::string_view text);
bool IsUtf8(std::string_view text);
// At most max_bytes of it, cut between characters; a byte that belongs to none becomes '?'. Protobuf does not
// parse a message again whose text is cut elsewhere: one such line would make a whole listing unreadable.
std::string Utf8Prefix(std::string_view text, std::size_t max_bytes);

}  // namespace holdfast
