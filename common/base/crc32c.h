// Crc32c: CRC-32C (Castagnoli, RFC 3720 appendix B.4) of some bytes; finds a damaged chunk early.
// Not a protection against people: that is the SHA-256 in the signed result.
#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast {

std::uint32_t Crc32c(std::string_view bytes, std::uint32_t before = 0);

}  // namespace holdfast
