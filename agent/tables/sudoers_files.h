// The rules of sudoers(5), continued lines joined, includes followed.
//
// Limits:    kMaxSudoersFiles; a file that includes itself is read once.
// Threading: pure but for the Machine.
// Errors:    a file that cannot be read has no rules.
#pragma once

#include <string>
#include <vector>

#include "agent/tables/machine.h"

namespace holdfast::agent {

inline constexpr std::size_t kMaxSudoersFiles = 256;

struct SudoersRule {
  std::string source;
  std::string header;  // the first word; "include" and "includedir" without their sign
  std::string details;
};
std::vector<SudoersRule> SudoersRules(Machine& machine);

}  // namespace holdfast::agent
