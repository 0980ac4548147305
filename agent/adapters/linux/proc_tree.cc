#include "agent/adapters/linux/proc_tree.h"

#include <array>
#include <charconv>
#include <csignal>
#include <cstring>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <dirent.h>
#include <unistd.h>

#include "agent/adapters/linux/small_file.h"

namespace holdfast::agent {
namespace {

// A tree that is still there after so many looks at it is one that one pass cannot catch. A look at a hundred
// processes takes 2 ms.
constexpr int kMaxLooks = 64;

struct Stat {
  pid_t parent = -1;
  pid_t group = -1;
};

// Fields 4 and 5 of /proc/PID/stat (proc(5)); the name before them may hold anything, so look behind the
// last ')'.
Stat StatOf(pid_t pid) {
  Stat out;
  const auto text = ReadSmallFile("/proc/" + std::to_string(pid) + "/stat");
  if (!text) return out;
  const auto at = text->rfind(')');
  if (at == std::string::npos || at + 4 > text->size()) return out;
  const char* const end = text->data() + text->size();
  const auto parent = std::from_chars(text->data() + at + 4, end, out.parent);
  if (parent.ec == std::errc() && parent.ptr != end) {
    std::from_chars(parent.ptr + 1, end, out.group);
  }
  return out;
}

// The numbers among the names in a directory; nullopt if it cannot be read.
std::optional<std::vector<pid_t>> NumbersIn(const std::string& path) {
  DIR* dir = ::opendir(path.c_str());
  if (dir == nullptr) return std::nullopt;
  std::vector<pid_t> out;
  while (const dirent* entry = ::readdir(dir)) {
    pid_t number = 0;
    const char* const end = entry->d_name + std::strlen(entry->d_name);
    const auto parsed = std::from_chars(entry->d_name, end, number);
    if (parsed.ec == std::errc() && parsed.ptr == end) out.push_back(number);
  }
  ::closedir(dir);
  return out;
}

// CONFIG_PROC_CHILDREN: distributions have it, some small kernels do not.
bool HasChildrenFiles() {
  static const bool has = ::access("/proc/thread-self/children", R_OK) == 0;
  return has;
}

void AppendNumbers(std::string_view text, std::vector<pid_t>& out) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    pid_t number = 0;
    const auto parsed = std::from_chars(at, end, number);
    if (parsed.ec == std::errc()) out.push_back(number);
    at = parsed.ptr == at ? at + 1 : parsed.ptr;
  }
}

std::vector<pid_t> ChildrenByScan(pid_t parent) {
  std::vector<pid_t> out;
  for (const pid_t pid : NumbersIn("/proc").value_or(std::vector<pid_t>())) {
    if (StatOf(pid).parent == parent) out.push_back(pid);
  }
  return out;
}

// Stops what is below `root` and not in `seen` yet; false if there was nothing.
bool StopNew(pid_t root, std::set<pid_t>& seen, std::set<pid_t>& groups) {
  bool found = false;
  VisitBelow(root, [&](pid_t child) {
    if (!seen.insert(child).second) return true;
    found = true;
    ::kill(child, SIGSTOP);  // at once: it may be gone, and its child in its place, a moment later
    const pid_t group = StatOf(child).group;
    if (group > 1 && group != ::getpgrp() && groups.insert(group).second) {
      ::kill(-group, SIGSTOP);
    }
    return true;
  });
  return found;
}

}  // namespace

std::vector<pid_t> ChildrenOf(pid_t parent) {
  if (!HasChildrenFiles()) return ChildrenByScan(parent);
  std::vector<pid_t> out;
  const std::string tasks = "/proc/" + std::to_string(parent) + "/task";
  for (const pid_t task : NumbersIn(tasks).value_or(std::vector<pid_t>())) {
    const auto text = ReadSmallFile(tasks + "/" + std::to_string(task) + "/children");
    if (text) AppendNumbers(*text, out);
  }
  return out;
}

void VisitBelow(pid_t root, const std::function<bool(pid_t)>& visit) {
  std::vector<pid_t> left{root};
  while (!left.empty()) {
    const pid_t pid = left.back();
    left.pop_back();
    for (const pid_t child : ChildrenOf(pid)) {
      if (!visit(child)) return;
      left.push_back(child);
    }
  }
}

bool EndTree(pid_t root) {
  std::set<pid_t> seen;
  std::set<pid_t> groups;
  bool is_still = false;
  for (int look = 0; look < kMaxLooks && !is_still; ++look) {
    is_still = !StopNew(root, seen, groups);
  }
  for (const pid_t group : groups) ::kill(-group, SIGKILL);
  for (const pid_t pid : seen) ::kill(pid, SIGKILL);
  return is_still;
}

}  // namespace holdfast::agent
