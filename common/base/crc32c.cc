#include "common/base/crc32c.h"

#include <array>
#include <cstddef>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace holdfast {
namespace {

constexpr std::uint32_t kPolynomial = 0x82F63B78;  // Castagnoli, bits reversed
constexpr std::size_t kSlices = 8;                 // bytes per round; 8 KiB of tables, 3x one table

using Tables = std::array<std::array<std::uint32_t, 256>, kSlices>;

constexpr Tables MakeTables() {
  Tables tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ kPolynomial : crc >> 1;
    tables[0][i] = crc;
  }
  for (std::size_t slice = 1; slice < kSlices; ++slice) {
    for (std::size_t i = 0; i < 256; ++i) {
      const std::uint32_t crc = tables[slice - 1][i];
      tables[slice][i] = crc >> 8 ^ tables[0][crc & 255];
    }
  }
  return tables;
}
constexpr Tables kTables = MakeTables();

std::uint32_t Octet(char c) { return static_cast<unsigned char>(c); }

std::uint32_t LoadLittle(const char* at) {
  return Octet(at[0]) | Octet(at[1]) << 8 | Octet(at[2]) << 16 | Octet(at[3]) << 24;
}

#if defined(__x86_64__)
// The instruction answers after three cycles and takes a new word in each: three lanes side by side.
constexpr std::size_t kLaneBytes = 4096;

// x^exponent modulo the polynomial; the highest bit is x^0.
constexpr std::uint32_t PowerOfX(std::size_t exponent) {
  std::uint32_t value = 0x80000000;
  while (exponent-- > 0) value = (value & 1) != 0 ? value >> 1 ^ kPolynomial : value >> 1;
  return value;
}

// The crc of what `crc` is of and as many zero bytes as `factor` stands for: PowerOfX(8 * zeros - 33).
// The product of the two has one bit less than 64, and the instruction below multiplies by x^32.
__attribute__((target("sse4.2,pclmul"))) std::uint64_t Advance(std::uint64_t crc,
                                                               std::uint32_t factor) {
  const __m128i product =
      _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<long long>(crc)),
                           _mm_cvtsi64_si128(static_cast<long long>(factor)), 0);
  return _mm_crc32_u64(0, static_cast<std::uint64_t>(_mm_cvtsi128_si64(product)));
}

__attribute__((target("sse4.2,pclmul"))) std::uint32_t Crc32cSse42(std::string_view bytes,
                                                                   std::uint32_t before) {
  const auto word = [](const char* at) {
    std::uint64_t value = 0;
    std::memcpy(&value, at, sizeof value);
    return value;
  };
  std::uint64_t crc = ~before;
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 3 * kLaneBytes; at += 3 * kLaneBytes, left -= 3 * kLaneBytes) {
    std::uint64_t second = 0;
    std::uint64_t third = 0;
    for (std::size_t i = 0; i < kLaneBytes; i += 8) {
      crc = _mm_crc32_u64(crc, word(at + i));
      second = _mm_crc32_u64(second, word(at + kLaneBytes + i));
      third = _mm_crc32_u64(third, word(at + 2 * kLaneBytes + i));
    }
    constexpr std::uint32_t kTwoLanes = PowerOfX(2 * 8 * kLaneBytes - 33);
    constexpr std::uint32_t kOneLane = PowerOfX(8 * kLaneBytes - 33);
    crc = Advance(crc, kTwoLanes) ^ Advance(second, kOneLane) ^ third;
  }
  for (; left >= 8; at += 8, left -= 8) crc = _mm_crc32_u64(crc, word(at));
  auto crc32 = static_cast<std::uint32_t>(crc);
  for (; left > 0; ++at, --left) crc32 = _mm_crc32_u8(crc32, static_cast<unsigned char>(*at));
  return ~crc32;
}
#endif

}  // namespace

std::uint32_t Crc32cPortable(std::string_view bytes, std::uint32_t before) {
  std::uint32_t crc = ~before;
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= kSlices; at += kSlices, left -= kSlices) {
    const std::uint32_t low = crc ^ LoadLittle(at);
    const std::uint32_t high = LoadLittle(at + 4);
    crc = kTables[7][low & 255] ^ kTables[6][low >> 8 & 255] ^ kTables[5][low >> 16 & 255] ^
          kTables[4][low >> 24] ^ kTables[3][high & 255] ^ kTables[2][high >> 8 & 255] ^
          kTables[1][high >> 16 & 255] ^ kTables[0][high >> 24];
  }
  for (; left > 0; ++at, --left) crc = crc >> 8 ^ kTables[0][(crc ^ Octet(*at)) & 255];
  return ~crc;
}

std::uint32_t Crc32c(std::string_view bytes, std::uint32_t before) {
#if defined(__x86_64__)
  static const bool has_both =
      __builtin_cpu_supports("sse4.2") != 0 && __builtin_cpu_supports("pclmul") != 0;
  if (has_both) return Crc32cSse42(bytes, before);
#endif
  return Crc32cPortable(bytes, before);
}

}  // namespace holdfast
