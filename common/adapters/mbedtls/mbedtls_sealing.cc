#include "common/adapters/mbedtls/mbedtls_sealing.h"

#include <array>
#include <utility>

#include <mbedtls/ecp.h>
#include <mbedtls/gcm.h>

#include "common/adapters/mbedtls/mbedtls_values.h"
#include "common/adapters/mbedtls/system_random.h"
#include "common/base/check.h"

namespace holdfast {
namespace {

struct AgreementCurve {
  mbedtls_ecp_group value;
  AgreementCurve() {
    mbedtls_ecp_group_init(&value);
    HF_CHECK(mbedtls_ecp_group_load(&value, MBEDTLS_ECP_DP_SECP256R1) == 0);
  }
  ~AgreementCurve() { mbedtls_ecp_group_free(&value); }
  AgreementCurve(const AgreementCurve&) = delete;
  AgreementCurve& operator=(const AgreementCurve&) = delete;
};

class MbedtlsAgreementKey final : public sign::AgreementKey {
 public:
  Status Make() {
    Point point;
    std::size_t written = 0;
    int rc = mbedtls_ecp_gen_keypair(&curve_.value, &secret_.value, &point.value,
                                     FillFromSystemForMbedtls, nullptr);
    if (rc == 0) {
      rc = mbedtls_ecp_point_write_binary(&curve_.value, &point.value, MBEDTLS_ECP_PF_UNCOMPRESSED,
                                          &written, public_key_.data(), PublicKey::kSize);
    }
    const bool is_made = rc == 0 && written == PublicKey::kSize;
    return is_made ? Ok() : MbedtlsError(Code::kInternal, "making a key", rc);
  }

  const PublicKey& public_key() const override { return public_key_; }

  Result<sign::SharedSecret> Agree(const PublicKey& theirs) const override {
    Point point;
    int rc =
        mbedtls_ecp_point_read_binary(&curve_.value, &point.value, theirs.data(), PublicKey::kSize);
    if (rc == 0) rc = mbedtls_ecp_check_pubkey(&curve_.value, &point.value);
    if (rc != 0) return MbedtlsError(Code::kDenied, "not a point of P-256", rc);
    Point common;
    rc = mbedtls_ecp_mul(&curve_.value, &common.value, &secret_.value, &point.value,
                         FillFromSystemForMbedtls, nullptr);
    // The point itself, not its fields: those are private from mbedTLS 3 on.
    std::array<std::uint8_t, PublicKey::kSize> bytes{};
    std::size_t written = 0;
    if (rc == 0) {
      rc = mbedtls_ecp_point_write_binary(&curve_.value, &common.value, MBEDTLS_ECP_PF_UNCOMPRESSED,
                                          &written, bytes.data(), bytes.size());
    }
    if (rc != 0 || written != bytes.size()) {
      return MbedtlsError(Code::kInternal, "agreeing on a secret", rc);
    }
    sign::SharedSecret secret;
    for (std::size_t i = 0; i < sign::SharedSecret::kSize; ++i) secret.data()[i] = bytes[1 + i];
    return secret;
  }

 private:
  mutable AgreementCurve curve_;  // mbedTLS caches a table in it
  Mpi secret_;
  PublicKey public_key_;
};

// One message; freed, and so wiped, by scope.
class Gcm {
 public:
  explicit Gcm(const sign::SealKey& key) {
    mbedtls_gcm_init(&value_);
    rc_ = mbedtls_gcm_setkey(&value_, MBEDTLS_CIPHER_ID_AES, key.data(),
                             8 * static_cast<unsigned>(sign::SealKey::kSize));
  }
  ~Gcm() { mbedtls_gcm_free(&value_); }
  Gcm(const Gcm&) = delete;
  Gcm& operator=(const Gcm&) = delete;
  int rc() const { return rc_; }
  mbedtls_gcm_context* get() { return &value_; }

 private:
  mbedtls_gcm_context value_;
  int rc_ = 0;
};

using GcmNonce = std::array<std::uint8_t, 12>;

GcmNonce GcmNonceOf(std::uint64_t counter) {
  GcmNonce nonce{};
  for (std::size_t i = nonce.size(); i-- > 4; counter >>= 8) {
    nonce[i] = static_cast<std::uint8_t>(counter & 0xFF);
  }
  return nonce;
}

class MbedtlsSealing final : public sign::Sealing {
 public:
  Result<std::unique_ptr<sign::AgreementKey>> NewKey() const override {
    auto key = std::make_unique<MbedtlsAgreementKey>();
    HF_TRY(key->Make());
    return std::unique_ptr<sign::AgreementKey>(std::move(key));
  }

  Result<std::string> Seal(const sign::SealKey& key, std::uint64_t counter,
                           std::string_view text) const override {
    Gcm gcm(key);
    const GcmNonce nonce = GcmNonceOf(counter);
    std::string out(text.size() + sign::kSealBytes, '\0');
    auto* const bytes = reinterpret_cast<unsigned char*>(out.data());
    const int rc =
        gcm.rc() != 0 ? gcm.rc()
                      : mbedtls_gcm_crypt_and_tag(
                            gcm.get(), MBEDTLS_GCM_ENCRYPT, text.size(), nonce.data(), nonce.size(),
                            nullptr, 0, reinterpret_cast<const unsigned char*>(text.data()), bytes,
                            sign::kSealBytes, bytes + text.size());
    if (rc != 0) return MbedtlsError(Code::kInternal, "sealing", rc);
    return out;
  }

  Result<std::string> Open(const sign::SealKey& key, std::uint64_t counter,
                           std::string_view sealed) const override {
    if (sealed.size() < sign::kSealBytes) return Error{Code::kDenied, "too short for a seal"};
    Gcm gcm(key);
    const GcmNonce nonce = GcmNonceOf(counter);
    const std::size_t length = sealed.size() - sign::kSealBytes;
    const auto* const bytes = reinterpret_cast<const unsigned char*>(sealed.data());
    std::string out(length, '\0');
    const int rc = gcm.rc() != 0 ? gcm.rc()
                                 : mbedtls_gcm_auth_decrypt(
                                       gcm.get(), length, nonce.data(), nonce.size(), nullptr, 0,
                                       bytes + length, sign::kSealBytes, bytes,
                                       reinterpret_cast<unsigned char*>(out.data()));
    if (rc != 0) return MbedtlsError(Code::kDenied, "the seal does not hold", rc);
    return out;
  }
};

}  // namespace

std::unique_ptr<sign::Sealing> NewMbedtlsSealing() { return std::make_unique<MbedtlsSealing>(); }

}  // namespace holdfast
