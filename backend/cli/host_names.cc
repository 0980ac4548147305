#include "backend/cli/host_names.h"

#include <functional>

#include "common/base/untrusted.h"

namespace holdfast::cli {
namespace {

constexpr std::size_t kShortIdDigits = 8;  // enough to tell a few apart
constexpr std::size_t kMaxShownBytes = 64;
constexpr std::size_t kMaxDirectoryBytes = 100;  // NAME_MAX is 255, with room for the id

std::string SafeForFile(const std::string& hostname) {
  std::string out;
  for (const char c : hostname.substr(0, kMaxDirectoryBytes)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '_' || c == '-';
    out += plain ? c : '_';
  }
  if (!out.empty() && (out.front() == '.' || out.front() == '-')) out.front() = '_';
  return out;
}

std::map<AgentId, std::string> Distinct(
    const std::vector<sdk::Target>& targets,
    const std::function<std::string(const sdk::Target&)>& name) {
  std::map<std::string, int> uses;
  for (const auto& target : targets) ++uses[name(target)];
  std::map<AgentId, std::string> out;
  for (const auto& target : targets) {
    const std::string text = name(target);
    const std::string id = target.id.hex().substr(0, kShortIdDigits);
    out[target.id] = text.empty() ? id : uses[text] > 1 ? text + "-" + id : text;
  }
  return out;
}

}  // namespace

std::map<AgentId, std::string> ShownHosts(const std::vector<sdk::Target>& targets) {
  return Distinct(targets, [](const sdk::Target& target) {
    return ForTerminal(Untrusted(target.hostname), kMaxShownBytes);
  });
}

std::map<AgentId, std::string> DirectoryNames(const std::vector<sdk::Target>& targets) {
  return Distinct(targets, [](const sdk::Target& target) { return SafeForFile(target.hostname); });
}

}  // namespace holdfast::cli
