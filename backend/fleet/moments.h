// What the simulator's clocks say.
#pragma once

#include <chrono>
#include <cstdint>

#include "common/base/time.h"

namespace holdfast::fleet {

inline TimePoint Now() {
  return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}
inline std::uint64_t WallMs() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch())
          .count());
}

}  // namespace holdfast::fleet
