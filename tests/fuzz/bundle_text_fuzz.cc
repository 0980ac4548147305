// Whatever ParseBundle accepts must come back from its own text unchanged.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/base/check.h"
#include "common/bundle/bundle_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bundle = holdfast::ParseBundle({reinterpret_cast<const char*>(data), size});
  if (!bundle.ok()) return 0;
  const auto again = holdfast::ParseBundle(holdfast::FormatBundle(bundle.value()));
  HF_CHECK(again.ok());
  HF_CHECK(again.value().SerializeAsString() == bundle.value().SerializeAsString());
  return 0;
}
