// Small readers of the kernel's and the system's text files.
//
// Threading: pure functions.
// Errors:    what is not a number is nullopt; no input aborts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::agent {

// The whole text as a number of that base: no spaces, no '+'.
std::optional<std::int64_t> ParseInt(std::string_view text, int base = 10);
std::optional<std::uint64_t> ParseUint(std::string_view text, int base = 10);

std::string_view Trim(std::string_view text);  // spaces, tabs, newlines and NULs at both ends

// Cuts the next line off `rest`; false when nothing is left. A last line needs no newline.
bool NextLine(std::string_view& rest, std::string_view& line);
// Cuts the next word off `rest`, between runs of spaces and tabs; empty at the end.
std::string_view NextWord(std::string_view& rest);
// Cuts off what is before `separator`, or all of it.
std::string_view NextField(std::string_view& rest, char separator);

// The value after "key" and ':' or '=' in the first line that begins with it; empty if none.
std::string_view ValueOf(std::string_view text, std::string_view key);

std::string LowerCase(std::string_view text);  // ASCII letters

std::string_view BaseName(std::string_view path);  // what is after the last '/', or all of it

// The unsigned number that these bytes are, the highest first; of more than 8 the last 8.
std::uint64_t BigEndian(std::string_view bytes);

// Base64, blanks and lines inside it; nullopt for what is none.
std::optional<std::string> DecodeBase64(std::string_view text);
std::string EncodeBase64(std::string_view bytes);

}  // namespace holdfast::agent
