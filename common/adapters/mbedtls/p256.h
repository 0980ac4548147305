// P256Verify, P256Sign: the two operations on P-256 that every command waits for.
//
// By nettle where the build has one (p256_nettle.cc), by mbedTLS otherwise (p256_own.cc). Same bytes
// either way: the nonce is RFC 6979's.
//
// Ownership: borrow everything. `curve` is P-256; mbedTLS keeps a table in it, nettle has its own.
// Threading: one thread per curve.
// Errors:    P256Verify(): kDenied for whatever does not hold, also a key that is no point of the curve.
//            It does not ask for low-S. P256Sign(): kInternal if the library fails.
// Design:    docs/decisions/0050-p256-by-nettle.md
#pragma once

#include <mbedtls/bignum.h>
#include <mbedtls/ecp.h>

#include "common/base/ids.h"
#include "common/base/result.h"

namespace holdfast {

Status P256Verify(mbedtls_ecp_group& curve, const PublicKey& key, const Digest& digest,
                  const Signature& signature);

// As the algorithm gives it: high-S half of the time.
Result<Signature> P256Sign(mbedtls_ecp_group& curve, const mbedtls_mpi& secret,
                           const Digest& digest);

}  // namespace holdfast
