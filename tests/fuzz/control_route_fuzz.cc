// Throws ToControl entries at the core, as a Redis in the wrong hands could. Nothing may abort, no
// agent appears, and whatever is said goes to streams with names like ours.
//
// An input is a list of entries, one per line, each as hex text.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/check.h"
#include "tests/support/control_world.h"
#include "tests/support/fuzz_hex.h"

using holdfast::testing::ControlWorld;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  ControlWorld world({.seed = 1, .agents = 1, .gateways = 1});
  while (!input.empty()) {
    const std::string_view line = input.substr(0, input.find('\n'));
    input.remove_prefix(line.size() == input.size() ? line.size() : line.size() + 1);
    world.core().OnEntry("1-0", holdfast::testing::BytesOfHexText(line), world.now());
    world.core().EndTurn(world.now());
    while (const auto out = world.core().NextOut()) {
      HF_CHECK(out->gateway.size() <= 128);
      HF_CHECK(std::none_of(out->gateway.begin(), out->gateway.end(), [](char c) {
        return c == '{' || c == '}' || c == ':' || c == '*' || c < 33;
      }));
    }
  }
  HF_CHECK(world.store().LoadAgents().value().empty());
  return 0;
}
