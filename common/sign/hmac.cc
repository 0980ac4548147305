#include "common/sign/hmac.h"

#include <cstddef>
#include <string>

#include "common/base/check.h"

namespace holdfast::sign {
namespace {

constexpr std::size_t kBlockBytes = 64;  // of SHA-256, FIPS 180-4
constexpr char kInnerPad = 0x36;         // RFC 2104, section 2
constexpr char kOuterPad = 0x5c;

std::string Padded(std::string_view key, char pad) {
  std::string block(kBlockBytes, pad);
  for (std::size_t i = 0; i < key.size(); ++i) block[i] = static_cast<char>(key[i] ^ pad);
  return block;
}

}  // namespace

Digest HmacSha256(const Crypto& crypto, std::string_view key, std::string_view bytes) {
  HF_CHECK(key.size() <= kBlockBytes);
  auto inner = crypto.NewSha256();
  inner->Update(Padded(key, kInnerPad));
  inner->Update(bytes);
  auto outer = crypto.NewSha256();
  outer->Update(Padded(key, kOuterPad));
  outer->Update(inner->Finish().view());
  return outer->Finish();
}

}  // namespace holdfast::sign
