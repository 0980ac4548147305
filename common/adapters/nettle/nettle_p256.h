// NettleP256: ECDSA on P-256 (FIPS 186-4) by nettle and GMP.
//
// Does not choose nonces: whoever signs says where they come from. Does not ask for low-S.
//
// Limits:    none to name; constant time with the secret, not with what is public.
// Ownership: borrows; copies of the secret are wiped.
// Threading: no state.
// Errors:    Verify(): kDenied for whatever does not hold, also a key that is no point of the curve.
//            Sign(): the secret must be in range (0 < secret < n), else it aborts.
// Design:    docs/decisions/0050-p256-by-nettle.md
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "common/base/ids.h"
#include "common/base/result.h"

namespace holdfast {

class NettleP256 {
 public:
  static constexpr std::size_t kScalarBytes = 32;
  using Scalar = std::array<std::uint8_t, kScalarBytes>;  // big endian
  // `size` bytes of a nonce, big endian; asked again while that is not in range.
  using NonceSource = void(void* state, std::size_t size, std::uint8_t* out);

  static Status Verify(const PublicKey& key, const Digest& digest, const Signature& signature);
  static Signature Sign(const Scalar& secret, const Digest& digest, NonceSource* nonces,
                        void* state);
};

}  // namespace holdfast
