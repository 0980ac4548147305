#include "agent/verbs/homes.h"

#include <algorithm>
#include <set>

#include "agent/tables/system_files.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

// Debian's and Red Hat's system accounts live here; a pattern below would mean the system.
constexpr std::string_view kNoHomes[] = {"/",    "/bin", "/dev",     "/proc",     "/sbin",
                                         "/sys", "/usr", "/usr/bin", "/usr/sbin", "/nonexistent"};

}  // namespace

std::vector<std::string> HomesOf(std::string_view passwd, std::span<const std::string> in_home) {
  std::set<std::string> homes = {"/root"};
  for (const std::string& name : in_home) {
    if (homes.size() < kMaxHomes) homes.insert("/home/" + name);
  }
  std::string_view line;
  while (NextLine(passwd, line) && homes.size() < kMaxHomes) {
    auto account = ParsePasswdLine(line);
    if (!account || !account->directory.starts_with('/')) continue;
    std::string& home = account->directory;
    while (home.size() > 1 && home.ends_with('/')) home.pop_back();
    if (std::ranges::find(kNoHomes, home) == std::end(kNoHomes)) homes.insert(std::move(home));
  }
  return {homes.begin(), homes.end()};
}

std::vector<std::string> ExpandHomes(std::string_view pattern, std::span<const std::string> homes) {
  if (!pattern.starts_with(kHomeMarker)) return {std::string(pattern)};
  const std::string_view rest = pattern.substr(kHomeMarker.size());
  if (!rest.empty() && rest.front() != '/') return {};
  std::vector<std::string> patterns;
  patterns.reserve(homes.size());
  // A home is a name, not a pattern, whatever characters it has.
  for (const std::string& home : homes) {
    std::string escaped;
    for (const char c : home) {
      if (c == '*' || c == '?' || c == '[' || c == '\\') escaped += '\\';
      escaped += c;
    }
    patterns.push_back(escaped + std::string(rest));
  }
  return patterns;
}

}  // namespace holdfast::agent
