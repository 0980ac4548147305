#include "common/adapters/nettle/nettle_gcm.h"

#include <algorithm>
#include <cstring>

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include "common/base/check.h"

namespace holdfast {
namespace {

// nettle's own signatures differ from nettle_cipher_func in the first argument.
void EncryptAes128(const void* aes, std::size_t size, std::uint8_t* out, const std::uint8_t* in) {
  aes128_encrypt(static_cast<const aes128_ctx*>(aes), size, out, in);
}
void EncryptAes256(const void* aes, std::size_t size, std::uint8_t* out, const std::uint8_t* in) {
  aes256_encrypt(static_cast<const aes256_ctx*>(aes), size, out, in);
}

bool Overlap(NettleGcm::Bytes in, const std::uint8_t* out) {
  const auto a = reinterpret_cast<std::uintptr_t>(in.data());
  const auto b = reinterpret_cast<std::uintptr_t>(out);
  return a < b + in.size() && b < a + in.size();
}

constexpr std::size_t WholeBlocks(std::size_t bytes) { return bytes - bytes % GCM_BLOCK_SIZE; }

}  // namespace

bool NettleGcm::IsFast() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("aes") != 0 && __builtin_cpu_supports("pclmul") != 0;
#elif defined(__aarch64__)
  constexpr unsigned long kBoth = HWCAP_AES | HWCAP_PMULL;
  return (getauxval(AT_HWCAP) & kBoth) == kBoth;
#else
  return false;
#endif
}

Result<std::unique_ptr<NettleGcm>> NettleGcm::Create(Bytes key) {
  if (key.size() != AES128_KEY_SIZE && key.size() != AES256_KEY_SIZE) {
    return Error{Code::kInvalid, "not a key of 16 or 32 bytes"};
  }
  return std::unique_ptr<NettleGcm>(new NettleGcm(key));
}

NettleGcm::NettleGcm(Bytes key)
    : encrypt_block_(key.size() == AES128_KEY_SIZE ? &EncryptAes128 : &EncryptAes256) {
  if (key.size() == AES128_KEY_SIZE) {
    aes128_set_encrypt_key(&aes128_, key.data());
  } else {
    aes256_set_encrypt_key(&aes256_, key.data());
  }
  gcm_set_key(&key_, &aes128_, encrypt_block_);
}

NettleGcm::~NettleGcm() {
  explicit_bzero(&aes256_, sizeof aes256_);
  explicit_bzero(&key_, sizeof key_);
  explicit_bzero(&message_, sizeof message_);
  explicit_bzero(part_.data(), part_.size());
}

void NettleGcm::Start(Direction direction, Bytes nonce) {
  HF_CHECK(!nonce.empty());
  gcm_set_iv(&message_, &key_, nonce.size(), nonce.data());
  direction_ = direction;
  phase_ = Phase::kData;
  part_bytes_ = 0;
}

Status NettleGcm::AddData(Bytes piece) {
  if (phase_ != Phase::kData) return Error{Code::kInvalid, "associated data comes first"};
  if (part_bytes_ > 0) {
    const std::size_t taken = std::min(piece.size(), part_.size() - part_bytes_);
    std::copy_n(piece.begin(), taken, part_.begin() + static_cast<std::ptrdiff_t>(part_bytes_));
    part_bytes_ += taken;
    piece = piece.subspan(taken);
    if (part_bytes_ < part_.size()) return Ok();
    gcm_update(&message_, &key_, part_.size(), part_.data());
  }
  const std::size_t whole = WholeBlocks(piece.size());
  gcm_update(&message_, &key_, whole, piece.data());
  piece = piece.subspan(whole);
  std::copy(piece.begin(), piece.end(), part_.begin());
  part_bytes_ = piece.size();
  return Ok();
}

// nettle pads with zeros what is not a whole block, as section 7.1 asks.
void NettleGcm::EndData() {
  gcm_update(&message_, &key_, part_bytes_, part_.data());
  part_bytes_ = 0;
  phase_ = Phase::kText;
}

Status NettleGcm::Crypt(Bytes in, std::uint8_t* out) {
  if (phase_ == Phase::kIdle) return Error{Code::kInvalid, "no message was started"};
  if (in.empty()) return Ok();
  if (phase_ == Phase::kData) EndData();
  const std::uint64_t done = message_.data_size + part_bytes_;
  if (in.size() > kMaxTextBytes - done) return Error{Code::kExhausted, "text too long"};
  if (in.data() != out && Overlap(in, out)) {  // nettle knows apart and in place, nothing between
    std::memmove(out, in.data(), in.size());
    in = {out, in.size()};
  }
  if (part_bytes_ > 0) {
    const std::size_t taken = std::min(in.size(), part_.size() - part_bytes_);
    CryptPart(in.first(taken), out);
    in = in.subspan(taken);
    out += taken;
  }
  const std::size_t whole = WholeBlocks(in.size());
  CryptBlocks(message_, in.first(whole), out);
  if (whole < in.size()) CryptPart(in.subspan(whole), out + whole);
  return Ok();
}

// The text of a block may be asked for before all of it is there: a copy of the state runs ahead over
// what there is, and becomes the state when the block is whole.
void NettleGcm::CryptPart(Bytes in, std::uint8_t* out) {
  const auto at = static_cast<std::ptrdiff_t>(part_bytes_);
  std::copy(in.begin(), in.end(), part_.begin() + at);
  part_bytes_ += in.size();
  gcm_ctx ahead = message_;
  std::array<std::uint8_t, GCM_BLOCK_SIZE> text{};
  CryptBlocks(ahead, Bytes(part_).first(part_bytes_), text.data());
  std::copy_n(text.begin() + at, in.size(), out);
  if (part_bytes_ < part_.size()) return;
  message_ = ahead;
  part_bytes_ = 0;
}

void NettleGcm::CryptBlocks(gcm_ctx& message, Bytes in, std::uint8_t* out) const {
  const auto crypt = direction_ == Direction::kEncrypt ? &gcm_encrypt : &gcm_decrypt;
  crypt(&message, &key_, &aes128_, encrypt_block_, in.size(), out, in.data());
}

Result<NettleGcm::Tag> NettleGcm::Finish() {
  if (phase_ == Phase::kIdle) return Error{Code::kInvalid, "no message was started"};
  if (phase_ == Phase::kData) EndData();
  std::array<std::uint8_t, GCM_BLOCK_SIZE> text{};  // went out already; here it goes into the tag
  CryptBlocks(message_, Bytes(part_).first(part_bytes_), text.data());
  Tag tag;
  gcm_digest(&message_, &key_, &aes128_, encrypt_block_, tag.size(), tag.data());
  phase_ = Phase::kIdle;
  return tag;
}

}  // namespace holdfast
