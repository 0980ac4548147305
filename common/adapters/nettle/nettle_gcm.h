// NettleGcm: AES-GCM (NIST SP 800-38D) by nettle, which uses the processor's AES instructions.
//
// One key, and one message after the other. Associated data and text come in pieces of any length;
// nettle takes whole blocks in every piece but the last, so what is short of a block waits here.
// Does not choose nonces and does not compare tags.
//
//   Create --> Start --> AddData* --> Crypt* --> Finish --> Start ...
//
// Limits:    kMaxTextBytes of text in a message; beyond it Crypt() refuses.
// Ownership: owns the key's schedule; its end wipes it.
// Threading: thread-compatible.
// Errors:    kInvalid: a key of another length, or a call out of the order above; kExhausted: the
//            limit of the text. Nothing was written, and the message can go on.
// Design:    docs/decisions/0026-aes-gcm-by-nettle.md
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include <nettle/aes.h>
#include <nettle/gcm.h>

#include "common/base/result.h"

namespace holdfast {

class NettleGcm {
 public:
  enum class Direction : std::uint8_t { kEncrypt, kDecrypt };
  using Bytes = std::span<const std::uint8_t>;
  using Tag = std::array<std::uint8_t, GCM_DIGEST_SIZE>;
  // 2^39 - 256 bits (section 5.2.1.1): the counter of 32 bits must not come round.
  static constexpr std::uint64_t kMaxTextBytes = (std::uint64_t{1} << 36) - 32;

  // Whether this processor has the instructions that make nettle's GCM the fastest cipher there is.
  static bool IsFast();

  static Result<std::unique_ptr<NettleGcm>> Create(Bytes key);  // of 16 or 32 bytes
  ~NettleGcm();
  NettleGcm(const NettleGcm&) = delete;
  NettleGcm& operator=(const NettleGcm&) = delete;

  void Start(Direction direction, Bytes nonce);  // not empty; 12 bytes need no hashing
  Status AddData(Bytes piece);
  // `in.size()` bytes to `out`, which may overlap with `in` in any way.
  Status Crypt(Bytes in, std::uint8_t* out);
  Result<Tag> Finish();

 private:
  enum class Phase : std::uint8_t { kIdle, kData, kText };

  explicit NettleGcm(Bytes key);
  void CryptBlocks(gcm_ctx& message, Bytes in, std::uint8_t* out) const;
  void CryptPart(Bytes in, std::uint8_t* out);
  void EndData();

  union {
    aes128_ctx aes128_;
    aes256_ctx aes256_;
  };
  nettle_cipher_func* const encrypt_block_;
  gcm_key key_;
  gcm_ctx message_{};
  Direction direction_ = Direction::kEncrypt;
  Phase phase_ = Phase::kIdle;
  // The block that is not whole yet: of data, or of text as it came in.
  std::array<std::uint8_t, GCM_BLOCK_SIZE> part_{};
  std::size_t part_bytes_ = 0;  // less than a block between calls
};

}  // namespace holdfast
