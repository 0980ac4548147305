// Simulation: a fleet of simulated agents whose keys all come from one seed.
//
// For fleets too large to enrol one by one: `holdfast-fleet enrol` writes their public halves into the store
// of a backend that is marked as a simulation, and a file with the seed, from which each agent's key follows.
// Every Hello is signed with that key and verified like any other.
//
//   file = "HOLDFAST-SIMULATION-v1 <seed, base64url> <agents>" LF, an enrolment bundle whose token opens nothing
//
// Limits:    kMaxAgents agents; the file is as secret as all of their keys.
// Threading: values and pure functions.
// Errors:    ParseSimulation(): kInvalid.
// Design:    docs/decisions/0075-simulated-fleets-share-a-seed.md
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/sign/crypto.h"
#include "holdfast/command/v1/trust.pb.h"

namespace holdfast::fleet {

// The largest fleet that was ever tried, twice over.
inline constexpr std::uint32_t kMaxAgents = 2'000'000;

struct Simulation {
  Nonce32 seed;
  std::uint32_t agents = 0;
  ::holdfast::command::v1::Bundle bundle;
};

bool IsSimulation(std::string_view text);
std::string FormatSimulation(const Simulation& simulation);
Result<Simulation> ParseSimulation(std::string_view text);

// The key of agent `number`; the same for ever.
Result<std::unique_ptr<sign::SigningKey>> SimulatedKey(const sign::Crypto& crypto,
                                                       const Nonce32& seed, std::uint32_t number);

}  // namespace holdfast::fleet
