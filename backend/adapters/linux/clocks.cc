#include "backend/adapters/linux/clocks.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace holdfast::backend {

TimePoint MonotonicNow() {
  return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}

WallTime WallNow() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return WallTime(static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(since).count()));
}

std::string Rfc3339(WallTime at) {
  const auto seconds = static_cast<std::time_t>(at.get() / 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 32> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::array<char, 8> millis{};
  std::snprintf(millis.data(), millis.size(), ".%03dZ", static_cast<int>(at.get() % 1000));
  return std::string(text.data(), length) + millis.data();
}

}  // namespace holdfast::backend
