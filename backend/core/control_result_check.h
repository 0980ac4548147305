// Whether what an agent signed at the end of a command holds: the last gate before a terminal state.
//
// Threading: pure functions.
// Errors:    kDenied: the signature; kCorrupt: it speaks of something else or of other bytes. Either
//            ends the delivery as BAD_RESULT.
#pragma once

#include <cstdint>
#include <string_view>

#include "backend/core/control_ledger.h"
#include "common/sign/crypto.h"
#include "holdfast/command/v1/result.pb.h"

namespace holdfast::backend {

// What a result must be about.
struct Attempt {
  const DeliveryKey& key;
  std::uint32_t number;  // whose output it is (result.proto)
};

// Signed by the agent's key, about this command, this agent and this attempt.
Result<::holdfast::command::v1::Result> VerifyResult(const sign::Crypto& crypto,
                                                     const PublicKey& agent_key,
                                                     const Attempt& attempt,
                                                     std::string_view envelope_bytes);
// Length and number of chunks are what was stored of that attempt. The hash is compared later.
Status CompareLengths(const ::holdfast::command::v1::Result& result, std::uint64_t stored_bytes,
                      std::uint64_t chunk_count);

Ending EndingOf(const ::holdfast::command::v1::Result& result, std::string_view envelope_bytes);
Ending BadResult(std::string why);

}  // namespace holdfast::backend
