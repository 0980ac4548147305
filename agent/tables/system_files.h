// Readers of /etc/passwd, /etc/group, os-release and /proc/cpuinfo.
//
// Threading: pure functions.
// Errors:    a line that does not fit is skipped; what is missing is empty.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::agent {

// passwd(5). ids are kept as the 32 bits that the kernel has.
struct Account {
  std::string name;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string description;
  std::string directory;
  std::string shell;
};
std::optional<Account> ParsePasswdLine(std::string_view line);

struct Group {
  std::string name;
  std::uint32_t gid = 0;
};
std::optional<Group> ParseGroupLine(std::string_view line);

// os-release(5): the value of `key`, unquoted.
std::string OsReleaseValue(std::string_view text, std::string_view key);

struct CpuFacts {
  std::string brand;
  std::string model;
  std::string microcode;
  int logical_cores = 0;
  int physical_cores = 0;
  int sockets = 0;
};
CpuFacts ParseCpuinfo(std::string_view text);

}  // namespace holdfast::agent
