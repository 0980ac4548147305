// selinux_settings and apparmor_profiles: the access control that is loaded.
#include <utility>

#include "agent/tables/mount_files.h"
#include "agent/tables/registry.h"
#include "agent/tables/rows.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;

constexpr Column kSelinuxColumns[] = {
    {"scope", kT, "Empty for the whole, booleans, policy_capabilities, initial_contexts or class"},
    {"key", kT, "Name; of a class: with the kind of permission"},
    {"value", kT, "Value; of booleans on, off, or both when one is pending"},
};

std::string SelinuxPath(Machine& machine) {
  const std::string text = ReadOr(machine, "/proc/self/mounts", kMaxMountsBytes);
  std::string_view rest = text;
  std::string_view line;
  while (NextLine(rest, line)) {
    auto mount = ParseMountLine(line);
    if (mount && mount->type == "selinuxfs") return std::move(mount->path) + "/";
  }
  return {};
}

std::vector<std::string> Names(Machine& machine, const std::string& path) {
  auto names = machine.List(path);
  return names.ok() ? std::move(names).value() : std::vector<std::string>();
}

void AddSelinux(Machine& machine, const std::string& root, std::string_view scope,
                std::string_view key, TableRows& rows) {
  std::string path = root + std::string(scope);
  auto text = machine.ReadFile(path.append("/").append(key), 4096);
  if (!text.ok()) return;
  std::string_view value = Trim(text.value());
  if (scope == "booleans") value = value == "0 0" ? "off" : value == "1 1" ? "on" : value;
  rows.Begin().Text(scope).Text(key).Text(value);
}

void FillSelinux(const Request&, Machine& machine, TableRows& rows) {
  const std::string root = SelinuxPath(machine);
  if (root.empty()) return;
  for (const std::string_view key :
       {"checkreqprot", "deny_unknown", "enforce", "mls", "policyvers", "reject_unknown"}) {
    AddSelinux(machine, root, "", key, rows);
  }
  for (const std::string_view scope : {"booleans", "policy_capabilities", "initial_contexts"}) {
    for (const std::string& key : Names(machine, root + std::string(scope))) {
      AddSelinux(machine, root, scope, key, rows);
    }
  }
  for (const std::string& kind : Names(machine, root + "class")) {
    const std::string key = kind + "/perms";
    for (const std::string& value : Names(machine, root + "class/" + key)) {
      rows.Begin().Text("class").Text(key).Text(value);
    }
  }
}

constexpr Column kApparmorColumns[] = {
    {"path", kT, "Name, after those of the profiles that it is part of", kIndex},
    {"name", kT, "Name of the profile"},
    {"attach", kT, "Programs that it is put on"},
    {"mode", kT, "enforce, complain, kill, unconfined"},
    {"sha1", kT, "SHA-1 of the loaded profile; NULL on kernels that keep another"},
    {"sha256", kT, "SHA-256 of the loaded profile; NULL on kernels that keep another"},
};

void FillApparmor(const Request&, Machine& machine, TableRows& rows) {
  constexpr std::size_t kMaxProfiles = 65'536;  // in all, and deeper than any stack of profiles
  std::vector<std::pair<std::string, std::string>> waiting;  // directory, path of the parent
  waiting.emplace_back("/sys/kernel/security/apparmor/policy/profiles", "");
  for (std::size_t seen = 0; !waiting.empty() && seen < kMaxProfiles; ++seen) {
    const auto [directory, parent] = std::move(waiting.back());
    waiting.pop_back();
    for (const std::string& entry : Names(machine, directory)) {
      const std::string profile = directory + "/" + entry;
      const std::string name = ReadValue(machine, profile + "/name");
      if (name.empty()) continue;
      const std::string path = parent.empty() ? name : parent + "//" + name;
      rows.Begin().Text(path).Text(name).Text(ReadValue(machine, profile + "/attach"));
      rows.Text(ReadValue(machine, profile + "/mode"));
      rows.TextOrNull(ReadValue(machine, profile + "/sha1"));
      rows.TextOrNull(ReadValue(machine, profile + "/sha256"));
      waiting.emplace_back(profile + "/profiles", path);
    }
  }
}

}  // namespace

const Table kSelinuxSettingsTable = {
    .name = "selinux_settings",
    .description = "What SELinux is set to; no rows where it is not loaded.",
    .example = "SELECT value FROM selinux_settings WHERE scope = '' AND key = 'enforce';",
    .cost = Cost::kDevices,
    .columns = kSelinuxColumns,
    .open = OpenFilled<kSelinuxColumns, FillSelinux>,
};

const Table kApparmorProfilesTable = {
    .name = "apparmor_profiles",
    .description = "Profiles that AppArmor has loaded; no rows without root.",
    .example = "SELECT name, attach FROM apparmor_profiles WHERE mode <> 'enforce';",
    .cost = Cost::kDevices,
    .columns = kApparmorColumns,
    .open = OpenFilled<kApparmorColumns, FillApparmor>,
};

}  // namespace holdfast::agent
