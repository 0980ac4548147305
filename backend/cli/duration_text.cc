#include "backend/cli/duration_text.h"

#include <charconv>
#include <cstdint>

namespace holdfast::cli {
namespace {

constexpr std::uint64_t kSecondMs = 1000;
constexpr std::uint64_t kMinuteMs = 60 * kSecondMs;
constexpr std::uint64_t kHourMs = 60 * kMinuteMs;
constexpr std::uint64_t kDayMs = 24 * kHourMs;
constexpr std::uint64_t kMaxMs = 3650 * kDayMs;

std::uint64_t UnitMs(std::string_view unit) {
  if (unit == "ms") return 1;
  if (unit.empty() || unit == "s") return kSecondMs;
  if (unit == "m" || unit == "min") return kMinuteMs;
  if (unit == "h") return kHourMs;
  if (unit == "d") return kDayMs;
  return 0;
}

std::string Pair(std::uint64_t big, const char* big_unit, std::uint64_t small,
                 const char* small_unit) {
  std::string out = std::to_string(big) + " " + big_unit;
  if (small > 0) out += " " + std::to_string(small) + " " + small_unit;
  return out;
}

}  // namespace

std::optional<Duration> ParseDuration(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  const std::uint64_t unit = UnitMs(text.substr(static_cast<std::size_t>(end - text.data())));
  if (unit == 0 || number > kMaxMs / unit) return std::nullopt;
  return Duration(static_cast<std::int64_t>(number * unit));
}

std::string FormatDuration(Duration duration) {
  const auto ms = static_cast<std::uint64_t>(duration.count() < 0 ? 0 : duration.count());
  if (ms < kSecondMs) return std::to_string(ms) + " ms";
  if (ms < kMinuteMs) {
    return std::to_string(ms / kSecondMs) + "." + std::to_string(ms % kSecondMs / 100) + " s";
  }
  if (ms < kHourMs) return Pair(ms / kMinuteMs, "min", ms % kMinuteMs / kSecondMs, "s");
  if (ms < kDayMs) return Pair(ms / kHourMs, "h", ms % kHourMs / kMinuteMs, "min");
  return Pair(ms / kDayMs, "d", ms % kDayMs / kHourMs, "h");
}

}  // namespace holdfast::cli
