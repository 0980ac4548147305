// Untrusted: a string that an endpoint or a stranger wrote.
//
// There is no way to get the bytes but the functions below, each of which makes them safe for one
// place. Escapes are the C ones and \xNN; what is not valid UTF-8, control characters (C0, C1, DEL)
// and bidirectional overrides (U+202A..E, U+2066..9) never come through.
//
// Limits:    outputs are cut at max_bytes (of output), ending in "..." when cut.
// Threading: values and pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace holdfast {

class Untrusted {
 public:
  explicit Untrusted(std::string bytes) : bytes_(std::move(bytes)) {}

  friend std::string ForLog(const Untrusted& text, std::size_t max_bytes);
  friend std::string ForTerminal(const Untrusted& text, std::size_t max_bytes);
  friend std::string ForCsv(const Untrusted& text);
  // For storing and comparing only, never for showing.
  const std::string& raw_for_storage() const { return bytes_; }

 private:
  std::string bytes_;
};

// Inside double quotes of a log line: also escapes '"' and '\'.
std::string ForLog(const Untrusted& text, std::size_t max_bytes = 256);
// One cell or line of a terminal: printable Unicode stays readable, tab and newline are escaped.
std::string ForTerminal(const Untrusted& text, std::size_t max_bytes = 64 * 1024);
// One CSV field (RFC 4180), quoted where needed; a field that a spreadsheet would take for a
// formula
// (= + - @ tab CR) gets a leading apostrophe. Numbers are the caller's business.
std::string ForCsv(const Untrusted& text);

}  // namespace holdfast
