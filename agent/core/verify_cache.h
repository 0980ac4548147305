// VerifyCache: a Crypto that remembers which signatures already held.
//
// An operator's certificate comes along with each command; checking its signature again costs as
// much as checking the command's. That a signature holds is a fact about bytes, so it can be
// remembered; times, classes and scope are checked anew each time by the chain.
//
// Limits:    kEntries; the oldest makes room.
// Ownership: borrows the Crypto behind it.
// Threading: thread-compatible; loop thread only.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "common/sign/crypto.h"

namespace holdfast::agent {

class VerifyCache final : public sign::Crypto {
 public:
  // Operators that work on one endpoint at the same time, twice over: 512 B in all.
  static constexpr std::size_t kEntries = 16;

  explicit VerifyCache(const sign::Crypto& crypto) : crypto_(crypto) {}

  Digest Sha256(std::string_view bytes) const override { return crypto_.Sha256(bytes); }
  std::unique_ptr<sign::Hasher> NewSha256() const override { return crypto_.NewSha256(); }
  Status Verify(const PublicKey& key, const Digest& digest,
                const Signature& signature) const override;
  Result<std::unique_ptr<sign::SigningKey>> GenerateKey() const override {
    return crypto_.GenerateKey();
  }
  Result<std::unique_ptr<sign::SigningKey>> LoadKey(std::string_view secret32) const override {
    return crypto_.LoadKey(secret32);
  }
  void Random(std::span<std::uint8_t> out) const override { crypto_.Random(out); }

 private:
  const sign::Crypto& crypto_;
  // SHA-256(key | digest | signature) of what held; all zero = unused.
  mutable std::array<Digest, kEntries> held_{};
  mutable std::size_t next_ = 0;
};

}  // namespace holdfast::agent
