// ProvedHello: what an agent's Hello says, once its signature and its sizes hold.
//
// The gateway has verified the same bytes, and the challenge; Redis stands in between, and checking
// again costs a tenth of a millisecond per dial.
//
// Threading: values and pure functions.
// Errors:    VerifyHello(): kInvalid, kDenied.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/sign/crypto.h"

namespace holdfast::backend {

struct ProvedHello {
  AgentId agent;
  PublicKey pubkey;
  Nonce16 incarnation;
  Nonce16 instance_nonce;
  Nonce32 fingerprint;
  Nonce16 contact;  // zero: none
  std::uint64_t epoch = 0;
  std::string token;
  std::string facts;  // serialized AgentFacts, fields within their limits
};

Result<ProvedHello> VerifyHello(const sign::Crypto& crypto, const FleetId& fleet,
                                std::string_view envelope_bytes);

}  // namespace holdfast::backend
