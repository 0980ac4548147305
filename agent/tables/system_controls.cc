// system_controls: the kernel's settings under /proc/sys, beside what the files of sysctl.d say.
#include <algorithm>
#include <map>

#include "agent/tables/registry.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kMaxValueBytes = 64 * 1024;
constexpr std::size_t kMaxDepth = 16;  // the kernel has some 6 levels

constexpr ColumnType kT = ColumnType::kText;

constexpr Column kColumns[] = {
    {"name", kT, "Path below /proc/sys with '.' for '/'", kIndex},
    {"oid", kT, "Always empty on Linux", kAdditional},
    {"subsystem", kT, "First part of the name", kAdditional},
    {"current_value", kT, "Value now; NULL where it may not be read"},
    {"config_value", kT, "Value that /etc/sysctl.conf or a file of sysctl.d gives; NULL for none"},
    {"type", kT, "Always string"},
};
enum ColumnAt : std::size_t { kName, kOid, kSubsystem, kCurrent, kConfig, kType };

// Dots for slashes: sysctl(8) takes both.
std::string Dotted(std::string_view path) {
  std::string name(path);
  std::replace(name.begin(), name.end(), '/', '.');
  return name;
}

void AddSettings(std::string_view text, std::map<std::string, std::string>& settings) {
  std::string_view line;
  while (NextLine(text, line)) {
    std::string_view value = Trim(line);
    if (value.empty() || value.front() == '#' || value.front() == ';') continue;
    if (value.front() == '-') value.remove_prefix(1);  // errors do not matter
    if (value.find('=') == std::string_view::npos) continue;
    const std::string_view key = Trim(NextField(value, '='));
    settings[Dotted(key)] = Trim(value);
  }
}

// sysctl.d(5): by file name; of two of one name that of /etc counts. sysctl.conf comes last.
std::map<std::string, std::string> Settings(Machine& machine) {
  std::map<std::string, std::string> files;
  for (const char* folder : {"/usr/lib/sysctl.d/", "/run/sysctl.d/", "/etc/sysctl.d/"}) {
    const auto names = machine.List(folder);
    if (!names.ok()) continue;
    for (const std::string& name : names.value()) {
      if (name.ends_with(".conf")) files[name] = folder + name;
    }
  }
  std::map<std::string, std::string> settings;
  for (const auto& [name, path] : files) AddSettings(ReadOr(machine, path), settings);
  AddSettings(ReadOr(machine, "/etc/sysctl.conf"), settings);
  return settings;
}

class ControlRows : public RowSource {
 public:
  ControlRows(const Request& request, Machine& machine)
      : machine_(machine), wants_value_(request.Uses(kCurrent)) {
    if (request.Uses(kConfig)) settings_ = Settings(machine);
    std::string subsystem = request.EqualText(kSubsystem).value_or("");
    if (const auto name = request.EqualText(kName)) {
      std::string path = *name;
      std::replace(path.begin(), path.end(), '.', '/');
      if (IsFile(path)) {
        waiting_.push_back(std::move(path));
        return;
      }
      // A part may have a dot in it, as the name of an interface: then its subsystem is searched.
      subsystem = name->substr(0, name->find('.'));
    }
    if (subsystem.find('/') == std::string::npos) waiting_.push_back(std::move(subsystem));
  }

  bool Next(Row& row) override {
    while (!waiting_.empty()) {
      const std::string path = std::move(waiting_.back());
      waiting_.pop_back();
      if (!path.empty() && IsFile(path)) {
        Fill(path, row);
        return true;
      }
      Descend(path);
    }
    return false;
  }

 private:
  static std::string Full(const std::string& path) { return "/proc/sys/" + path; }

  bool IsFile(const std::string& path) {
    const auto stat = machine_.Stat(Full(path), Links::kKeep);
    return stat.ok() && (stat.value().mode & kTypeMask) == kTypeRegular;
  }

  void Descend(const std::string& path) {
    // Looking in would mount it: no settings are there.
    if (path == "fs/binfmt_misc") return;
    if (std::count(path.begin(), path.end(), '/') >= static_cast<std::ptrdiff_t>(kMaxDepth)) return;
    const auto stat = machine_.Stat(Full(path), Links::kKeep);
    if (!stat.ok() || (stat.value().mode & kTypeMask) != kTypeDirectory) return;
    auto names = machine_.List(Full(path));
    if (!names.ok()) return;
    std::sort(names.value().rbegin(), names.value().rend());
    for (const std::string& name : names.value()) {
      waiting_.push_back(path.empty() ? name : path + "/" + name);
    }
  }

  void Fill(const std::string& path, Row& row) {
    const std::string name = Dotted(path);
    row[kName] = name;
    row[kOid] = Text("");
    row[kSubsystem] = Text(std::string_view(path).substr(0, path.find('/')));
    // Reading vm.stat_refresh makes the kernel count: not for a look.
    if (wants_value_ && path != "vm/stat_refresh") {
      const auto value = machine_.ReadFile(Full(path), kMaxValueBytes);
      if (value.ok()) row[kCurrent] = Text(Trim(value.value()));
    }
    const auto setting = settings_.find(name);
    if (setting != settings_.end()) row[kConfig] = setting->second;
    row[kType] = Text("string");
  }

  Machine& machine_;
  bool wants_value_;
  std::map<std::string, std::string> settings_;
  std::vector<std::string> waiting_;  // paths below /proc/sys; the next one last
};

}  // namespace

const Table kSystemControlsTable = {
    .name = "system_controls",
    .description = "Settings of the kernel (sysctl).",
    .example =
        "SELECT name, current_value FROM system_controls WHERE name = 'kernel.core_pattern';",
    .cost = Cost::kDevices,
    .columns = kColumns,
    .open = OpenRows<ControlRows>,
};

}  // namespace holdfast::agent
