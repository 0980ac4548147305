// Fleet: N simulated agents on one loop.
//
// Brings them up at the rate asked for, turns each when its time comes, shows progress, and takes
// them down in an orderly way on a signal.
//
// Limits:    FleetOptions; one timer entry per agent.
// Threading: loop thread only.
// Errors:    Run(): the bundle does not verify, or there is no room for so many descriptors.
#pragma once

#include "backend/fleet/fleet_options.h"
#include "backend/fleet/report.h"
#include "common/base/result.h"

namespace holdfast::fleet {

// Until options.seconds are over or SIGINT or SIGTERM came; progress on stderr.
Result<Report> RunFleet(const FleetOptions& options);

}  // namespace holdfast::fleet
