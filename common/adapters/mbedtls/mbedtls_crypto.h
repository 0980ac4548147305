// MbedtlsCrypto: the port sign::Crypto on mbedTLS 2.28 or 3.x, for the agent.
//
// Signs deterministically (RFC 6979); random bytes come from getrandom(2), never from a state that
// a fork could copy.
//
// Ownership: keys borrow nothing; they may outlive the Crypto that made them.
// Threading: one thread per object: mbedTLS keeps a table inside the curve it computes with.
// Errors:    as sign::Crypto says.
// Design:    docs/decisions/0004-two-crypto-adapters-behind-one-port.md
#pragma once

#include <memory>

#include "common/sign/crypto.h"

namespace holdfast {

std::unique_ptr<sign::Crypto> NewMbedtlsCrypto();

}  // namespace holdfast
