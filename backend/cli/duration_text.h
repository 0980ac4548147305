// Durations as people type them: "0", "45s", "1500ms", "10m", "24h", "7d"; a bare number is
// seconds.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/time.h"

namespace holdfast::cli {

// nullopt for anything else, and above ten years.
std::optional<Duration> ParseDuration(std::string_view text);
// "850 ms", "12.3 s", "4 min 10 s", "3 h 5 min", "2 d 3 h".
std::string FormatDuration(Duration duration);

}  // namespace holdfast::cli
