// How a corpus of binary inputs stays readable: hex digits, white space, and comments from # to the end
// of the line. A fuzzer also gets plain bytes through, by another first letter.
#pragma once

#include <string>
#include <string_view>

namespace holdfast::testing {

// The bytes that the digits of `text` spell; an odd digit at the end is ignored.
inline std::string BytesOfHexText(std::string_view text) {
  std::string out;
  int high = -1;
  bool comment = false;
  for (const char c : text) {
    comment = (comment || c == '#') && c != '\n';
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (comment || digit < 0) continue;
    if (high < 0) {
      high = digit;
    } else {
      out += static_cast<char>(high * 16 + digit);
      high = -1;
    }
  }
  return out;
}

}  // namespace holdfast::testing
