#include "common/adapters/mbedtls/system_random.h"

#include <sys/random.h>

#include "common/base/check.h"

namespace holdfast {

void FillFromSystem(std::uint8_t* out, std::size_t size) {
  while (size > 0) {
    // Requests up to 256 bytes are never cut short or interrupted (getrandom(2)).
    const std::size_t part = size < 256 ? size : 256;
    const ssize_t got = getrandom(out, part, 0);
    HF_CHECK(got > 0);
    out += got;
    size -= static_cast<std::size_t>(got);
  }
}

int FillFromSystemForMbedtls(void* /*state*/, unsigned char* out, std::size_t size) {
  FillFromSystem(out, size);
  return 0;
}

}  // namespace holdfast
