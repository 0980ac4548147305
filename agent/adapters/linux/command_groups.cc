#include "agent/adapters/linux/command_groups.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string_view>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "agent/adapters/linux/small_file.h"

namespace holdfast::agent {
namespace {

constexpr std::string_view kOwnLeaf = "/agent";
constexpr std::string_view kCommandLeaf = "/command-";
// Beyond what the programs may have: keeper and worker; and so much that the keeper sees who is above, and says so.
constexpr std::uint64_t kSlackBytes = std::uint64_t{32} << 20;
constexpr std::uint32_t kSlackProcesses = 64;
// Against 100 of everything else: what runs here normally goes first.
constexpr const char* kWeight = "20";

// `text` must outlive them.
std::vector<std::string_view> LinesOf(const std::optional<std::string>& text) {
  std::vector<std::string_view> lines;
  std::string_view left = text ? std::string_view(*text) : std::string_view();
  while (!left.empty()) {
    const std::size_t end = std::min(left.find('\n'), left.size());
    lines.push_back(left.substr(0, end));
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  return lines;
}

bool IsDelegated(const std::string& path) {
  char value = '0';
  return (::getxattr(path.c_str(), "trusted.delegate", &value, 1) == 1 ||
          ::getxattr(path.c_str(), "user.delegate", &value, 1) == 1) &&
         value == '1';
}

// Our place in the v2 tree, from the tree's root: "0::/system.slice/holdfast-agent.service".
std::optional<std::string> OwnPlace() {
  const auto text = ReadSmallFile("/proc/self/cgroup");
  for (const std::string_view line : LinesOf(text)) {
    if (line.starts_with("0::/")) return std::string(line.substr(3));
  }
  return std::nullopt;
}

// Where the whole of that tree is mounted: "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw".
std::optional<std::string> MountPoint() {
  const auto text = ReadSmallFile("/proc/self/mountinfo");
  for (const std::string_view line : LinesOf(text)) {
    if (line.find(" - cgroup2 ") == std::string_view::npos) continue;
    std::array<std::string_view, 5> fields;
    std::size_t at = 0;
    for (std::string_view& field : fields) {
      const std::size_t end = std::min(line.find(' ', at), line.size());
      field = line.substr(at, end - at);
      at = std::min(end + 1, line.size());
    }
    if (fields[3] == "/") return std::string(fields[4]);
  }
  return std::nullopt;
}

// A group with processes in it cannot give its controllers on: all of ours go one down.
bool MoveDown(const std::string& base) {
  const std::string leaf = base + std::string(kOwnLeaf);
  if (::mkdir(leaf.c_str(), 0755) != 0 && errno != EEXIST) return false;
  const auto procs = ReadSmallFile(base + "/cgroup.procs");
  bool moved = procs.has_value();
  for (const std::string_view pid : LinesOf(procs)) {
    moved = WriteSmallFile(leaf + "/cgroup.procs", pid) && moved;
  }
  return moved;
}

// Of a run before this one.
void RemoveOld(const std::string& base) {
  DIR* dir = ::opendir(base.c_str());
  if (dir == nullptr) return;
  while (const dirent* entry = ::readdir(dir)) {
    const std::string path = base + "/" + entry->d_name;
    if (path.starts_with(base + std::string(kCommandLeaf))) ::rmdir(path.c_str());
  }
  ::closedir(dir);
}

}  // namespace

std::unique_ptr<CommandGroups> CommandGroups::Open() {
  const auto mount = MountPoint();
  auto place = OwnPlace();
  if (!mount || !place) return nullptr;
  std::string base = *mount + *place;
  if (base.ends_with(kOwnLeaf))
    base.resize(base.size() - kOwnLeaf.size());  // a run before moved us
  if (!IsDelegated(base) || !MoveDown(base)) return nullptr;
  for (const char* needed : {"+memory", "+pids"}) {
    if (!WriteSmallFile(base + "/cgroup.subtree_control", needed)) return nullptr;
  }
  for (const char* wanted : {"+cpu", "+io"})
    WriteSmallFile(base + "/cgroup.subtree_control", wanted);
  RemoveOld(base);
  return std::unique_ptr<CommandGroups>(new CommandGroups(base));
}

std::unique_ptr<CommandGroups::Group> CommandGroups::Make(std::uint32_t number,
                                                          const TreeLimits& limits) {
  Sweep();
  const std::string path = base_ + std::string(kCommandLeaf) + std::to_string(number);
  if (::mkdir(path.c_str(), 0755) != 0) return nullptr;
  auto group = std::make_unique<Group>(*this, path);
  const bool is_bounded =
      WriteSmallFile(path + "/memory.max", std::to_string(limits.mem_bytes + kSlackBytes)) &&
      WriteSmallFile(path + "/pids.max", std::to_string(limits.processes + kSlackProcesses));
  if (!is_bounded) return nullptr;
  WriteSmallFile(path + "/memory.oom.group", "1");  // kernel 4.19: a half of them is of no use
  WriteSmallFile(path + "/cpu.weight", kWeight);
  WriteSmallFile(path + "/io.weight", kWeight);
  return group;
}

void CommandGroups::Sweep() {
  std::erase_if(
      left_, [](const std::string& path) { return ::rmdir(path.c_str()) == 0 || errno == ENOENT; });
}

CommandGroups::Group::~Group() {
  Kill();
  if (::rmdir(path_.c_str()) != 0) owner_.left_.push_back(path_);
}

UniqueFd CommandGroups::Group::OpenDoor() const {
  return UniqueFd(::open((path_ + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
}

bool CommandGroups::Group::ran_out_of_memory() const {
  constexpr std::string_view kName = "oom_kill ";
  const auto events = ReadSmallFile(path_ + "/memory.events");
  for (const std::string_view line : LinesOf(events)) {
    if (line.starts_with(kName)) return line.substr(kName.size()) != "0";
  }
  return false;
}

void CommandGroups::Group::Kill() const {
  WriteSmallFile(path_ + "/cgroup.kill",
                 "1");  // kernel 5.14; before it the tree is read (proc_tree.h)
}

}  // namespace holdfast::agent
