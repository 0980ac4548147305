// Throws entries of a gateway's stream at the router: Redis is nobody's friend. No link but the waiting
// one may open, and only with what its own Claim said.
//
// An input is one letter and an entry: T with hex text, t with plain bytes.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/check.h"
#include "tests/support/fuzz_hex.h"
#include "tests/support/gateway_rig.h"

using holdfast::testing::GatewayRig;
using holdfast::testing::RigSocket;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string bytes =
      data[0] == 'T' ? holdfast::testing::BytesOfHexText(rest) : std::string(rest);
  GatewayRig rig;
  rig.ControlIsThere();
  RigSocket& open = rig.OpenLink(rig.NewAgent());
  RigSocket& greeting = rig.Open();
  rig.Hear(greeting);
  rig.router.OnEntry("1-0", bytes);
  rig.router.OnEntry("1-0", bytes);  // entries may come twice
  HF_CHECK(greeting.link->state == holdfast::backend::GatewayLink::State::kGreeting);
  for (RigSocket* const socket : {&open, &greeting}) {
    for (const auto& message : rig.Hear(*socket)) {
      HF_CHECK(message.frames_size() <= holdfast::link::kMaxFramesPerMessage);
    }
    rig.Drop(*socket);
  }
  HF_CHECK(rig.counters.Get(holdfast::backend::Counter::kLinks) == 0);
  HF_CHECK(rig.counters.Get(holdfast::backend::Counter::kHandshakes) == 0);
  return 0;
}
