// Homes: what "%%users.homedir%%" at the beginning of a pattern means.
//
// The homes of /etc/passwd, whatever lies in /home (accounts of a directory service, or of before), and
// /root. Not the directories of the system that some accounts have for a home.
//
// Limits:    kMaxHomes.
// Threading: pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/path_pattern.h"

namespace holdfast::agent {

inline constexpr std::size_t kMaxHomes = 100'000;

// Each once, sorted. `in_home`: names in /home.
std::vector<std::string> HomesOf(std::string_view passwd, std::span<const std::string> in_home);

// The pattern itself, or one for each home. Empty: a marker that is not the whole first component.
std::vector<std::string> ExpandHomes(std::string_view pattern, std::span<const std::string> homes);

}  // namespace holdfast::agent
