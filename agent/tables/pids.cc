#include "agent/tables/pids.h"

#include <algorithm>

#include "agent/tables/text.h"

namespace holdfast::agent {

std::vector<std::int64_t> WantedPids(const Request& request, std::size_t pid_column,
                                     Machine& machine) {
  std::vector<std::int64_t> pids;
  if (const auto wanted = request.EqualText(pid_column)) {
    const auto pid = ParseInt(*wanted);
    if (pid && *pid > 0) pids.push_back(*pid);
    return pids;
  }
  const auto names = machine.List("/proc");
  if (!names.ok()) return pids;
  for (const std::string& name : names.value()) {
    if (const auto pid = ParseInt(name); pid && *pid > 0) pids.push_back(*pid);
  }
  std::sort(pids.begin(), pids.end());
  return pids;
}

std::string ProcPath(std::int64_t pid, std::string_view file) {
  std::string path = "/proc/" + std::to_string(pid) + "/";
  path.append(file);
  return path;
}

}  // namespace holdfast::agent
