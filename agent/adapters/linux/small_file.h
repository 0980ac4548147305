// Files of the kernel (/proc, /sys) that are read and written whole.
//
// Threading: functions without state.
// Errors:    nullopt, false: it is not there, or may not be read or written.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace holdfast::agent {

std::optional<std::string> ReadSmallFile(const std::string& path);
// In one write, as the kernel wants it.
bool WriteSmallFile(const std::string& path, std::string_view text);

}  // namespace holdfast::agent
