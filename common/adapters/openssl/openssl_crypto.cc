#include "common/adapters/openssl/openssl_crypto.h"

#include <cstddef>
#include <utility>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "common/adapters/openssl/openssl_objects.h"
#include "common/base/check.h"
#include "common/sign/low_s.h"

namespace holdfast {
namespace {

constexpr std::size_t kScalarBytes = 32;
// DER of two 33-byte integers in a sequence.
constexpr std::size_t kMaxDerBytes = 72;

using Bn = Owned<BIGNUM, BN_clear_free>;
using Group = Owned<EC_GROUP, EC_GROUP_free>;
using Point = Owned<EC_POINT, EC_POINT_free>;
using EcdsaSig = Owned<ECDSA_SIG, ECDSA_SIG_free>;
using DigestContext = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using DigestMethod = Owned<EVP_MD, EVP_MD_free>;

Error Denied(const char* what) { return Error{Code::kDenied, what}; }
Error Internal(const char* what) { return Error{Code::kInternal, what}; }

class OpensslKey final : public sign::SigningKey {
 public:
  // `secret32` big endian; kInvalid unless 0 < secret < n.
  static Result<std::unique_ptr<sign::SigningKey>> Load(std::string_view secret32) {
    const QuietErrors quiet;
    if (secret32.size() != kScalarBytes) return Error{Code::kInvalid, "key is not 32 bytes"};
    auto key = std::make_unique<OpensslKey>();
    key->secret_.reset(BN_secure_new());
    const Group group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
    if (key->secret_ == nullptr || group == nullptr ||
        BN_bin2bn(AsBytes(secret32), static_cast<int>(kScalarBytes), key->secret_.get()) ==
            nullptr) {
      return Internal("loading a key");
    }
    if (BN_is_zero(key->secret_.get()) ||
        BN_cmp(key->secret_.get(), EC_GROUP_get0_order(group.get())) >= 0) {
      return Error{Code::kInvalid, "not a P-256 key: out of range"};
    }
    const Point point(EC_POINT_new(group.get()));
    if (point == nullptr ||
        EC_POINT_mul(group.get(), point.get(), key->secret_.get(), nullptr, nullptr, nullptr) !=
            1 ||
        EC_POINT_point2oct(group.get(), point.get(), POINT_CONVERSION_UNCOMPRESSED,
                           key->public_key_.data(), PublicKey::kSize,
                           nullptr) != PublicKey::kSize) {
      return Internal("computing a public key");
    }
    key->pkey_ = MakePkey(key->public_key_, key->secret_.get());
    if (key->pkey_ == nullptr) return Internal("loading a key");
    return std::unique_ptr<sign::SigningKey>(std::move(key));
  }

  const PublicKey& public_key() const override { return public_key_; }

  Result<Signature> Sign(const Digest& digest) const override {
    const QuietErrors quiet;
    const PkeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, pkey_.get(), nullptr));
    if (context == nullptr || EVP_PKEY_sign_init(context.get()) != 1) return Internal("signing");
#if OPENSSL_VERSION_NUMBER >= 0x30200000L
    unsigned int deterministic = 1;  // RFC 6979
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, const_cast<char*>("SHA256"),
                                         0),
        OSSL_PARAM_construct_uint(OSSL_SIGNATURE_PARAM_NONCE_TYPE, &deterministic),
        OSSL_PARAM_construct_end()};
    if (EVP_PKEY_CTX_set_params(context.get(), params) != 1) return Internal("signing");
#endif
    unsigned char der[kMaxDerBytes];
    std::size_t der_bytes = sizeof der;
    if (EVP_PKEY_sign(context.get(), der, &der_bytes, digest.data(), Digest::kSize) != 1) {
      return Internal("signing");
    }
    const unsigned char* at = der;
    const EcdsaSig sig(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der_bytes)));
    Signature signature;
    const int size = static_cast<int>(kScalarBytes);
    if (sig == nullptr ||
        BN_bn2binpad(ECDSA_SIG_get0_r(sig.get()), signature.data(), size) != size ||
        BN_bn2binpad(ECDSA_SIG_get0_s(sig.get()), signature.data() + kScalarBytes, size) != size) {
      return Internal("reading a signature");
    }
    return sign::ToLowS(signature);
  }

  std::string secret_for_storage() const override {
    std::string out(kScalarBytes, '\0');
    const int size = static_cast<int>(kScalarBytes);
    HF_CHECK(BN_bn2binpad(secret_.get(), reinterpret_cast<unsigned char*>(out.data()), size) ==
             size);
    return out;
  }

 private:
  Bn secret_;
  Pkey pkey_;
  PublicKey public_key_;
};

class OpensslSha256 final : public sign::Hasher {
 public:
  explicit OpensslSha256(const EVP_MD* method) : context_(EVP_MD_CTX_new()) {
    HF_CHECK(context_ != nullptr && EVP_DigestInit_ex2(context_.get(), method, nullptr) == 1);
  }
  OpensslSha256(const OpensslSha256& other) : Hasher(other), context_(EVP_MD_CTX_new()) {
    HF_CHECK(context_ != nullptr && EVP_MD_CTX_copy_ex(context_.get(), other.context_.get()) == 1);
  }
  OpensslSha256& operator=(const OpensslSha256&) = delete;

  void Update(std::string_view bytes) override {
    HF_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
  }
  Digest Finish() override {
    Digest digest;
    HF_CHECK(EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1);
    return digest;
  }
  std::unique_ptr<Hasher> Clone() const override { return std::make_unique<OpensslSha256>(*this); }

 private:
  DigestContext context_;
};

class OpensslCrypto final : public sign::Crypto {
 public:
  // Fetched once: OpenSSL 3.0 looks a digest up by name at every use otherwise.
  OpensslCrypto() : sha256_(EVP_MD_fetch(nullptr, "SHA256", nullptr)) {
    HF_CHECK(sha256_ != nullptr);
  }

  Digest Sha256(std::string_view bytes) const override {
    Digest digest;
    HF_CHECK(EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, sha256_.get(),
                        nullptr) == 1);
    return digest;
  }
  std::unique_ptr<sign::Hasher> NewSha256() const override {
    return std::make_unique<OpensslSha256>(sha256_.get());
  }

  Status Verify(const PublicKey& key, const Digest& digest,
                const Signature& signature) const override {
    const QuietErrors quiet;
    if (!sign::IsLowS(signature)) return Denied("signature is not low-S");
    // 0x04 only: OpenSSL would also take the hybrid form 0x06, 0x07 of the same length.
    if (key.data()[0] != POINT_CONVERSION_UNCOMPRESSED) return Denied("not a point of P-256");
    // Only the point is exchanged: building the curve anew would be a quarter of a check. One for each thread.
    thread_local Pkey pkey;
    if (pkey != nullptr &&
        EVP_PKEY_set1_encoded_public_key(pkey.get(), key.data(), PublicKey::kSize) != 1) {
      pkey = nullptr;  // what it holds now is anybody's guess
      return Denied("not a point of P-256");
    }
    if (pkey == nullptr) pkey = MakePkey(key, nullptr);
    if (pkey == nullptr) return Denied("not a point of P-256");
    const EcdsaSig sig(ECDSA_SIG_new());
    const int size = static_cast<int>(kScalarBytes);
    Bn r(BN_bin2bn(signature.data(), size, nullptr));
    Bn s(BN_bin2bn(signature.data() + kScalarBytes, size, nullptr));
    if (sig == nullptr || r == nullptr || s == nullptr) return Denied("no memory");
    HF_CHECK(ECDSA_SIG_set0(sig.get(), r.release(), s.release()) == 1);
    unsigned char der[kMaxDerBytes];
    unsigned char* at = der;
    const int der_bytes = i2d_ECDSA_SIG(sig.get(), &at);
    const PkeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, pkey.get(), nullptr));
    // EVP_PKEY_verify: 1 = holds; 0 and negative are both a no.
    if (der_bytes <= 0 || context == nullptr || EVP_PKEY_verify_init(context.get()) != 1 ||
        EVP_PKEY_verify(context.get(), der, static_cast<std::size_t>(der_bytes), digest.data(),
                        Digest::kSize) != 1) {
      return Denied("signature does not hold");
    }
    return Ok();
  }

  // A random scalar is out of range once in 2^32 tries; then the next one is taken.
  Result<std::unique_ptr<sign::SigningKey>> GenerateKey() const override {
    for (;;) {
      std::string secret(kScalarBytes, '\0');
      Random({reinterpret_cast<std::uint8_t*>(secret.data()), secret.size()});
      auto key = OpensslKey::Load(secret);
      OPENSSL_cleanse(secret.data(), secret.size());
      if (key.ok() || key.error().code != Code::kInvalid) return key;
    }
  }

  Result<std::unique_ptr<sign::SigningKey>> LoadKey(std::string_view secret32) const override {
    return OpensslKey::Load(secret32);
  }

  void Random(std::span<std::uint8_t> out) const override {
    HF_CHECK(RAND_bytes(out.data(), static_cast<int>(out.size())) == 1);
  }

 private:
  DigestMethod sha256_;
};

}  // namespace

std::unique_ptr<sign::Crypto> NewOpensslCrypto() { return std::make_unique<OpensslCrypto>(); }

}  // namespace holdfast
