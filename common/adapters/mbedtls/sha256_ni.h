// The SHA-256 block function with the processor's SHA instructions: several times mbedTLS's own
// speed.
//
// Bulk hashing (`get`, `hash`) is what it is for. Where the processor has no such instructions the
// adapter hashes with mbedTLS; a test compares the two on random lengths.
//
// Threading: pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace holdfast {

inline constexpr std::size_t kSha256BlockBytes = 64;
using Sha256State = std::array<std::uint32_t, 8>;

bool HasSha256Ni();
// Only if HasSha256Ni(). `blocks` x 64 bytes at `data`, unaligned is fine.
void CompressSha256Ni(Sha256State& state, const std::uint8_t* data, std::size_t blocks);

}  // namespace holdfast
