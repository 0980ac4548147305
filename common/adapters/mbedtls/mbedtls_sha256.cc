#include "common/adapters/mbedtls/mbedtls_sha256.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include <mbedtls/sha256.h>
#include <mbedtls/version.h>

#include "common/adapters/mbedtls/sha256_ni.h"
#include "common/base/check.h"

namespace holdfast {
namespace {

// mbedTLS 3 dropped the suffix of the functions that can fail.
#if MBEDTLS_VERSION_NUMBER < 0x03000000
constexpr auto kStarts = mbedtls_sha256_starts_ret;
constexpr auto kUpdate = mbedtls_sha256_update_ret;
constexpr auto kFinish = mbedtls_sha256_finish_ret;
#else
constexpr auto kStarts = mbedtls_sha256_starts;
constexpr auto kUpdate = mbedtls_sha256_update;
constexpr auto kFinish = mbedtls_sha256_finish;
#endif

const std::uint8_t* Bytes(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

// The calls below fail only in builds with a hardware engine, which could not go on either.
class PortableSha256 final : public sign::Hasher {
 public:
  PortableSha256() {
    mbedtls_sha256_init(&context_);
    HF_CHECK(kStarts(&context_, /*is224=*/0) == 0);
  }
  PortableSha256(const PortableSha256& other) : Hasher(other) {
    mbedtls_sha256_init(&context_);
    mbedtls_sha256_clone(&context_, &other.context_);
  }
  PortableSha256& operator=(const PortableSha256&) = delete;
  ~PortableSha256() override { mbedtls_sha256_free(&context_); }

  void Update(std::string_view bytes) override {
    HF_CHECK(kUpdate(&context_, Bytes(bytes), bytes.size()) == 0);
  }
  Digest Finish() override {
    Digest digest;
    HF_CHECK(kFinish(&context_, digest.data()) == 0);
    return digest;
  }
  std::unique_ptr<Hasher> Clone() const override { return std::make_unique<PortableSha256>(*this); }

 private:
  mbedtls_sha256_context context_;
};

class NiSha256 final : public sign::Hasher {
 public:
  void Update(std::string_view bytes) override {
    total_bytes_ += bytes.size();
    if (held_ > 0) {
      const std::size_t taken = std::min(bytes.size(), block_.size() - held_);
      std::copy_n(Bytes(bytes), taken, block_.begin() + static_cast<std::ptrdiff_t>(held_));
      held_ += taken;
      bytes.remove_prefix(taken);
      if (held_ < block_.size()) return;
      CompressSha256Ni(state_, block_.data(), 1);
      held_ = 0;
    }
    const std::size_t blocks = bytes.size() / kSha256BlockBytes;
    CompressSha256Ni(state_, Bytes(bytes), blocks);
    bytes.remove_prefix(blocks * kSha256BlockBytes);
    std::copy_n(Bytes(bytes), bytes.size(), block_.begin());
    held_ = bytes.size();
  }

  // FIPS 180-4 section 5.1.1: a one bit, zeros, the length in bits as 64 bits.
  Digest Finish() override {
    const std::uint64_t bits = total_bytes_ * 8;
    constexpr std::size_t kLengthBytes = 8;
    const std::size_t padding =
        1 + (2 * kSha256BlockBytes - 1 - kLengthBytes - held_) % kSha256BlockBytes;
    std::string tail(padding, '\0');
    tail[0] = '\x80';
    for (int shift = 56; shift >= 0; shift -= 8) tail += static_cast<char>(bits >> shift & 255);
    Update(tail);
    HF_CHECK(held_ == 0);
    Digest digest;
    for (std::size_t i = 0; i < Digest::kSize; ++i) {
      digest.data()[i] = static_cast<std::uint8_t>(state_[i / 4] >> (24 - 8 * (i % 4)) & 255);
    }
    return digest;
  }

  std::unique_ptr<Hasher> Clone() const override { return std::make_unique<NiSha256>(*this); }

 private:
  // FIPS 180-4 section 5.3.3.
  Sha256State state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::uint8_t, kSha256BlockBytes> block_{};
  std::size_t held_ = 0;  // bytes of block_ in use, less than a block between calls
  std::uint64_t total_bytes_ = 0;
};

}  // namespace

std::unique_ptr<sign::Hasher> NewPortableSha256() { return std::make_unique<PortableSha256>(); }
std::unique_ptr<sign::Hasher> NewNiSha256() { return std::make_unique<NiSha256>(); }

std::unique_ptr<sign::Hasher> NewMbedtlsSha256() {
  return HasSha256Ni() ? NewNiSha256() : NewPortableSha256();
}

}  // namespace holdfast
