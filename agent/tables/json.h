// Json: looks values up in a JSON text where it stands, without building a tree.
//
//   TextOfJson(JsonMember(JsonMember(text, "defaultLocale"), "name"))
//
// A value is the piece of the text that holds it: "{...}", "[...]", "\"...\"", 12, true.
//
// Limits:    kMaxJsonDepth levels; a deeper value is none.
// Ownership: views into the text.
// Threading: pure functions.
// Errors:    what is not there or no JSON is empty; no input aborts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::agent {

inline constexpr int kMaxJsonDepth = 64;

// The value of a key of an object. The key is compared as it is written, without its escapes.
std::string_view JsonMember(std::string_view object, std::string_view key);
// Cuts the next pair off `rest`, which begins as an object.
bool NextJsonMember(std::string_view& rest, std::string_view& key, std::string_view& value);
// Cuts the next value off `rest`, which begins as an array.
bool NextJsonElement(std::string_view& rest, std::string_view& value);
// A string without quotes and escapes; others as they are written; null as "".
std::string TextOfJson(std::string_view value);
bool JsonIsTrue(std::string_view value);

}  // namespace holdfast::agent
