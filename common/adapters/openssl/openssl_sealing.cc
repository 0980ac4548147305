#include "common/adapters/openssl/openssl_sealing.h"

#include <array>
#include <climits>
#include <utility>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>

#include "common/adapters/openssl/openssl_objects.h"

namespace holdfast {
namespace {

using CipherContext = Owned<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;

class OpensslAgreementKey final : public sign::AgreementKey {
 public:
  Status Make() {
    const QuietErrors quiet;
    pkey_.reset(EVP_EC_gen(SN_X9_62_prime256v1));
    std::size_t written = 0;
    if (pkey_ == nullptr ||
        EVP_PKEY_get_octet_string_param(pkey_.get(), OSSL_PKEY_PARAM_PUB_KEY, public_key_.data(),
                                        PublicKey::kSize, &written) != 1 ||
        written != PublicKey::kSize) {
      return Error{Code::kInternal, "making a key"};
    }
    return Ok();
  }

  const PublicKey& public_key() const override { return public_key_; }

  Result<sign::SharedSecret> Agree(const PublicKey& theirs) const override {
    const QuietErrors quiet;
    const Pkey peer = MakePkey(theirs, nullptr);
    if (peer == nullptr) return Error{Code::kDenied, "not a point of P-256"};
    const PkeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, pkey_.get(), nullptr));
    sign::SharedSecret secret;
    std::size_t size = sign::SharedSecret::kSize;
    if (context == nullptr || EVP_PKEY_derive_init(context.get()) != 1 ||
        EVP_PKEY_derive_set_peer(context.get(), peer.get()) != 1) {  // also checks the point
      return Error{Code::kDenied, "not a point of P-256"};
    }
    if (EVP_PKEY_derive(context.get(), secret.data(), &size) != 1 ||
        size != sign::SharedSecret::kSize) {
      return Error{Code::kInternal, "agreeing on a secret"};
    }
    return secret;
  }

 private:
  Pkey pkey_;
  PublicKey public_key_;
};

using SealNonce = std::array<unsigned char, 12>;

SealNonce SealNonceOf(std::uint64_t counter) {
  SealNonce nonce{};
  for (std::size_t i = nonce.size(); i-- > 4; counter >>= 8) {
    nonce[i] = static_cast<unsigned char>(counter & 0xFF);
  }
  return nonce;
}

class OpensslSealing final : public sign::Sealing {
 public:
  Result<std::unique_ptr<sign::AgreementKey>> NewKey() const override {
    auto key = std::make_unique<OpensslAgreementKey>();
    HF_TRY(key->Make());
    return std::unique_ptr<sign::AgreementKey>(std::move(key));
  }

  Result<std::string> Seal(const sign::SealKey& key, std::uint64_t counter,
                           std::string_view text) const override {
    const QuietErrors quiet;
    const CipherContext context(EVP_CIPHER_CTX_new());
    const SealNonce nonce = SealNonceOf(counter);
    std::string out(text.size() + sign::kSealBytes, '\0');
    auto* const bytes = reinterpret_cast<unsigned char*>(out.data());
    int size = 0;
    if (text.size() > INT_MAX || context == nullptr ||
        EVP_EncryptInit_ex(context.get(), EVP_aes_128_gcm(), nullptr, key.data(), nonce.data()) !=
            1 ||
        EVP_EncryptUpdate(context.get(), bytes, &size, AsBytes(text),
                          static_cast<int>(text.size())) != 1 ||
        EVP_EncryptFinal_ex(context.get(), bytes + size, &size) != 1 ||
        EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, sign::kSealBytes,
                            bytes + text.size()) != 1) {
      return Error{Code::kInternal, "sealing"};
    }
    return out;
  }

  Result<std::string> Open(const sign::SealKey& key, std::uint64_t counter,
                           std::string_view sealed) const override {
    const QuietErrors quiet;
    if (sealed.size() < sign::kSealBytes) return Error{Code::kDenied, "too short for a seal"};
    const std::size_t length = sealed.size() - sign::kSealBytes;
    const CipherContext context(EVP_CIPHER_CTX_new());
    const SealNonce nonce = SealNonceOf(counter);
    std::string tag(sealed.substr(length));
    std::string out(length, '\0');
    auto* const bytes = reinterpret_cast<unsigned char*>(out.data());
    int size = 0;
    if (length > INT_MAX || context == nullptr ||
        EVP_DecryptInit_ex(context.get(), EVP_aes_128_gcm(), nullptr, key.data(), nonce.data()) !=
            1 ||
        EVP_DecryptUpdate(context.get(), bytes, &size, AsBytes(sealed), static_cast<int>(length)) !=
            1 ||
        EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, sign::kSealBytes, tag.data()) !=
            1 ||
        EVP_DecryptFinal_ex(context.get(), bytes + size, &size) != 1) {
      return Error{Code::kDenied, "the seal does not hold"};
    }
    return out;
  }
};

}  // namespace

std::unique_ptr<sign::Sealing> NewOpensslSealing() { return std::make_unique<OpensslSealing>(); }

}  // namespace holdfast
