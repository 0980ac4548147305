// ScanServerMessage on any bytes: never worse than an error, and of one mind with protobuf about what
// it lets warden not see.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "agent/core/server_frames.h"
#include "common/base/check.h"
#include "holdfast/link/v1/link.pb.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto scan = holdfast::agent::ScanServerMessage(bytes);
  static_cast<void>(holdfast::agent::BeginsWithHello(bytes));
  holdfast::link::v1::LinkMessage message;
  if (!scan.ok() || !scan.value().is_only_beats) return 0;
  if (!message.ParseFromArray(data, static_cast<int>(size))) return 0;
  for (const auto& frame : message.frames()) HF_CHECK(frame.has_beat());
  return 0;
}
