// Throws bytes at what an orphaned gateway says of itself: what is taken is said again by the same bytes.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "backend/core/introduction.h"
#include "common/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto said = holdfast::backend::DecodeIntroduction(bytes);
  if (said) HF_CHECK(holdfast::backend::EncodeIntroduction(*said) == bytes);
  return 0;
}
