#include "common/sign/low_s.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace holdfast::sign {
namespace {

constexpr std::size_t kScalarBytes = 32;
using Scalar = std::array<std::uint8_t, kScalarBytes>;

// n, the order of P-256 (SEC 2 version 2, section 2.4.2), big endian.
constexpr Scalar kOrder = {0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF,
                           0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17,
                           0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51};

constexpr Scalar Half(const Scalar& value) {
  Scalar half{};
  unsigned carry = 0;
  for (std::size_t i = 0; i < kScalarBytes; ++i) {
    half[i] = static_cast<std::uint8_t>(value[i] >> 1 | carry << 7);
    carry = value[i] & 1U;
  }
  return half;
}
constexpr Scalar kHalfOrder = Half(kOrder);

}  // namespace

bool IsLowS(const Signature& signature) {
  return std::memcmp(signature.data() + kScalarBytes, kHalfOrder.data(), kScalarBytes) <= 0;
}

Signature ToLowS(const Signature& signature) {
  if (IsLowS(signature)) return signature;
  Signature low = signature;
  std::uint8_t* s = low.data() + kScalarBytes;
  int borrow = 0;
  for (std::size_t i = kScalarBytes; i-- > 0;) {
    const int difference = int{kOrder[i]} - int{s[i]} - borrow;
    borrow = difference < 0 ? 1 : 0;
    s[i] = static_cast<std::uint8_t>(difference & 255);
  }
  return low;
}

}  // namespace holdfast::sign
