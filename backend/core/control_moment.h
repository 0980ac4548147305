// Moment: what time it is, twice. The monotonic one decides when to repeat and to give up; the wall
// clock is compared with what analysts signed, and is shown.
#pragma once

#include "common/base/time.h"

namespace holdfast::backend {

struct Moment {
  TimePoint at{};
  WallTime wall{0};
  std::uint64_t wall_ms() const { return wall.get(); }
};

}  // namespace holdfast::backend
