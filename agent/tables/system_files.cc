#include "agent/tables/system_files.h"

#include <algorithm>
#include <set>
#include <utility>

#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

std::optional<std::uint32_t> ParseId(std::string_view text) {
  const auto value = ParseInt(text);  // old files have -2 for nobody
  if (!value || *value < INT32_MIN || *value > UINT32_MAX) return std::nullopt;
  return static_cast<std::uint32_t>(*value);
}

}  // namespace

std::optional<Account> ParsePasswdLine(std::string_view line) {
  Account account;
  account.name = NextField(line, ':');
  NextField(line, ':');  // the password's place
  const auto uid = ParseId(NextField(line, ':'));
  const auto gid = ParseId(NextField(line, ':'));
  // NIS entries ("+@admins::::::") and comments name no account.
  if (account.name.empty() || account.name.front() == '#' || !uid || !gid) return std::nullopt;
  account.uid = *uid;
  account.gid = *gid;
  account.description = NextField(line, ':');
  account.directory = NextField(line, ':');
  account.shell = NextField(line, ':');
  return account;
}

std::optional<Group> ParseGroupLine(std::string_view line) {
  Group group;
  group.name = NextField(line, ':');
  NextField(line, ':');
  const auto gid = ParseId(NextField(line, ':'));
  if (group.name.empty() || !gid) return std::nullopt;
  group.gid = *gid;
  return group;
}

std::string OsReleaseValue(std::string_view text, std::string_view key) {
  std::string_view raw = ValueOf(text, key);
  if (raw.empty() || (raw.front() != '"' && raw.front() != '\'')) return std::string(raw);
  const char quote = raw.front();
  std::string value;
  for (std::size_t i = 1; i < raw.size() && raw[i] != quote; ++i) {
    if (raw[i] == '\\' && quote == '"' && i + 1 < raw.size()) ++i;
    value.push_back(raw[i]);
  }
  return value;
}

CpuFacts ParseCpuinfo(std::string_view text) {
  CpuFacts cpu;
  std::set<std::string_view> sockets;
  std::set<std::pair<std::string_view, std::string_view>> cores;
  std::string_view socket;
  std::string_view line;
  while (NextLine(text, line)) {
    std::string_view value = line;
    const std::string_view key = Trim(NextField(value, ':'));
    value = Trim(value);
    if (key == "processor" && ParseUint(value)) ++cpu.logical_cores;
    if (key == "physical id") sockets.insert(socket = value);
    if (key == "core id") cores.emplace(socket, value);
    if (key == "model name" && cpu.brand.empty()) cpu.brand = value;
    if (key == "model" && cpu.model.empty()) cpu.model = value;
    if (key == "microcode" && cpu.microcode.empty()) cpu.microcode = value;
  }
  cpu.sockets = std::max(1, static_cast<int>(sockets.size()));
  // Arm and virtual machines name no cores: then each processor is one.
  cpu.physical_cores = cores.empty() ? cpu.logical_cores : static_cast<int>(cores.size());
  return cpu;
}

}  // namespace holdfast::agent
