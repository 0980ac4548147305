// CheapCrypto: a Crypto whose SHA-256 is real and whose signatures are cheap: a hash over key and digest.
// Anyone can forge them; tests of who may sign what use a real adapter.
//
// Random bytes come from a seed, so that a run can be repeated.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <string>

#include "common/sign/crypto.h"

namespace holdfast::testing {

class CheapCrypto final : public sign::Crypto {
 public:
  // `hashing`: the adapter whose SHA-256 is used.
  CheapCrypto(const sign::Crypto& hashing, std::uint32_t seed) : hashing_(hashing), random_(seed) {}

  Digest Sha256(std::string_view bytes) const override { return hashing_.Sha256(bytes); }
  std::unique_ptr<sign::Hasher> NewSha256() const override { return hashing_.NewSha256(); }
  Status Verify(const PublicKey& key, const Digest& digest,
                const Signature& signature) const override {
    if (SignatureOf(key, digest) == signature) return Ok();
    return Error{Code::kDenied, "the signature does not hold"};
  }
  Result<std::unique_ptr<sign::SigningKey>> GenerateKey() const override {
    const auto secret = RandomBytes<Nonce32>();
    return LoadKey(secret.view());
  }
  Result<std::unique_ptr<sign::SigningKey>> LoadKey(std::string_view secret32) const override {
    return std::unique_ptr<sign::SigningKey>(new Key(*this, std::string(secret32)));
  }
  void Random(std::span<std::uint8_t> out) const override {
    for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(random_());
  }

 private:
  Signature SignatureOf(const PublicKey& key, const Digest& digest) const {
    const Digest half = Sha256(key.str() + digest.str());
    return *Signature::From(half.str() + half.str());
  }
  class Key final : public sign::SigningKey {
   public:
    Key(const CheapCrypto& crypto, std::string secret)
        : crypto_(crypto), secret_(std::move(secret)) {
      public_key_ = *PublicKey::From("\x04" + secret_ + secret_);
    }
    const PublicKey& public_key() const override { return public_key_; }
    Result<Signature> Sign(const Digest& digest) const override {
      return crypto_.SignatureOf(public_key_, digest);
    }
    std::string secret_for_storage() const override { return secret_; }

   private:
    const CheapCrypto& crypto_;
    std::string secret_;
    PublicKey public_key_;
  };

  const sign::Crypto& hashing_;
  mutable std::mt19937 random_;
};

}  // namespace holdfast::testing
