// What a worker reads from warden: any bytes, cut anywhere, and what it asks for stays bounded.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "agent/verbs/worker_request.h"
#include "common/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  constexpr std::size_t kMostBytes = std::size_t{64} * 1024;  // of one part
  for (std::size_t cut = 0; cut <= size; cut += 1 + size / 16) {
    const auto progress = holdfast::agent::ParseWorkerRequest(input.substr(0, cut));
    HF_CHECK(!progress.ok() || progress.value().missing_bytes <= kMostBytes);
  }
  (void)holdfast::agent::ParseWorkerRequest(input);
  return 0;
}
