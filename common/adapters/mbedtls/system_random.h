// FillFromSystem: random bytes of the system's generator (getrandom(2)). Aborts if that fails: there is
// no safe way on.
#pragma once

#include <cstddef>
#include <cstdint>

namespace holdfast {

void FillFromSystem(std::uint8_t* out, std::size_t size);
// The shape that mbedTLS asks for; `state` is not used. Always 0.
int FillFromSystemForMbedtls(void* state, unsigned char* out, std::size_t size);

}  // namespace holdfast
