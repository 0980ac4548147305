#include "tests/support/fake_crypto.h"

#include <algorithm>
#include <cstddef>

#include "common/sign/low_s.h"

namespace holdfast::testing {
namespace {

class FakeHasher final : public sign::Hasher {
 public:
  void Update(std::string_view bytes) override {
    for (const char c : bytes) {  // FNV-1a
      state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    }
  }
  Digest Finish() override {
    Digest digest;
    for (std::size_t i = 0; i < Digest::kSize; ++i) {
      if (i % 8 == 0) Update("x");
      digest.data()[i] = static_cast<std::uint8_t>(state_ >> (8 * (i % 8)) & 255);
    }
    return digest;
  }
  std::unique_ptr<Hasher> Clone() const override { return std::make_unique<FakeHasher>(*this); }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325;
};

class FakeKey final : public sign::SigningKey {
 public:
  explicit FakeKey(std::string secret) : secret_(std::move(secret)) {
    public_key_ = *PublicKey::From("\x04" + secret_ + secret_);
  }
  const PublicKey& public_key() const override { return public_key_; }
  Result<Signature> Sign(const Digest& digest) const override {
    return *Signature::From(digest.str() + std::string(32, '\1'));
  }
  std::string secret_for_storage() const override { return secret_; }

 private:
  std::string secret_;
  PublicKey public_key_;
};

class FakeCrypto final : public sign::Crypto {
 public:
  Digest Sha256(std::string_view bytes) const override {
    FakeHasher hasher;
    hasher.Update(bytes);
    return hasher.Finish();
  }
  std::unique_ptr<sign::Hasher> NewSha256() const override {
    return std::make_unique<FakeHasher>();
  }
  Status Verify(const PublicKey& /*key*/, const Digest& /*digest*/,
                const Signature& signature) const override {
    return sign::IsLowS(signature) ? Ok() : Error{Code::kDenied, "high s"};
  }
  Result<std::unique_ptr<sign::SigningKey>> GenerateKey() const override {
    return LoadKey(std::string(32, static_cast<char>(++made_)));
  }
  Result<std::unique_ptr<sign::SigningKey>> LoadKey(std::string_view secret32) const override {
    if (secret32.size() != 32) return Error{Code::kInvalid, "key is not 32 bytes"};
    return std::unique_ptr<sign::SigningKey>(std::make_unique<FakeKey>(std::string(secret32)));
  }
  void Random(std::span<std::uint8_t> out) const override {
    std::fill(out.begin(), out.end(), std::uint8_t{7});
  }

 private:
  mutable unsigned made_ = 0;
};

}  // namespace

std::unique_ptr<sign::Crypto> NewFakeCrypto() { return std::make_unique<FakeCrypto>(); }

}  // namespace holdfast::testing
