#include "common/adapters/mbedtls/mbedtls_crypto.h"

#include <cstddef>
#include <utility>

#include <mbedtls/bignum.h>
#include <mbedtls/ecdsa.h>
#include <mbedtls/ecp.h>
#include <mbedtls/md.h>
#include <sys/random.h>

#include "common/adapters/mbedtls/mbedtls_sha256.h"
#include "common/base/check.h"
#include "common/sign/low_s.h"

namespace holdfast {
namespace {

constexpr std::size_t kScalarBytes = 32;

// mbedTLS's structs freed by scope; freeing also wipes.
struct Mpi {
  mbedtls_mpi value;
  Mpi() { mbedtls_mpi_init(&value); }
  ~Mpi() { mbedtls_mpi_free(&value); }
  Mpi(const Mpi&) = delete;
  Mpi& operator=(const Mpi&) = delete;
};
struct Point {
  mbedtls_ecp_point value;
  Point() { mbedtls_ecp_point_init(&value); }
  ~Point() { mbedtls_ecp_point_free(&value); }
  Point(const Point&) = delete;
  Point& operator=(const Point&) = delete;
};
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

void FillRandom(std::uint8_t* out, std::size_t size) {
  while (size > 0) {
    // Requests up to 256 bytes are never cut short or interrupted (getrandom(2)).
    const std::size_t part = size < 256 ? size : 256;
    const ssize_t got = getrandom(out, part, 0);
    HF_CHECK(got > 0);
    out += got;
    size -= static_cast<std::size_t>(got);
  }
}

// The shape that mbedTLS asks for.
int RandomForMbedtls(void* /*state*/, unsigned char* out, std::size_t size) {
  FillRandom(out, size);
  return 0;
}

Error Failed(Code code, const char* what, int rc) {
  return Error{code, std::string(what) + ": mbedTLS error " + std::to_string(rc)};
}

class MbedtlsKey final : public sign::SigningKey {
 public:
  // `secret32` big endian; kInvalid unless 0 < secret < n.
  static Result<std::unique_ptr<sign::SigningKey>> Load(std::string_view secret32) {
    if (secret32.size() != kScalarBytes) return Error{Code::kInvalid, "key is not 32 bytes"};
    auto key = std::make_unique<MbedtlsKey>();
    const auto* bytes = reinterpret_cast<const unsigned char*>(secret32.data());
    int rc = mbedtls_mpi_read_binary(&key->secret_.value, bytes, secret32.size());
    if (rc == 0) rc = mbedtls_ecp_check_privkey(&key->curve_.value, &key->secret_.value);
    if (rc != 0) return Failed(Code::kInvalid, "not a P-256 key", rc);
    Point point;
    std::size_t written = 0;
    rc = mbedtls_ecp_mul(&key->curve_.value, &point.value, &key->secret_.value,
                         &key->curve_.value.G, RandomForMbedtls, nullptr);
    if (rc == 0) {
      rc = mbedtls_ecp_point_write_binary(&key->curve_.value, &point.value,
                                          MBEDTLS_ECP_PF_UNCOMPRESSED, &written,
                                          key->public_key_.data(), PublicKey::kSize);
    }
    if (rc != 0 || written != PublicKey::kSize) return Failed(Code::kInternal, "public key", rc);
    return std::unique_ptr<sign::SigningKey>(std::move(key));
  }

  const PublicKey& public_key() const override { return public_key_; }

  Result<Signature> Sign(const Digest& digest) const override {
    Mpi r;
    Mpi s;
    int rc =
        mbedtls_ecdsa_sign_det_ext(&curve_.value, &r.value, &s.value, &secret_.value, digest.data(),
                                   Digest::kSize, MBEDTLS_MD_SHA256, RandomForMbedtls, nullptr);
    Signature signature;
    if (rc == 0) rc = mbedtls_mpi_write_binary(&r.value, signature.data(), kScalarBytes);
    if (rc == 0) {
      rc = mbedtls_mpi_write_binary(&s.value, signature.data() + kScalarBytes, kScalarBytes);
    }
    if (rc != 0) return Failed(Code::kInternal, "signing", rc);
    return sign::ToLowS(signature);
  }

  std::string secret_for_storage() const override {
    std::string out(kScalarBytes, '\0');
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
    Point point;
    int rc =
        mbedtls_ecp_point_read_binary(&curve_.value, &point.value, key.data(), PublicKey::kSize);
    if (rc == 0) rc = mbedtls_ecp_check_pubkey(&curve_.value, &point.value);
    if (rc != 0) return Failed(Code::kDenied, "not a point of P-256", rc);
    Mpi r;
    Mpi s;
    rc = mbedtls_mpi_read_binary(&r.value, signature.data(), kScalarBytes);
    if (rc == 0) {
      rc = mbedtls_mpi_read_binary(&s.value, signature.data() + kScalarBytes, kScalarBytes);
    }
    if (rc == 0) {
      rc = mbedtls_ecdsa_verify(&curve_.value, digest.data(), Digest::kSize, &point.value, &r.value,
                                &s.value);
    }
    if (rc != 0) return Failed(Code::kDenied, "signature does not hold", rc);
    return Ok();
  }

  Result<std::unique_ptr<sign::SigningKey>> GenerateKey() const override {
    Mpi secret;
    int rc = mbedtls_ecp_gen_privkey(&curve_.value, &secret.value, RandomForMbedtls, nullptr);
    std::string bytes(kScalarBytes, '\0');
    if (rc == 0) {
      rc = mbedtls_mpi_write_binary(&secret.value, reinterpret_cast<unsigned char*>(bytes.data()),
                                    bytes.size());
    }
    if (rc != 0) return Failed(Code::kInternal, "making a key", rc);
    return MbedtlsKey::Load(bytes);
  }

  Result<std::unique_ptr<sign::SigningKey>> LoadKey(std::string_view secret32) const override {
    return MbedtlsKey::Load(secret32);
  }

  void Random(std::span<std::uint8_t> out) const override { FillRandom(out.data(), out.size()); }

 private:
  mutable Curve curve_;  // mbedTLS caches a table in it
};

}  // namespace

std::unique_ptr<sign::Crypto> NewMbedtlsCrypto() { return std::make_unique<MbedtlsCrypto>(); }

}  // namespace holdfast
