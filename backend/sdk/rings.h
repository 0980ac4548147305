// Rings: who gets a new program first, and who when that has gone well.
//
// 1, 10, 50 and 100 % of each kind (architecture and version) of agent, so that none is met for the first time by half a fleet.
// Who is first follows from a hash over release and agent: another release has others first, the same one the same. What is
// offline can prove nothing, and comes last.
//
// Limits:    every ring has an agent; small fleets have fewer rings.
// Threading: pure functions.
// Design:    docs/decisions/0116-rings.md
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/sign/crypto.h"
#include "holdfast/api/v1/api.pb.h"

namespace holdfast::sdk {

struct RingAgent {
  AgentId id;
  std::string hostname;  // claims of the agent, as the next two
  std::string arch;
  std::string version;
  bool online = false;
};
using Ring = std::vector<RingAgent>;

// Of `agents` those that do not run `version` or a newer one.
std::vector<Ring> PlanRings(const sign::Crypto& crypto,
                            const std::vector<::holdfast::api::v1::Agent>& agents,
                            const std::string& version);

}  // namespace holdfast::sdk
