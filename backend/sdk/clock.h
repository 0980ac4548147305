// The clocks of the machine, for the parts of the SDK that are handed a time by nobody else.
#pragma once

#include <chrono>

#include "common/base/time.h"

namespace holdfast::sdk {

inline WallTime WallNow() {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return WallTime(static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count()));
}

inline TimePoint MonotonicNow() {
  return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}

}  // namespace holdfast::sdk
