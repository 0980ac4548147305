// Path patterns of a collection: components with * ? [ ], "**", and homes. Read here, matched on endpoints.
//
//   /etc/cron.*/*    %%users.homedir%%/.ssh/authorized_keys*    /var/spool/cron/**    /opt/**5/*.conf
//
// Limits:    4 KiB, 32 components with wildcards, one "**" or "**N" (N from 1 to 10; 3 without).
// Threading: pure functions.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast {

// As the first component: every home.
inline constexpr std::string_view kHomeMarker = "%%users.homedir%%";
inline constexpr unsigned kMaxPatternDepth = 10;
inline constexpr unsigned kUsualPatternDepth = 3;

// What is wrong with a pattern, for people; empty: nothing.
std::string PathPatternComplaint(std::string_view pattern);

bool IsGlobComponent(std::string_view component);
// The levels of "**" or "**N", 0 for an N that there is not; nullopt: another component.
std::optional<unsigned> DepthOfComponent(std::string_view component);

// Calls `each` with every component that is not empty.
template <typename Each>
void ForEachComponent(std::string_view path, const Each& each) {
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    if (slash > 0) each(path.substr(0, slash));
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
}

}  // namespace holdfast
