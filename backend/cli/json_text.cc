#include "backend/cli/json_text.h"

#include <cmath>

#include <nlohmann/json.hpp>

#include "backend/cli/time_text.h"
#include "common/base/bytes.h"

namespace holdfast::cli {
namespace {

// Length of the valid UTF-8 sequence at the front (RFC 3629 section 4), 0 if there is none.
std::size_t Utf8Length(std::string_view bytes) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const auto tail = [&](std::size_t i) { return i < bytes.size() && (at(i) & 0xC0U) == 0x80U; };
  if (bytes.empty()) return 0;
  const unsigned char lead = at(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
  if ((lead & 0xF0U) == 0xE0U) {
    if (!tail(1) || !tail(2)) return 0;
    if (lead == 0xE0 && at(1) < 0xA0) return 0;  // over-long
    if (lead == 0xED && at(1) > 0x9F) return 0;  // a surrogate
    return 3;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (!tail(1) || !tail(2) || !tail(3)) return 0;
    if (lead == 0xF0 && at(1) < 0x90) return 0;
    if (lead == 0xF4 && at(1) > 0x8F) return 0;  // above U+10FFFF
    return 4;
  }
  return 0;
}

}  // namespace

Cell Cell::Real(double value) {
  if (!std::isfinite(value)) {
    return Json("null", std::isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
  }
  return {Kind::kLiteral, Untrusted(nlohmann::json(value).dump()), ""};
}

Cell Cell::Time(std::uint64_t at_ms) {
  return at_ms == 0 ? Null() : Text(FormatRfc3339(WallTime(at_ms)));
}

bool IsUtf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t length = Utf8Length(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

std::string JsonString(std::string_view bytes) {
  std::string clean;
  while (!bytes.empty()) {
    const std::size_t length = Utf8Length(bytes);
    clean += length == 0 ? std::string_view("\xEF\xBF\xBD") : bytes.substr(0, length);
    bytes.remove_prefix(length == 0 ? 1 : length);
  }
  return nlohmann::json(clean).dump(-1, ' ', true);
}

void JsonObject::Name(std::string_view name) {
  if (!members_.empty()) members_ += ",";
  members_ += JsonString(name);
  members_ += ":";
}

JsonObject& JsonObject::Text(std::string_view name, std::string_view bytes) {
  Name(name);
  members_ += JsonString(bytes);
  if (!IsUtf8(bytes)) {
    Name(std::string(name) + "_hex");
    members_ += "\"" + ToHex(bytes) + "\"";
  }
  return *this;
}

JsonObject& JsonObject::Count(std::string_view name, std::uint64_t value) {
  return Raw(name, std::to_string(value));
}

JsonObject& JsonObject::Int(std::string_view name, std::int64_t value) {
  return Raw(name, std::to_string(value));
}

JsonObject& JsonObject::Bool(std::string_view name, bool value) {
  return Raw(name, value ? "true" : "false");
}

JsonObject& JsonObject::Raw(std::string_view name, std::string_view json) {
  Name(name);
  members_ += json;
  return *this;
}

JsonObject& JsonObject::Put(std::string_view name, const Cell& cell) {
  switch (cell.kind) {
    case Cell::Kind::kNull: return Raw(name, "null");
    case Cell::Kind::kText: return Text(name, cell.text.raw_for_storage());
    case Cell::Kind::kLiteral: return Raw(name, cell.text.raw_for_storage());
    case Cell::Kind::kJson: return Raw(name, cell.json);
  }
  return *this;
}

JsonArray& JsonArray::Add(std::string_view json) {
  if (!items_.empty()) items_ += ",";
  items_ += json;
  return *this;
}

}  // namespace holdfast::cli
