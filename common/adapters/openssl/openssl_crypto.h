// OpensslCrypto: the port sign::Crypto on OpenSSL 3.0 or later, for the backend and the tools.
//
// Signs deterministically from OpenSSL 3.2 on; 3.0 mixes key and digest into a random nonce.
//
// Ownership: keys borrow nothing; they may outlive the Crypto that made them.
// Threading: thread-compatible.
// Errors:    as sign::Crypto says.
// Design:    docs/decisions/0004-two-crypto-adapters-behind-one-port.md
#pragma once

#include <memory>

#include "common/sign/crypto.h"

namespace holdfast {

std::unique_ptr<sign::Crypto> NewOpensslCrypto();

}  // namespace holdfast
