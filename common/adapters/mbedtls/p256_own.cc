// P-256 by mbedTLS itself.
#include <mbedtls/ecdsa.h>
#include <mbedtls/md.h>

#include "common/adapters/mbedtls/mbedtls_values.h"
#include "common/adapters/mbedtls/p256.h"
#include "common/adapters/mbedtls/system_random.h"

namespace holdfast {

Status P256Verify(mbedtls_ecp_group& curve, const PublicKey& key, const Digest& digest,
                  const Signature& signature) {
  Point point;
  int rc = mbedtls_ecp_point_read_binary(&curve, &point.value, key.data(), PublicKey::kSize);
  if (rc == 0) rc = mbedtls_ecp_check_pubkey(&curve, &point.value);
  if (rc != 0) return MbedtlsError(Code::kDenied, "not a point of P-256", rc);
  Mpi r;
  Mpi s;
  rc = mbedtls_mpi_read_binary(&r.value, signature.data(), kP256ScalarBytes);
  if (rc == 0) {
    rc = mbedtls_mpi_read_binary(&s.value, signature.data() + kP256ScalarBytes, kP256ScalarBytes);
  }
  if (rc == 0) {
    rc = mbedtls_ecdsa_verify(&curve, digest.data(), Digest::kSize, &point.value, &r.value,
                              &s.value);
  }
  if (rc != 0) return MbedtlsError(Code::kDenied, "signature does not hold", rc);
  return Ok();
}

Result<Signature> P256Sign(mbedtls_ecp_group& curve, const mbedtls_mpi& secret,
                           const Digest& digest) {
  Mpi r;
  Mpi s;
  int rc =
      mbedtls_ecdsa_sign_det_ext(&curve, &r.value, &s.value, &secret, digest.data(), Digest::kSize,
                                 MBEDTLS_MD_SHA256, FillFromSystemForMbedtls, nullptr);
  Signature signature;
  if (rc == 0) rc = mbedtls_mpi_write_binary(&r.value, signature.data(), kP256ScalarBytes);
  if (rc == 0) {
    rc = mbedtls_mpi_write_binary(&s.value, signature.data() + kP256ScalarBytes, kP256ScalarBytes);
  }
  if (rc != 0) return MbedtlsError(Code::kInternal, "signing", rc);
  return signature;
}

}  // namespace holdfast
