// Crypto, SigningKey: the port to a cryptographic library. P-256 with SHA-256, and nothing else.
//
// Two adapters implement it (common/adapters/mbedtls for the agent, common/adapters/openssl for the
// backend and tools); one conformance suite (tests/conformance/crypto_suite.h) holds them together.
// The key fixes the algorithm, never the sender.
//
// Threading: Crypto and SigningKey are thread-compatible; Hasher belongs to one thread.
// Errors:    Verify(): kDenied for a wrong, malleated (high-S) or malformed signature or key; any
//            failure of the library is kDenied too, never a pass.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/result.h"

namespace holdfast::sign {

class Hasher {  // incremental SHA-256
 public:
  virtual ~Hasher() = default;
  virtual void Update(std::string_view bytes) = 0;
  virtual Digest Finish() = 0;                        // once
  virtual std::unique_ptr<Hasher> Clone() const = 0;  // the state so far
};

class SigningKey {
 public:
  virtual ~SigningKey() = default;
  virtual const PublicKey& public_key() const = 0;
  // Deterministic (RFC 6979) where the library can, low-S always.
  virtual Result<Signature> Sign(const Digest& digest) const = 0;
  // The 32-byte scalar, for writing it to a file of mode 0600 and nothing else.
  virtual std::string secret_for_storage() const = 0;
};

class Crypto {
 public:
  virtual ~Crypto() = default;
  virtual Digest Sha256(std::string_view bytes) const = 0;
  virtual std::unique_ptr<Hasher> NewSha256() const = 0;
  virtual Status Verify(const PublicKey& key, const Digest& digest,
                        const Signature& signature) const = 0;
  virtual Result<std::unique_ptr<SigningKey>> GenerateKey() const = 0;
  virtual Result<std::unique_ptr<SigningKey>> LoadKey(std::string_view secret32) const = 0;
  // From the system's generator. Aborts if that fails: there is no safe way on.
  virtual void Random(std::span<std::uint8_t> out) const = 0;

  template <typename Fixed>
  Fixed RandomBytes() const {
    Fixed out;
    Random({out.data(), Fixed::kSize});
    return out;
  }
};

// What follows from a key.
KeyId KeyIdOf(const Crypto& crypto, const PublicKey& key);
AgentId AgentIdOf(const Crypto& crypto, const PublicKey& key);

}  // namespace holdfast::sign
