#include "common/base/untrusted.h"

#include <cstdint>

namespace holdfast {
namespace {

constexpr std::string_view kEllipsis = "...";

// One character of UTF-8, or one byte that is none.
struct Character {
  char32_t code = 0;
  std::size_t bytes = 1;
  bool valid = false;
};

// Unicode 15, table 3-7: no over-long forms, no surrogates, nothing above U+10FFFF.
Character Decode(std::string_view text) {
  const auto byte = [&](std::size_t i) -> std::uint32_t {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const std::uint32_t first = byte(0);
  if (first < 0x80) return {first, 1, true};
  std::size_t length = 0;
  char32_t code = 0;
  char32_t least = 0;
  if (first >= 0xC2 && first < 0xE0) {
    length = 2, code = first & 0x1F, least = 0x80;
  } else if (first >= 0xE0 && first < 0xF0) {
    length = 3, code = first & 0x0F, least = 0x800;
  } else if (first >= 0xF0 && first < 0xF5) {
    length = 4, code = first & 0x07, least = 0x10000;
  } else {
    return {};
  }
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3F);
  }
  const bool is_surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < least || code > 0x10FFFF || is_surrogate) return {};
  return {code, length, true};
}

// Characters that move, hide or reorder what a reader sees (Unicode TR 9 and TR 36).
bool IsHarmful(char32_t code) {
  return code < 0x20 || (code >= 0x7F && code <= 0x9F) ||       // C0, DEL, C1
         code == 0x061C || code == 0x200E || code == 0x200F ||  // directional marks
         (code >= 0x2028 && code <= 0x202E) ||                  // line separators, bidi overrides
         (code >= 0x2066 && code <= 0x2069) ||                  // bidi isolates
         code == 0xFEFF ||                                      // byte order mark
         (code >= 0xE0000 && code <= 0xE007F);                  // tags: invisible ASCII
}

void AppendEscaped(std::string& out, std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  for (const char c : bytes) {
    switch (c) {
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default: {
        const auto byte = static_cast<unsigned char>(c);
        out += "\\x";
        out += kDigits[byte >> 4];
        out += kDigits[byte & 15];
      }
    }
  }
}

enum class Quotes { kLeave, kEscape };

// Cut between characters, never inside one or inside an escape.
std::string Escape(std::string_view text, std::size_t max_bytes, Quotes quotes) {
  std::string out;
  std::size_t cut = 0;  // where `out` still leaves room for the ellipsis
  while (!text.empty()) {
    const Character next = Decode(text);
    const std::string_view bytes = text.substr(0, next.bytes);
    if (!next.valid || IsHarmful(next.code)) {
      AppendEscaped(out, bytes);
    } else {
      if (quotes == Quotes::kEscape && (next.code == '"' || next.code == '\\')) out += '\\';
      out += bytes;
    }
    if (out.size() > max_bytes) {
      out.resize(cut);
      out += kEllipsis.substr(0, max_bytes - cut);
      return out;
    }
    if (out.size() + kEllipsis.size() <= max_bytes) cut = out.size();
    text.remove_prefix(next.bytes);
  }
  return out;
}

// What spreadsheets take for the start of a formula, also in full width as East Asian versions do.
bool LooksLikeFormula(std::string_view text) {
  const Character first = Decode(text);
  if (!first.valid || text.empty()) return false;
  switch (first.code) {
    case '=':
    case '+':
    case '-':
    case '@':
    case '\t':
    case '\r':
    case 0xFF1D:
    case 0xFF0B:
    case 0xFF0D:
    case 0xFF20: return true;
    default: return false;
  }
}

}  // namespace

std::string ForLog(const Untrusted& text, std::size_t max_bytes) {
  return Escape(text.bytes_, max_bytes, Quotes::kEscape);
}

std::string ForTerminal(const Untrusted& text, std::size_t max_bytes) {
  return Escape(text.bytes_, max_bytes, Quotes::kLeave);
}

std::string ForCsv(const Untrusted& text) {
  std::string field = Escape(text.bytes_, std::string::npos - kEllipsis.size(), Quotes::kLeave);
  if (LooksLikeFormula(text.bytes_)) field.insert(0, 1, '\'');
  if (field.find_first_of(",\"") == std::string::npos) return field;
  std::string quoted = "\"";
  for (const char c : field) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace holdfast
