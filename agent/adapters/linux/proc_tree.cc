#include "agent/adapters/linux/proc_tree.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <string>
#include <string_view>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "agent/adapters/linux/unique_fd.h"

namespace holdfast::agent {
namespace {

struct Entry {
  pid_t pid;
  pid_t parent;
};

// Field 4 of /proc/PID/stat (proc(5)); the name before it may hold anything, so look behind the last ')'.
pid_t ParentOf(const char* pid) {
  const std::string path = std::string("/proc/") + pid + "/stat";
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return -1;
  std::array<char, 512> buffer{};
  const auto got = ::read(file.get(), buffer.data(), buffer.size());
  if (got <= 0) return -1;
  const std::string_view text(buffer.data(), static_cast<std::size_t>(got));
  const auto at = text.rfind(')');
  if (at == std::string_view::npos || at + 4 > text.size()) return -1;
  pid_t parent = -1;
  std::from_chars(text.data() + at + 4, text.data() + text.size(), parent);
  return parent;
}

std::vector<Entry> AllProcesses() {
  std::vector<Entry> out;
  DIR* proc = ::opendir("/proc");
  if (proc == nullptr) return out;
  while (const dirent* entry = ::readdir(proc)) {
    pid_t pid = 0;
    const char* end = entry->d_name + std::strlen(entry->d_name);
    const auto parsed = std::from_chars(entry->d_name, end, pid);
    if (parsed.ec != std::errc() || parsed.ptr != end) continue;
    out.push_back({pid, ParentOf(entry->d_name)});
  }
  ::closedir(proc);
  return out;
}

}  // namespace

std::vector<pid_t> ChildrenOf(pid_t parent) {
  std::vector<pid_t> out;
  for (const Entry& entry : AllProcesses()) {
    if (entry.parent == parent) out.push_back(entry.pid);
  }
  return out;
}

std::vector<pid_t> DescendantsOf(pid_t root) {
  const std::vector<Entry> all = AllProcesses();
  std::vector<pid_t> out;
  std::vector<pid_t> level{root};
  while (!level.empty()) {
    std::vector<pid_t> next;
    for (const Entry& entry : all) {
      const bool is_below = std::find(level.begin(), level.end(), entry.parent) != level.end();
      const bool is_new = std::find(out.begin(), out.end(), entry.pid) == out.end();
      if (is_below && is_new && entry.pid != root) next.push_back(entry.pid);
    }
    out.insert(out.end(), next.begin(), next.end());
    level = std::move(next);
  }
  return out;
}

}  // namespace holdfast::agent
