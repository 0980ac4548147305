// LinkFramer on any bytes, cut by a step that the first byte gives: whole or in pieces, the same messages.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/core/link_framer.h"
#include "common/base/check.h"

namespace {

std::string Read(std::string_view bytes, std::size_t step) {
  holdfast::agent::LinkFramer framer;
  std::string seen;
  while (!bytes.empty()) {
    framer.Push(bytes.substr(0, step));
    bytes.remove_prefix(std::min(step, bytes.size()));
    for (;;) {
      auto next = framer.Next();
      if (!next.ok()) return seen + "!";
      if (!next.value()) break;
      HF_CHECK(next.value()->payload.size() < holdfast::agent::kMaxLinkMessageBytes);
      holdfast::agent::AppendLinkMessage(seen, next.value()->type, next.value()->payload);
    }
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string whole = Read(bytes, bytes.size() + 1);
  HF_CHECK(whole == Read(bytes, data[0] % 32U + 1));
  // What came out is what went in.
  const std::string_view messages =
      std::string_view(whole).substr(0, whole.size() - whole.ends_with('!'));
  HF_CHECK(bytes.starts_with(messages) || whole.ends_with('!'));
  return 0;
}
