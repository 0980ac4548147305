#include "agent/verbs/account_names.h"

#include "agent/adapters/procfs/procfs_machine.h"
#include "agent/tables/system_files.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{16} << 20;  // some 200,000 accounts

}  // namespace

AccountNames::AccountNames() {
  ProcfsMachine machine;
  std::string_view line;
  const auto passwd = machine.ReadFile("/etc/passwd", kMaxFileBytes);
  std::string_view rest = passwd.ok() ? std::string_view(passwd.value()) : std::string_view();
  while (NextLine(rest, line)) {
    if (auto account = ParsePasswdLine(line))
      users_.try_emplace(account->uid, std::move(account->name));
  }
  const auto group = machine.ReadFile("/etc/group", kMaxFileBytes);
  rest = group.ok() ? std::string_view(group.value()) : std::string_view();
  while (NextLine(rest, line)) {
    if (auto parsed = ParseGroupLine(line))
      groups_.try_emplace(parsed->gid, std::move(parsed->name));
  }
}

std::optional<std::uint32_t> AccountNames::UidOf(std::string_view user) const {
  for (const auto& [uid, name] : users_) {
    if (name == user) return uid;
  }
  return std::nullopt;
}

std::string_view AccountNames::Find(const Names& names, std::uint32_t id) {
  const auto found = names.find(id);
  return found == names.end() ? std::string_view() : std::string_view(found->second);
}

void AccountNames::Add(RowWriter& rows, const Names& names, std::uint32_t id) {
  const std::string_view name = Find(names, id);
  if (name.empty()) return rows.AddNull();
  rows.AddText(name);
}

}  // namespace holdfast::agent
