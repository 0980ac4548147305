#include "agent/tables/systemd_files.h"

#include <array>

#include "agent/tables/ini.h"
#include "agent/tables/places.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

// systemd.unit(5), the system's search path: earlier ones hide later ones.
constexpr std::array<std::string_view, 13> kDirectories = {
    "/etc/systemd/system.control",   "/run/systemd/system.control",  "/run/systemd/transient",
    "/run/systemd/generator.early",  "/etc/systemd/system",          "/etc/systemd/system.attached",
    "/run/systemd/system",           "/run/systemd/system.attached", "/run/systemd/generator",
    "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",      "/lib/systemd/system",
    "/run/systemd/generator.late"};

constexpr std::array<std::string_view, 11> kTypes = {".service", ".socket",    ".target", ".device",
                                                     ".mount",   ".automount", ".swap",   ".timer",
                                                     ".path",    ".slice",     ".scope"};

bool IsUnitName(std::string_view name) {
  for (const std::string_view type : kTypes) {
    if (name.ends_with(type) && name.size() > type.size()) return true;
  }
  return false;
}

// "getty@tty1.service" to "getty@.service"; others as they are.
std::string TemplateOf(std::string_view name) {
  const std::size_t at = name.find('@');
  const std::size_t dot = name.rfind('.');
  if (at == std::string_view::npos || dot == std::string_view::npos || dot < at) {
    return std::string(name);
  }
  return std::string(name.substr(0, at + 1)).append(name.substr(dot));
}

}  // namespace

SystemdUnits::SystemdUnits(Machine& machine) : machine_(machine) {
  for (const std::string_view directory : kDirectories) ListFiles(std::string(directory));
  ListLinks("/etc/systemd/system", enabled_);
  ListLinks("/run/systemd/system", enabled_runtime_);
  for (const char* root : {"/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"}) {
    WalkCgroups(root, 0);
  }
  constexpr std::string_view kInvocation = "invocation:";
  const auto started = machine.List("/run/systemd/units");
  runs_ = started.ok();
  if (!runs_) return;
  for (const std::string& name : started.value()) {
    if (name.starts_with(kInvocation)) started_.insert(name.substr(kInvocation.size()));
  }
}

void SystemdUnits::ListFiles(const std::string& directory) {
  for (std::string& name : SortedNames(machine_, directory)) {
    if (files_.size() == kMaxUnits) return;
    if (!IsUnitName(name) || !names_.insert(name).second) continue;
    std::string path = JoinPath(directory, name);
    files_.push_back({.id = std::move(name), .path = std::move(path), .directory = directory});
  }
}

// DIRECTORY/X.wants/NAME and the like, and DIRECTORY/ALIAS, which is a link to NAME.
void SystemdUnits::ListLinks(const std::string& directory, std::set<std::string>& enabled) {
  for (const std::string& name : SortedNames(machine_, directory)) {
    const std::string path = JoinPath(directory, name);
    if (name.ends_with(".wants") || name.ends_with(".requires") || name.ends_with(".upholds")) {
      for (const std::string& wanted : SortedNames(machine_, path)) {
        enabled.insert(wanted);
        enabled.insert(TemplateOf(wanted));
        const auto target = machine_.ReadLink(JoinPath(path, wanted));
        if (target.ok()) enabled.insert(std::string(BaseName(target.value())));
      }
    } else if (IsUnitName(name)) {
      const auto target = machine_.ReadLink(path);
      if (target.ok() && BaseName(target.value()) != name) {
        enabled.insert(std::string(BaseName(target.value())));
      }
    }
  }
}

void SystemdUnits::WalkCgroups(const std::string& directory, int depth) {
  if (depth == kMaxCgroupDepth) return;
  for (const std::string& name : SortedNames(machine_, directory)) {
    const bool slice = name.ends_with(".slice");
    if (!slice && !name.ends_with(".service") && !name.ends_with(".scope")) continue;
    const std::string path = JoinPath(directory, name);
    const auto events = machine_.ReadFile(path + "/cgroup.events", 4096);
    bool populated = false;
    if (events.ok()) {
      populated = events.value().find("populated 1") != std::string::npos;
    } else {  // version 1
      const auto pids = machine_.ReadFile(path + "/cgroup.procs", 64);
      populated = pids.ok() && !pids.value().empty();
    }
    cgroups_[name] = cgroups_[name] || populated;
    if (names_.insert(name).second && files_.size() < kMaxUnits) {
      files_.push_back({.id = name, .path = {}, .directory = {}});
    }
    // What lies below user@1000.service belongs to another manager.
    if (slice) WalkCgroups(path, depth + 1);
  }
}

void SystemdUnits::SetActive(const UnitFile& file, UnitFacts& facts) const {
  const bool service = file.id.ends_with(".service");
  const bool scope = file.id.ends_with(".scope");
  const auto group = cgroups_.find(file.id);
  if (group != cgroups_.end() && (group->second || file.id.ends_with(".slice"))) {
    facts.active_state = "active";
    facts.sub_state = service || scope ? "running" : "active";
  } else if (started_.contains(file.id)) {
    facts.active_state = "active";
    facts.sub_state = service                        ? "exited"
                      : file.id.ends_with(".mount")  ? "mounted"
                      : file.id.ends_with(".socket") ? "listening"
                                                     : "";
  } else if (runs_ && (service || scope)) {
    facts.active_state = "inactive";
    facts.sub_state = "dead";
  }
  if (facts.active_state == "active") facts.load_state = "loaded";
}

std::string SystemdUnits::FileState(const UnitFile& file, const std::string& link,
                                    std::string_view text) const {
  if (file.directory == "/run/systemd/transient") return "transient";
  if (file.directory.starts_with("/run/systemd/generator")) return "generated";
  if (!link.empty() && BaseName(link) != file.id) return "alias";
  if (enabled_.contains(file.id)) return "enabled";
  if (enabled_runtime_.contains(file.id)) return "enabled-runtime";
  if (!link.empty() && file.directory == "/etc/systemd/system") return "linked";
  bool also = false;
  IniReader reader(text);
  while (reader.Next()) {
    if (reader.section() != "Install" || reader.value().empty()) continue;
    also = also || reader.key() == "Also";
    for (const std::string_view key : {"WantedBy", "RequiredBy", "UpheldBy", "Alias"}) {
      if (reader.key() == key) return "disabled";
    }
  }
  return also ? "indirect" : "static";
}

UnitFacts SystemdUnits::Facts(const UnitFile& file) const {
  UnitFacts facts;
  SetActive(file, facts);
  if (file.path.empty()) return facts;
  const auto link = machine_.ReadLink(file.path);
  const std::string target = link.ok() ? link.value() : std::string();
  const auto stat = machine_.Stat(file.path, Links::kFollow);
  const bool empty =
      stat.ok() && (stat.value().mode & kTypeMask) == kTypeRegular && stat.value().size == 0;
  if (target == "/dev/null" || empty) {
    facts.load_state = "masked";
    facts.file_state = file.directory.starts_with("/run") ? "masked-runtime" : "masked";
    return facts;
  }
  facts.text = ReadText(machine_, file.path);
  facts.file_state = FileState(file, target, facts.text);
  return facts;
}

}  // namespace holdfast::agent
