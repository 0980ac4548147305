#include "common/sign/version.h"

#include <array>
#include <cstdint>
#include <optional>

namespace holdfast::sign {
namespace {

constexpr std::size_t kMaxParts = 4;
constexpr std::size_t kMaxDigits = 9;  // fits 32 bits

using Parts = std::array<std::uint32_t, kMaxParts>;

std::optional<Parts> PartsOf(std::string_view text) {
  if (text.size() > kMaxVersionBytes) return std::nullopt;
  Parts parts{};
  std::size_t part = 0;
  std::size_t digits = 0;
  for (const char c : text) {
    if (c == '.') {
      if (digits == 0 || ++part == kMaxParts) return std::nullopt;
      digits = 0;
      continue;
    }
    if (c < '0' || c > '9' || ++digits > kMaxDigits) return std::nullopt;
    parts[part] = parts[part] * 10 + static_cast<std::uint32_t>(c - '0');
  }
  return digits == 0 ? std::nullopt : std::optional(parts);
}

}  // namespace

bool IsVersion(std::string_view text) { return PartsOf(text).has_value(); }

bool IsOlder(std::string_view a, std::string_view b) {
  return PartsOf(a).value_or(Parts{}) < PartsOf(b).value_or(Parts{});
}

}  // namespace holdfast::sign
