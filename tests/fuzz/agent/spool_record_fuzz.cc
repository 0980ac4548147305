// A segment file's record header from any bytes: refused, or one that encodes to the same bytes.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "agent/adapters/linux/spool_record.h"
#include "common/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto record = holdfast::agent::DecodeSpoolRecord(bytes);
  if (!record) return 0;
  const auto again = holdfast::agent::EncodeSpoolRecord(*record);
  HF_CHECK(bytes == std::string_view(again.data(), again.size()));
  return 0;
}
