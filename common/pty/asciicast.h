// Asciicast: the recording of a terminal, an asciicast v2 file, the same bytes at both ends.
//
// Agent and operator each write the file from the same records, whose times are the agent's; so equal files say that
// the operator saw what the terminal showed. What is typed is not in it: it would hold every password that a prompt
// does not show. Bytes that are no UTF-8 become U+FFFD, as asciinema has it, and every control character is escaped: the file is
// plain text for whoever prints it.
//
//   Begin --> Add* --> End         each gives the text to append
//
// Ordering:  records as they were numbered.
// Limits:    holds at most 3 bytes, the beginning of a character whose rest is to come.
// Threading: thread-compatible.
// Design:    docs/decisions/0111-one-recording-twice.md; docs.asciinema.org, "asciicast file format (version 2)"
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/pty/records.h"

namespace holdfast::pty {

class Asciicast {
 public:
  struct Header {
    Size size;
    std::uint64_t unix_s = 0;  // when it began
    std::string term;
    std::string title;
  };
  static std::string Begin(const Header& header);
  std::string Add(const OutputRecord& record);
  std::string End();

 private:
  std::string Event(char code, std::string_view text);
  std::string part_;  // of a character
  std::uint64_t at_us_ = 0;
};

}  // namespace holdfast::pty
