// A whole Warden under any sequence of link messages: it may hang up, never fall.
//
// Input: u8 what, then for what < 8 one byte of length and that many bytes as a message from the server
// (or the link process); 8: time passes; 9: the link opens properly; 10: a good command is delivered;
// 11: the worker writes; 12: it ends; 13: the process restarts.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tests/support/warden_rig.h"

namespace {

using holdfast::agent::LinkMessageType;
using holdfast::testing::WardenRig;

void Step(WardenRig& rig, std::uint8_t what, std::string_view bytes) {
  switch (what % 16) {
    case 8: return rig.Advance(std::chrono::seconds(7));
    case 9: return rig.Open();
    case 10: return rig.Deliver(rig.Sign(rig.Query()));
    case 11:
      if (!rig.workers.started.empty()) rig.Output(rig.LastWorker(), "output");
      return;
    case 12:
      if (!rig.workers.started.empty()) rig.Exit(rig.LastWorker());
      return;
    case 13: return rig.Restart();
    case 1: rig.warden->OnLinkMessage(LinkMessageType::kOpened, bytes, rig.at); break;
    case 2: rig.warden->OnLinkMessage(LinkMessageType::kClosed, bytes, rig.at); break;
    case 3: rig.warden->OnLinkMessage(static_cast<LinkMessageType>(what), bytes, rig.at); break;
    default: {
      // As the gateway would send it: with the epoch of the day.
      holdfast::link::v1::LinkMessage message;
      if (message.ParseFromString(std::string(bytes))) message.set_epoch(rig.disk.meta.epoch);
      const std::string sent =
          message.frames_size() > 0 ? message.SerializeAsString() : std::string(bytes);
      rig.warden->OnLinkMessage(LinkMessageType::kFromServer, sent, rig.at);
    }
  }
  rig.Pump();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  WardenRig rig;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  while (!bytes.empty()) {
    const auto what = static_cast<std::uint8_t>(bytes[0]);
    bytes.remove_prefix(1);
    std::string_view message;
    if (what % 16 < 8 && !bytes.empty()) {
      const auto length = static_cast<std::uint8_t>(bytes[0]);
      message = bytes.substr(1, length);
      bytes.remove_prefix(std::min<std::size_t>(1U + length, bytes.size()));
    }
    Step(rig, what, message);
  }
  return 0;
}
