// SeededCrypto: FakeCrypto whose randomness comes from a seed and never repeats: for simulations.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <span>
#include <string>

#include "common/sign/crypto.h"
#include "tests/support/fake_crypto.h"

namespace holdfast::testing {

class SeededCrypto final : public sign::Crypto {
 public:
  explicit SeededCrypto(std::uint32_t seed) : random_(seed) {}
  Digest Sha256(std::string_view bytes) const override { return fake_->Sha256(bytes); }
  std::unique_ptr<sign::Hasher> NewSha256() const override { return fake_->NewSha256(); }
  Status Verify(const PublicKey& key, const Digest& digest,
                const Signature& signature) const override {
    if (on_verify) on_verify();
    return fake_->Verify(key, digest, signature);
  }
  Result<std::unique_ptr<sign::SigningKey>> GenerateKey() const override {
    std::string secret(32, '\0');
    Random({reinterpret_cast<std::uint8_t*>(secret.data()), secret.size()});
    return fake_->LoadKey(secret);
  }
  Result<std::unique_ptr<sign::SigningKey>> LoadKey(std::string_view secret32) const override {
    return fake_->LoadKey(secret32);
  }
  void Random(std::span<std::uint8_t> out) const override {
    for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(random_() & 255);
  }
  std::function<void()> on_verify;  // looks on while something is being checked

 private:
  std::unique_ptr<sign::Crypto> fake_ = NewFakeCrypto();
  mutable std::mt19937 random_;
};

}  // namespace holdfast::testing
