#include "backend/cli/host_names.h"

#include <algorithm>
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

struct Name {
  std::string text;
  std::string id;          // all its digits
  std::size_t digits = 0;  // how many of them are shown
  std::string shown() const {
    if (digits == 0) return text;
    return (text.empty() ? "" : text + "-") + id.substr(0, digits);
  }
};

// A hostname may be what another one becomes with its id added ("web-6f1c0a2b"), and an id may be made
// to begin like another. So of those that are shown alike the ones with the fewest digits of their own
// get more, until none are; the order of the targets plays no part.
std::map<AgentId, std::string> Distinct(
    const std::vector<sdk::Target>& targets,
    const std::function<std::string(const sdk::Target&)>& name) {
  std::map<AgentId, Name> names;
  for (const auto& target : targets) {
    const std::string text = name(target);
    names[target.id] = {text, target.id.hex(), text.empty() ? kShortIdDigits : 0};
  }
  for (bool again = true; again;) {
    again = false;
    std::map<std::string, std::vector<Name*>> alike;
    for (auto& [id, one] : names) alike[one.shown()].push_back(&one);
    for (auto& [shown, group] : alike) {
      if (group.size() < 2) continue;
      const auto fewer = [](const Name* a, const Name* b) { return a->digits < b->digits; };
      const std::size_t fewest = (*std::min_element(group.begin(), group.end(), fewer))->digits;
      for (Name* one : group) {
        if (one->digits == fewest) one->digits = fewest == 0 ? kShortIdDigits : one->id.size();
      }
      again = true;
    }
  }
  std::map<AgentId, std::string> out;
  for (const auto& [id, one] : names) out[id] = one.shown();
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
