// What stands for mbedTLS's HAVEGE, one of its sources of random numbers (agent/slim/slim.cmake): the kernel's generator.
// HAVEGE measures how long the processor takes, keeps 32 KB for it, and is believed by few; mbedTLS asks the kernel
// besides in any case (mbedtls_platform_entropy_poll).
// docs/decisions/0117
#include <algorithm>
#include <cstddef>

#include <unistd.h>

extern "C" {

// As mbedtls_havege_random(): all of `size` bytes, and 0; or MBEDTLS_ERR_ENTROPY_SOURCE_FAILED.
int holdfast_kernel_random(void* state, unsigned char* out, std::size_t size);
int holdfast_kernel_random(void* /*state*/, unsigned char* out, std::size_t size) {
  constexpr int kSourceFailed = -0x003C;
  constexpr std::size_t kMostAtOnce = 256;  // getentropy(3)
  while (size > 0) {
    const std::size_t piece = std::min(size, kMostAtOnce);
    if (::getentropy(out, piece) != 0) return kSourceFailed;
    out += piece;
    size -= piece;
  }
  return 0;
}

}  // extern "C"
