#include "agent/adapters/linux/tree_limits.h"

#include <array>
#include <charconv>
#include <string_view>

#include <unistd.h>

#include "agent/adapters/linux/proc_tree.h"
#include "agent/adapters/linux/small_file.h"

namespace holdfast::agent {
namespace {

// The numbers of a text that has nothing else but what divides them, by one character each.
template <std::size_t kCount>
std::optional<std::array<std::uint64_t, kCount>> Numbers(std::string_view text) {
  std::array<std::uint64_t, kCount> out{};
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  for (std::uint64_t& number : out) {
    const auto parsed = std::from_chars(at, end, number);
    if (parsed.ec != std::errc()) return std::nullopt;
    at = parsed.ptr == end ? end : parsed.ptr + 1;
  }
  return out;
}

// Resident and its own: what is shared with others or with a file is not what a limit is about. 0: it is gone.
std::uint64_t OwnMemory(pid_t pid) {
  const auto text = ReadSmallFile("/proc/" + std::to_string(pid) + "/statm");
  const auto pages = Numbers<3>(text.value_or(""));  // size, resident, shared
  if (!pages || (*pages)[1] <= (*pages)[2]) return 0;
  static const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return ((*pages)[1] - (*pages)[2]) * page;
}

}  // namespace

std::string TreeLimitsText(const TreeLimits& limits) {
  return std::to_string(limits.mem_bytes) + "," + std::to_string(limits.processes);
}

std::optional<TreeLimits> ParseTreeLimits(const char* text) {
  const auto numbers = Numbers<2>(text == nullptr ? "" : text);
  if (!numbers) return std::nullopt;
  return TreeLimits{(*numbers)[0], static_cast<std::uint32_t>((*numbers)[1])};
}

TreeExcess ExcessBelow(pid_t root, pid_t worker, const TreeLimits& limits) {
  std::uint64_t memory = 0;
  std::uint64_t count = 0;
  VisitBelow(root, [&](pid_t child) {
    memory += OwnMemory(child);
    if (child != worker) ++count;
    return count <= limits.processes;  // the rest of a tree that is too large need not be looked at
  });
  if (count > limits.processes) return TreeExcess::kProcesses;
  return memory > limits.mem_bytes ? TreeExcess::kMemory : TreeExcess::kNone;
}

}  // namespace holdfast::agent
