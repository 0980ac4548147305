#include "common/base/bytes.h"

namespace holdfast {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";
// RFC 4648 section 5.
constexpr char kBase64Url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

int Base64UrlValue(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '-') return 62;
  if (c == '_') return 63;
  return -1;
}

std::uint32_t Byte(char c) { return static_cast<unsigned char>(c); }

}  // namespace

std::string ToHex(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    out += kHexDigits[Byte(c) >> 4];
    out += kHexDigits[Byte(c) & 15];
  }
  return out;
}

Result<std::string> FromHex(std::string_view text) {
  if (text.size() % 2 != 0) return Error{Code::kInvalid, "hex: odd number of digits"};
  std::string out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = HexValue(text[i]);
    const int low = HexValue(text[i + 1]);
    if (high < 0 || low < 0) return Error{Code::kInvalid, "hex: not a digit"};
    out += static_cast<char>(high * 16 + low);
  }
  return out;
}

std::string ToBase64Url(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() * 4 + 2) / 3);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = bytes.size() - i;
    const std::uint32_t group = Byte(bytes[i]) << 16 | (left > 1 ? Byte(bytes[i + 1]) << 8 : 0) |
                                (left > 2 ? Byte(bytes[i + 2]) : 0);
    out += kBase64Url[group >> 18];
    out += kBase64Url[group >> 12 & 63];
    if (left > 1) out += kBase64Url[group >> 6 & 63];
    if (left > 2) out += kBase64Url[group & 63];
  }
  return out;
}

Result<std::string> FromBase64Url(std::string_view text) {
  if (text.size() % 4 == 1) return Error{Code::kInvalid, "base64url: impossible length"};
  std::string out;
  out.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const int value = Base64UrlValue(c);
    if (value < 0) return Error{Code::kInvalid, "base64url: not a digit"};
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count & 255);
    }
  }
  // The unused bits must be 0, or two texts would mean the same bytes.
  if ((bits & ((1U << count) - 1)) != 0) return Error{Code::kInvalid, "base64url: stray bits"};
  return out;
}

}  // namespace holdfast
