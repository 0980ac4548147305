#include "backend/cli/time_text.h"

#include <array>
#include <chrono>
#include <cstdio>

namespace holdfast::cli {
namespace {

struct Parts {
  int year;
  unsigned month, day, hour, minute, second, ms;
};

Parts Split(WallTime time) {
  constexpr std::uint64_t kDayMs = std::uint64_t{24} * 3600 * 1000;
  constexpr std::uint64_t kMaxDays = 3652059;  // the year 9999; an endpoint may claim anything
  const std::uint64_t days = time.get() / kDayMs < kMaxDays ? time.get() / kDayMs : kMaxDays;
  const std::chrono::year_month_day date{
      std::chrono::sys_days(std::chrono::days(static_cast<int>(days)))};
  const auto ms = static_cast<unsigned>(time.get() % kDayMs);
  return {static_cast<int>(date.year()),
          static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()),
          ms / 3'600'000,
          ms / 60'000 % 60,
          ms / 1000 % 60,
          ms % 1000};
}

}  // namespace

std::string FormatTime(WallTime time) {
  if (time.get() == 0) return "-";
  const Parts p = Split(time);
  std::array<char, 48> out{};
  std::snprintf(out.data(), out.size(), "%04d-%02u-%02u %02u:%02u:%02u UTC", p.year, p.month, p.day,
                p.hour, p.minute, p.second);
  return out.data();
}

std::string FormatRfc3339(WallTime time) {
  const Parts p = Split(time);
  std::array<char, 48> out{};
  std::snprintf(out.data(), out.size(), "%04d-%02u-%02uT%02u:%02u:%02u.%03uZ", p.year, p.month,
                p.day, p.hour, p.minute, p.second, p.ms);
  return out.data();
}

}  // namespace holdfast::cli
