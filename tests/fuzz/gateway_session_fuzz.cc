// Throws an agent's messages at the router in every state of a link. Whatever comes, a link that is not
// open sends nothing up, and each link ends with exactly one reason.
//
// An input is one letter and a message: G (before Hello), C (while control decides) or O (open) with hex
// text, g, c or o with plain bytes.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/check.h"
#include "tests/support/fuzz_hex.h"
#include "tests/support/gateway_rig.h"

using holdfast::testing::GatewayRig;
using holdfast::testing::RigSocket;
using namespace std::string_view_literals;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const char state = static_cast<char>(data[0]);
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string bytes = "GCO"sv.find(state) != std::string_view::npos
                                ? holdfast::testing::BytesOfHexText(rest)
                                : std::string(rest);
  GatewayRig rig;
  rig.ControlIsThere();
  static const holdfast::testing::RigAgent agent = rig.NewAgent();
  RigSocket& socket = rig.Open();
  if (state != 'G' && state != 'g') rig.Hello(socket, agent);
  if (state == 'O' || state == 'o') rig.Answer(socket);
  rig.ToControl();
  rig.Hear(socket);

  rig.router.OnMessage(*socket.link, bytes);
  const bool open = socket.link->state == holdfast::backend::GatewayLink::State::kOpen;
  for (const auto& sent : rig.ToControl()) {
    if (!sent.has_from_agent()) continue;
    HF_CHECK(state == 'O' || state == 'o');
    HF_CHECK(sent.from_agent().agent_id() == agent.id.view());
    HF_CHECK(sent.from_agent().epoch() == 1);
    for (const std::string& frame : sent.from_agent().frames()) {
      HF_CHECK(holdfast::link::DecodeFrame(frame, holdfast::link::Direction::kUp).ok());
    }
  }
  HF_CHECK(!open || state == 'O' || state == 'o');
  rig.Hear(socket);
  rig.Drop(socket);
  std::uint64_t closed = 0;
  for (int i = 0; i <= holdfast::testing::link_pb::CloseReason_MAX; ++i) {
    closed += rig.Closed(static_cast<holdfast::link::CloseReason>(i));
  }
  HF_CHECK(closed == 1);
  HF_CHECK(rig.counters.Get(holdfast::backend::Counter::kLinks) == 0);
  HF_CHECK(rig.counters.Get(holdfast::backend::Counter::kHandshakes) == 0);
  return 0;
}
