// Reader of /proc/self/mounts.
//
// Threading: pure functions.
// Errors:    nullopt for a line that is no mount.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace holdfast::agent {

inline constexpr std::size_t kMaxMountsBytes = std::size_t{16} << 20;  // some 100,000 mounts

struct Mount {
  std::string device;
  std::string path;
  std::string type;
  std::string options;
};
// fstab(5): blanks, newlines and backslashes in a field are "\040" and the like.
std::optional<Mount> ParseMountLine(std::string_view line);

}  // namespace holdfast::agent
