// JSON text: objects written member by member, safe whatever an endpoint puts into them.
//
// The one rule for bytes: text that is valid UTF-8 is a string. Text that is not is a string with
// each wrong byte replaced by U+FFFD, and a second member NAME_hex holds the exact bytes in hex.
// All but ASCII is written as \uXXXX, so that JSON on a terminal cannot move the cursor or turn the
// writing.
//
//   JsonObject().Text("path", path).Count("size", 7).str()  ->  {"path":"/etc","size":7}
//
// Threading: values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "backend/cli/cell.h"

namespace holdfast::cli {

// With quotes.
std::string JsonString(std::string_view bytes);
bool IsUtf8(std::string_view bytes);

class JsonObject {
 public:
  JsonObject& Text(std::string_view name, std::string_view bytes);
  JsonObject& Count(std::string_view name, std::uint64_t value);
  JsonObject& Int(std::string_view name, std::int64_t value);
  JsonObject& Bool(std::string_view name, bool value);
  JsonObject& Raw(std::string_view name, std::string_view json);  // JSON made by us
  JsonObject& Put(std::string_view name, const Cell& cell);
  std::string str() const { return "{" + members_ + "}"; }

 private:
  void Name(std::string_view name);
  std::string members_;
};

// "[a,b]" of JSON texts.
class JsonArray {
 public:
  JsonArray& Add(std::string_view json);
  std::string str() const { return "[" + items_ + "]"; }

 private:
  std::string items_;
};

}  // namespace holdfast::cli
