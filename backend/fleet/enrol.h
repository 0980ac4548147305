// EnrolSimulation: writes simulated agents into the store of a backend that does not run.
//
// Enrolling a million agents one by one would take hours, and would measure enrolment. This writes the rows
// that an enrolment leaves behind, and one audit record that says so. The agents still have to prove
// themselves at every Hello, with keys that follow from the file that this makes.
//
// Limits:    kMaxAgents; a file that exists is added to, never cut.
// Threading: one thread, before any other is made: it forks, to make keys on every core.
// Errors:    kDenied: the fleet is not marked as a simulation, or holds agents that are none of the file's.
//            kExists: holdfastd runs. What was committed before another error is kept; do it again.
// Design:    docs/decisions/0075-simulated-fleets-share-a-seed.md
#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"

namespace holdfast::fleet {

struct EnrolOptions {
  std::string config_file;  // holdfastd.toml
  std::string file;         // the simulation's; made, or added to
  std::uint32_t agents = 0;
};

Status EnrolSimulation(const EnrolOptions& options);

}  // namespace holdfast::fleet
