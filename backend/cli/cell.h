// Cell: one value of a record, in the shapes that the output formats need.
//
// Text is hostile until a format makes it safe: the table through ForTerminal, CSV through ForCsv,
// JSON through json_text.h.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "common/base/untrusted.h"

namespace holdfast::cli {

struct Cell {
  enum class Kind : std::uint8_t {
    kNull,
    kText,     // `text` holds bytes
    kLiteral,  // `text` is a number, true or false as JSON writes it
    kJson,     // `json` is JSON made by us; `text` says the same for people
  };
  Kind kind = Kind::kNull;
  Untrusted text{""};
  std::string json;

  static Cell Null() { return {}; }
  static Cell Text(std::string bytes) { return {Kind::kText, Untrusted(std::move(bytes)), ""}; }
  static Cell Int(std::int64_t n) { return {Kind::kLiteral, Untrusted(std::to_string(n)), ""}; }
  static Cell Count(std::uint64_t n) { return {Kind::kLiteral, Untrusted(std::to_string(n)), ""}; }
  static Cell Bool(bool b) { return {Kind::kLiteral, Untrusted(b ? "true" : "false"), ""}; }
  static Cell Real(double value);         // null in JSON when it is no finite number
  static Cell Time(std::uint64_t at_ms);  // null for 0, which stands for "not yet"
  static Cell Json(std::string json, std::string text) {
    return {Kind::kJson, Untrusted(std::move(text)), std::move(json)};
  }
};

}  // namespace holdfast::cli
