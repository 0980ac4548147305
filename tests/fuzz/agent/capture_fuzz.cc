// What a packet says of its ends, in every kind of frame; and what a scanner says it has found.
#include <cstdint>
#include <string_view>

#include "agent/verbs/capture_frames.h"
#include "agent/verbs/scanner_process.h"
#include "holdfast/command/v1/result.pb.h"

using namespace holdfast::agent;  // NOLINT(google-build-using-namespace)

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const std::uint16_t type : {kLinkEthernet, kLinkRaw, std::uint16_t{127}}) {
    (void)TcpEndsOf(type, bytes);
  }
  std::string out;
  AddPacketBlock(0, 1, 1, bytes, out);
  holdfast::command::v1::Row row;
  (void)ParseHit(bytes, row);
  return 0;
}
