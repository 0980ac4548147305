// TerminalText: bytes of a program on an endpoint, made safe for this terminal line by line.
//
// Newlines and tabs stay; everything else goes through ForTerminal. What is held back until its line
// is complete comes out with Flush().
//
// Limits:    a line above kMaxLineBytes is printed in pieces.
// Threading: a value.
#pragma once

#include <string>
#include <string_view>

namespace holdfast::cli {

// One or more whole lines.
std::string SafeLines(std::string_view text);

// Cuts a stream of bytes into whole lines.
class LineCutter {
 public:
  static constexpr std::size_t kMaxLineBytes = std::size_t{64} * 1024;
  // The lines that are complete now, with their newlines.
  std::string Push(std::string_view bytes);
  // What is left, without a newline at its end.
  std::string Flush();

 private:
  std::string rest_;
};

// Puts `prefix` before each line; a last line without newline gets one.
std::string PrefixLines(const std::string& prefix, std::string_view lines);

}  // namespace holdfast::cli
