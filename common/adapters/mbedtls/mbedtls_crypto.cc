#include "common/adapters/mbedtls/mbedtls_crypto.h"

#include <cstddef>
#include <utility>

#include <mbedtls/bignum.h>
#include <mbedtls/ecp.h>

#include "common/adapters/mbedtls/mbedtls_sha256.h"
#include "common/adapters/mbedtls/mbedtls_values.h"
#include "common/adapters/mbedtls/p256.h"
#include "common/adapters/mbedtls/system_random.h"
#include "common/base/check.h"
#include "common/sign/low_s.h"

namespace holdfast {
namespace {

struct Curve {
  mbedtls_ecp_group value;
  Curve() {
    mbedtls_ecp_group_init(&value);
    HF_CHECK(mbedtls_ecp_group_load(&value, MBEDTLS_ECP_DP_SECP256R1) == 0);
  }
  ~Curve() { mbedtls_ecp_group_free(&value); }
  Curve(const Curve&) = delete;
  Curve& operator=(const Curve&) = delete;
};

class MbedtlsKey final : public sign::SigningKey {
 public:
  // `secret32` big endian; kInvalid unless 0 < secret < n.
  static Result<std::unique_ptr<sign::SigningKey>> Load(std::string_view secret32) {
    if (secret32.size() != kP256ScalarBytes) return Error{Code::kInvalid, "key is not 32 bytes"};
    auto key = std::make_unique<MbedtlsKey>();
    const auto* bytes = reinterpret_cast<const unsigned char*>(secret32.data());
    int rc = mbedtls_mpi_read_binary(&key->secret_.value, bytes, secret32.size());
    if (rc == 0) rc = mbedtls_ecp_check_privkey(&key->curve_.value, &key->secret_.value);
    if (rc != 0) return MbedtlsError(Code::kInvalid, "not a P-256 key", rc);
    Point point;
    std::size_t written = 0;
    rc = mbedtls_ecp_mul(&key->curve_.value, &point.value, &key->secret_.value,
                         &key->curve_.value.G, FillFromSystemForMbedtls, nullptr);
    if (rc == 0) {
      rc = mbedtls_ecp_point_write_binary(&key->curve_.value, &point.value,
                                          MBEDTLS_ECP_PF_UNCOMPRESSED, &written,
                                          key->public_key_.data(), PublicKey::kSize);
    }
    if (rc != 0 || written != PublicKey::kSize) {
      return MbedtlsError(Code::kInternal, "public key", rc);
    }
    return std::unique_ptr<sign::SigningKey>(std::move(key));
  }

  const PublicKey& public_key() const override { return public_key_; }

  Result<Signature> Sign(const Digest& digest) const override {
    HF_ASSIGN_OR_RETURN(const Signature signature, P256Sign(curve_.value, secret_.value, digest));
    return sign::ToLowS(signature);
  }

  std::string secret_for_storage() const override {
    std::string out(kP256ScalarBytes, '\0');
    HF_CHECK(mbedtls_mpi_write_binary(&secret_.value, reinterpret_cast<unsigned char*>(out.data()),
                                      out.size()) == 0);
    return out;
  }

 private:
  mutable Curve curve_;  // mbedTLS caches a table in it
  Mpi secret_;
  PublicKey public_key_;
};

class MbedtlsCrypto final : public sign::Crypto {
 public:
  Digest Sha256(std::string_view bytes) const override {
    const auto hasher = NewMbedtlsSha256();
    hasher->Update(bytes);
    return hasher->Finish();
  }
  std::unique_ptr<sign::Hasher> NewSha256() const override { return NewMbedtlsSha256(); }

  Status Verify(const PublicKey& key, const Digest& digest,
                const Signature& signature) const override {
    if (!sign::IsLowS(signature)) return Error{Code::kDenied, "signature is not low-S"};
    return P256Verify(curve_.value, key, digest, signature);
  }

  Result<std::unique_ptr<sign::SigningKey>> GenerateKey() const override {
    Mpi secret;
    int rc =
        mbedtls_ecp_gen_privkey(&curve_.value, &secret.value, FillFromSystemForMbedtls, nullptr);
    std::string bytes(kP256ScalarBytes, '\0');
    if (rc == 0) {
      rc = mbedtls_mpi_write_binary(&secret.value, reinterpret_cast<unsigned char*>(bytes.data()),
                                    bytes.size());
    }
    if (rc != 0) return MbedtlsError(Code::kInternal, "making a key", rc);
    return MbedtlsKey::Load(bytes);
  }

  Result<std::unique_ptr<sign::SigningKey>> LoadKey(std::string_view secret32) const override {
    return MbedtlsKey::Load(secret32);
  }

  void Random(std::span<std::uint8_t> out) const override {
    FillFromSystem(out.data(), out.size());
  }

 private:
  mutable Curve curve_;  // mbedTLS caches a table in it
};

}  // namespace

std::unique_ptr<sign::Crypto> NewMbedtlsCrypto() { return std::make_unique<MbedtlsCrypto>(); }

}  // namespace holdfast
