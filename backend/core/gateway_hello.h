// CheckHello: does this Hello answer our challenge, by the key that its agent id comes from?
//
// Everything that one process can know about an identity. Whether the agent is enrolled, and whether its
// epoch is the newest, is control's to say (Claim).
//
// Threading: pure but for the Crypto handed in.
// Errors:    kDenied: something does not match or verify. kInvalid: not a Hello at all.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/sign/crypto.h"

namespace holdfast::backend {

struct HelloExpected {
  FleetId fleet_id;
  Nonce32 challenge;
  std::string server_name;
};
struct ProvedIdentity {
  AgentId agent_id;
  std::uint64_t epoch = 0;
};

Result<ProvedIdentity> CheckHello(const sign::Crypto& crypto, std::string_view envelope_bytes,
                                  const HelloExpected& expected);

}  // namespace holdfast::backend
