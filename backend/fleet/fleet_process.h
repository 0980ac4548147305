// RunFleetProcess: the simulated agents of one process on one loop.
//
// Brings up as many as its page says are wanted, turns each when its time comes, and takes them down in an
// orderly way when `wake_fd` ends: it becomes readable when the page has changed, and ends with the
// process that started this one.
//
// Limits:    one timer entry per agent; kMaxDialsPerTurn new agents a turn.
// Threading: loop thread only.
// Errors:    no room for so many descriptors; identities that cannot be read or written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "backend/fleet/figures.h"
#include "backend/fleet/fleet_options.h"
#include "backend/fleet/simulation.h"
#include "common/base/result.h"
#include "common/sign/chain.h"

namespace holdfast::fleet {

struct FleetProcess {
  const FleetOptions& options;
  const ::holdfast::command::v1::Bundle& bundle;
  std::optional<Nonce32> seed;  // of a simulation
  std::uint32_t first = 0;      // its agents are `first` to `first + agents - 1`
  std::uint32_t agents = 0;
  int wake_fd = -1;
};

Status RunFleetProcess(const FleetProcess& process, FigurePage& page);

// The policy that came with the bundle, checked as an agent would.
Result<sign::TrustedPolicy> TrustOf(const sign::Crypto& crypto,
                                    const ::holdfast::command::v1::Bundle& bundle);

}  // namespace holdfast::fleet
