#include "common/pty/asciicast.h"

#include <algorithm>
#include <array>
#include <utility>

#include "common/base/utf8.h"

namespace holdfast::pty {
namespace {

constexpr std::size_t kMostUtf8Bytes = 4;

void AppendEscaped(std::string& out, char32_t code) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kDigits[(code >> shift) & 0xF];
}

// JSON's text of `text`; what is no UTF-8 is U+FFFD, byte by byte.
std::string Quoted(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const Utf8Character character = DecodeUtf8(text);
    const char32_t code = character.code;
    const bool is_control = code < 0x20 || (code >= 0x7F && code < 0xA0);
    if (!character.valid) {
      out += "\\ufffd";
    } else if (code == '"' || code == '\\') {
      out += '\\';
      out += static_cast<char>(code);
    } else if (is_control) {
      AppendEscaped(out, code);
    } else {
      out += text.substr(0, character.bytes);
    }
    text.remove_prefix(character.bytes);
  }
  return out += '"';
}

// How many bytes at its end may be the beginning of a character.
std::size_t PartAtEnd(std::string_view text) {
  for (std::size_t back = 1; back < kMostUtf8Bytes && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;  // goes on
    const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

// Seconds with six places: never a floating point number, whose text could differ.
std::string Seconds(std::uint64_t us) {
  constexpr std::uint64_t kUsPerSecond = 1'000'000;
  const std::string rest = std::to_string(us % kUsPerSecond);
  return std::to_string(us / kUsPerSecond) + "." + std::string(6 - rest.size(), '0') + rest;
}

}  // namespace

std::string Asciicast::Begin(const Header& header) {
  return "{\"version\": 2, \"width\": " + std::to_string(header.size.columns) +
         ", \"height\": " + std::to_string(header.size.rows) +
         ", \"timestamp\": " + std::to_string(header.unix_s) +
         ", \"title\": " + Quoted(header.title) + ", \"env\": {\"TERM\": " + Quoted(header.term) +
         "}}\n";
}

std::string Asciicast::Event(char code, std::string_view text) {
  return "[" + Seconds(at_us_) + ", \"" + std::string(1, code) + "\", " + Quoted(text) + "]\n";
}

std::string Asciicast::Add(const OutputRecord& record) {
  at_us_ = std::max(at_us_, record.at_us);
  switch (record.kind) {
    case OutputKind::kOutput: {
      const std::string text = std::exchange(part_, {}) + record.data;
      const std::size_t part = PartAtEnd(text);
      part_ = text.substr(text.size() - part);
      if (text.size() == part) return "";
      return Event('o', std::string_view(text).substr(0, text.size() - part));
    }
    case OutputKind::kSize: {
      const auto size = ParseSize(record.data);
      if (!size.ok()) return "";
      return Event('r',
                   std::to_string(size.value().columns) + "x" + std::to_string(size.value().rows));
    }
    case OutputKind::kNotice: return Event('m', record.data);
    case OutputKind::kBegin:
    case OutputKind::kTaken: break;
  }
  return "";
}

std::string Asciicast::End() {
  if (part_.empty()) return "";
  return Event('o', std::exchange(part_, {}));
}

}  // namespace holdfast::pty
