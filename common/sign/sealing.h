// Sealing: the port to what a terminal's bytes are sealed with: ECDH on P-256 and AES-128-GCM.
//
// Apart from Crypto, which only signs and verifies: most of the product needs no secret of two. Two adapters
// (common/adapters/mbedtls for the agent, common/adapters/openssl for the tools), one conformance suite.
//
//   NewKey --> public_key(), Agree(theirs) --> keys (common/pty/session_keys.h) --> Seal, Open
//
// Ordering:  a nonce is a counter of the caller's, which must never use one twice with a key.
// Threading: thread-compatible.
// Errors:    Agree(): kDenied for what is no point of the curve. Open(): kDenied for whatever was not sealed so;
//            nothing of it comes out. NewKey(), Seal(): kInternal if the library fails.
// Design:    docs/decisions/0110-terminals-are-sealed.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/result.h"

namespace holdfast::sign {

using SharedSecret = FixedBytes<struct SharedSecretTag, 32>;  // the x of the common point
using SealKey = FixedBytes<struct SealKeyTag, 16>;            // AES-128

inline constexpr std::size_t kSealBytes = 16;  // what a seal adds: the tag

class AgreementKey {
 public:
  virtual ~AgreementKey() = default;
  virtual const PublicKey& public_key() const = 0;
  virtual Result<SharedSecret> Agree(const PublicKey& theirs) const = 0;
};

class Sealing {
 public:
  virtual ~Sealing() = default;
  virtual Result<std::unique_ptr<AgreementKey>> NewKey() const = 0;
  // Nonce (NIST SP 800-38D, 8.2.1): 4 zero bytes, then `counter` big endian.
  virtual Result<std::string> Seal(const SealKey& key, std::uint64_t counter,
                                   std::string_view text) const = 0;
  virtual Result<std::string> Open(const SealKey& key, std::uint64_t counter,
                                   std::string_view sealed) const = 0;
};

}  // namespace holdfast::sign
