// Crc32c: CRC-32C (Castagnoli, RFC 3720 appendix B.4) of some bytes; finds a damaged chunk early.
//
// Not a protection against people: that is the SHA-256 in the signed result. `before` is the value
// of the bytes that come before these, so that pieces can be checked as they arrive.
//
// Threading: pure functions.
#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast {

std::uint32_t Crc32c(std::string_view bytes, std::uint32_t before = 0);

// The same by tables, as on machines without an instruction for it. Public for its test.
std::uint32_t Crc32cPortable(std::string_view bytes, std::uint32_t before = 0);

}  // namespace holdfast
