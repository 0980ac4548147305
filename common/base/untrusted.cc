#include "common/base/untrusted.h"

#include <cstdint>

#include "common/base/utf8.h"

namespace holdfast {
namespace {

constexpr std::string_view kEllipsis = "...";

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
    const Utf8Character next = DecodeUtf8(text);
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
  if (text.empty()) return false;
  const Utf8Character first = DecodeUtf8(text);
  if (!first.valid) return false;
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
