// TimePoint, Duration, WallTime: time as the cores see it, handed in and never read here.
//
// TimePoint is monotonic, in milliseconds: it decides. WallTime is Unix time in milliseconds: it is
// shown, signed and compared with what was signed, and is a different type so that the two cannot
// be mixed up.
//
// Threading: values.
#pragma once

#include <chrono>
#include <cstdint>

#include "common/base/strong.h"

namespace holdfast {

using Duration = std::chrono::milliseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;
using WallTime = Strong<struct WallTimeTag, std::uint64_t>;  // Unix ms

}  // namespace holdfast
