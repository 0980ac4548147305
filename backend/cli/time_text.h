// Points in time as people read them: "2026-11-24 02:30:05 UTC"; and as programs do (RFC 3339).
#pragma once

#include <string>

#include "common/base/time.h"

namespace holdfast::cli {

std::string FormatTime(WallTime time);     // "2026-11-24 02:30:05 UTC"; "-" for 0
std::string FormatRfc3339(WallTime time);  // "2026-11-24T02:30:05.123Z"

}  // namespace holdfast::cli
