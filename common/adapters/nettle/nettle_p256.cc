#include "common/adapters/nettle/nettle_p256.h"

#include <algorithm>
#include <cstring>

#include <gmp.h>
#include <nettle/dsa.h>
#include <nettle/ecc-curve.h>
#include <nettle/ecc.h>
#include <nettle/ecdsa.h>

#include "common/base/check.h"

namespace holdfast {
namespace {

constexpr std::size_t kScalarBytes = NettleP256::kScalarBytes;
constexpr std::uint8_t kUncompressed = 4;  // SEC 1, 2.3.3

// GMP's and nettle's structs, freed by scope; those that may hold the secret are wiped.
struct Integer {
  mpz_t value;
  explicit Integer(const std::uint8_t* big_endian) {
    mpz_init(value);
    mpz_import(value, kScalarBytes, 1, 1, 1, 0, big_endian);
  }
  ~Integer() {
    const std::size_t limbs = mpz_size(value);
    if (limbs > 0) {
      explicit_bzero(mpz_limbs_modify(value, static_cast<mp_size_t>(limbs)),
                     limbs * sizeof(mp_limb_t));
    }
    mpz_clear(value);
  }
  Integer(const Integer&) = delete;
  Integer& operator=(const Integer&) = delete;
};

struct CurvePoint {
  ecc_point value;
  CurvePoint() { ecc_point_init(&value, nettle_get_secp_256r1()); }
  ~CurvePoint() { ecc_point_clear(&value); }
  CurvePoint(const CurvePoint&) = delete;
  CurvePoint& operator=(const CurvePoint&) = delete;
};

struct SecretScalar {
  ecc_scalar value;
  SecretScalar() { ecc_scalar_init(&value, nettle_get_secp_256r1()); }
  ~SecretScalar() {
    explicit_bzero(value.p, kScalarBytes);
    ecc_scalar_clear(&value);
  }
  SecretScalar(const SecretScalar&) = delete;
  SecretScalar& operator=(const SecretScalar&) = delete;
};

struct RS {
  dsa_signature value;
  RS() { dsa_signature_init(&value); }
  ~RS() { dsa_signature_clear(&value); }
  RS(const RS&) = delete;
  RS& operator=(const RS&) = delete;
};

void Write(const mpz_t value, std::uint8_t* out) {
  HF_CHECK(mpz_size(value) * sizeof(mp_limb_t) <= kScalarBytes);
  std::memset(out, 0, kScalarBytes);
  // From the lowest byte on, then turned round: to ask for the length first would bring GMP's tables of all bases.
  mpz_export(out, nullptr, -1, 1, 1, 0, value);
  std::reverse(out, out + kScalarBytes);
}

}  // namespace

Status NettleP256::Verify(const PublicKey& key, const Digest& digest, const Signature& signature) {
  const Error no_point{Code::kDenied, "not a point of P-256"};
  if (*key.data() != kUncompressed) return no_point;
  const Integer x(key.data() + 1);
  const Integer y(key.data() + 1 + kScalarBytes);
  CurvePoint point;
  if (ecc_point_set(&point.value, x.value, y.value) != 1) return no_point;
  RS rs;
  mpz_import(rs.value.r, kScalarBytes, 1, 1, 1, 0, signature.data());
  mpz_import(rs.value.s, kScalarBytes, 1, 1, 1, 0, signature.data() + kScalarBytes);
  if (ecdsa_verify(&point.value, Digest::kSize, digest.data(), &rs.value) != 1) {
    return Error{Code::kDenied, "signature does not hold"};
  }
  return Ok();
}

Signature NettleP256::Sign(const Scalar& secret, const Digest& digest, NonceSource* nonces,
                           void* state) {
  SecretScalar scalar;
  {
    const Integer value(secret.data());
    HF_CHECK(ecc_scalar_set(&scalar.value, value.value) == 1);
  }
  RS rs;
  ecdsa_sign(&scalar.value, state, nonces, Digest::kSize, digest.data(), &rs.value);
  Signature signature;
  Write(rs.value.r, signature.data());
  Write(rs.value.s, signature.data() + kScalarBytes);
  return signature;
}

}  // namespace holdfast
