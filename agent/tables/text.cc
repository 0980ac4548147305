#include "agent/tables/text.h"

#include <algorithm>
#include <charconv>

namespace holdfast::agent {
namespace {

template <typename Number>
std::optional<Number> Parse(std::string_view text, int base) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

constexpr std::string_view kBlank(" \t\r\n\0", 5);
constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::optional<std::int64_t> ParseInt(std::string_view text, int base) {
  return Parse<std::int64_t>(text, base);
}
std::optional<std::uint64_t> ParseUint(std::string_view text, int base) {
  return Parse<std::uint64_t>(text, base);
}

std::string_view Trim(std::string_view text) {
  const std::size_t from = text.find_first_not_of(kBlank);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(kBlank) - from + 1);
}

bool NextLine(std::string_view& rest, std::string_view& line) {
  if (rest.empty()) return false;
  line = NextField(rest, '\n');
  return true;
}

std::string_view NextField(std::string_view& rest, char separator) {
  const std::size_t at = rest.find(separator);
  const std::string_view field = rest.substr(0, at);
  rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + 1);
  return field;
}

std::string_view NextWord(std::string_view& rest) {
  const std::size_t from = rest.find_first_not_of(" \t");
  if (from == std::string_view::npos) {
    rest = {};
    return {};
  }
  rest.remove_prefix(from);
  const std::string_view word = rest.substr(0, rest.find_first_of(" \t"));
  rest.remove_prefix(word.size());
  return word;
}

std::string_view ValueOf(std::string_view text, std::string_view key) {
  std::string_view line;
  while (NextLine(text, line)) {
    if (line.substr(0, key.size()) != key) continue;
    const std::string_view after = Trim(line.substr(key.size()));
    if (after.empty() || (after.front() != ':' && after.front() != '=')) continue;
    return Trim(after.substr(1));
  }
  return {};
}

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string_view BaseName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

std::uint64_t BigEndian(std::string_view bytes) {
  std::uint64_t number = 0;
  for (const char byte : bytes) number = number << 8 | static_cast<unsigned char>(byte);
  return number;
}

std::optional<std::string> DecodeBase64(std::string_view text) {
  std::string out;
  unsigned word = 0;
  int bits = 0;
  bool ended = false;
  for (const char c : text) {
    if (kBlank.find(c) != std::string_view::npos) continue;
    ended = ended || c == '=';
    const std::size_t digit = kDigits.find(c);
    if (ended && c == '=') continue;
    if (ended || digit == std::string_view::npos) return std::nullopt;
    word = (word << 6 | static_cast<unsigned>(digit)) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out.push_back(static_cast<char>(word >> bits & 0xff));
  }
  return out;
}

std::string EncodeBase64(std::string_view bytes) {
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::string_view group = bytes.substr(at, 3);
    unsigned word = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      word = word << 8 | (i < group.size() ? static_cast<unsigned char>(group[i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      out.push_back(i <= group.size() ? kDigits[word >> (18 - 6 * i) & 63] : '=');
    }
  }
  return out;
}

}  // namespace holdfast::agent
