// SystemdUnits: the units of the system's manager, from unit files, the links that enable them, the control
// groups and /run/systemd. The manager itself is not asked, so some states are not known.
//
// Limits:    kMaxUnits, and kMaxCgroupDepth levels of control groups.
// Ownership: borrows the Machine.
// Threading: thread-compatible.
// Errors:    what cannot be read is empty.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/tables/machine.h"

namespace holdfast::agent {

inline constexpr std::size_t kMaxUnits = 20'000;

struct UnitFile {
  std::string id;
  std::string path;       // "" for a unit that only runs
  std::string directory;  // of `path`
};

struct UnitFacts {
  std::string text;          // of the file; "" when masked or an alias of nothing
  std::string load_state;    // masked, loaded; "" when it is not known whether it is loaded
  std::string active_state;  // active, inactive; "" when not known
  std::string sub_state;
  std::string file_state;  // enabled, disabled, static, masked, alias, generated, ...
};

class SystemdUnits {
 public:
  explicit SystemdUnits(Machine& machine);
  const std::vector<UnitFile>& files() const { return files_; }
  UnitFacts Facts(const UnitFile& file) const;

 private:
  static constexpr int kMaxCgroupDepth = 8;

  void ListFiles(const std::string& directory);
  void ListLinks(const std::string& directory, std::set<std::string>& enabled);
  void WalkCgroups(const std::string& directory, int depth);
  void SetActive(const UnitFile& file, UnitFacts& facts) const;
  std::string FileState(const UnitFile& file, const std::string& link, std::string_view text) const;

  Machine& machine_;
  std::vector<UnitFile> files_;
  std::set<std::string> names_;
  std::set<std::string> enabled_;          // by links in /etc
  std::set<std::string> enabled_runtime_;  // by links in /run
  std::map<std::string, bool> cgroups_;    // unit: has it processes?
  std::set<std::string> started_;          // units with an invocation in /run/systemd/units
  bool runs_ = false;                      // is systemd the init of this machine?
};

}  // namespace holdfast::agent
