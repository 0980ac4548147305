// WorkerFramer on any bytes, cut by a step that the first byte gives: whole or in pieces, the same.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "agent/core/worker_framer.h"
#include "common/base/check.h"

namespace {

std::string Read(std::string_view bytes, std::size_t step) {
  holdfast::agent::WorkerFramer framer;
  std::string seen;
  while (!bytes.empty()) {
    std::size_t room = 0;
    char* space = framer.Space(room);
    HF_CHECK(room > 0);
    const std::size_t piece = std::min({room, step, bytes.size()});
    std::memcpy(space, bytes.data(), piece);
    framer.OnRead(piece);
    bytes.remove_prefix(piece);
    for (;;) {
      const bool promised = framer.has_message();
      auto next = framer.Next();
      if (!next.ok()) return seen + "!";
      HF_CHECK(promised == next.value().has_value());
      if (!next.value()) break;
      HF_CHECK(next.value()->payload.size() <= holdfast::agent::kMaxWorkerMessageBytes);
      holdfast::agent::AppendWorkerMessage(seen, next.value()->type, next.value()->payload);
    }
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  HF_CHECK(Read(bytes, bytes.size() + 1) == Read(bytes, data[0] % 32U + 1));
  return 0;
}
