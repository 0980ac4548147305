// The clocks of this machine, read here so that nobody else does.
#pragma once

#include <string>

#include "common/base/time.h"

namespace holdfast::backend {

TimePoint MonotonicNow();
WallTime WallNow();
std::string Rfc3339(WallTime at);  // "2026-01-31T23:59:59.123Z"

}  // namespace holdfast::backend
