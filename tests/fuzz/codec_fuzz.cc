// Throws bytes at the codec, both ways. What it lets through has to survive a second trip unchanged
// and keep the limits that others rely on.
//
// An input is one letter and a message: U (up) or D (down) with hex text, u or d with plain bytes.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/check.h"
#include "common/base/crc32c.h"
#include "common/link/codec.h"
#include "common/link/limits.h"
#include "tests/support/fuzz_hex.h"

namespace {

using namespace std::string_view_literals;
using holdfast::link::DecodeFrame;
using holdfast::link::DecodeMessage;
using holdfast::link::Direction;
using holdfast::link::Frame;

void CheckKept(const Frame& frame, Direction direction) {
  HF_CHECK(frame.body_case() != Frame::BODY_NOT_SET);
  HF_CHECK(frame.has_up() ? direction == Direction::kUp : true);
  HF_CHECK(frame.has_deliver() ? direction == Direction::kDown : true);
  if (frame.has_up()) {
    HF_CHECK(frame.up().digest().size() == 32 && frame.up().attempt() > 0);
    if (frame.up().has_chunk()) {
      const auto& chunk = frame.up().chunk();
      HF_CHECK(chunk.data().size() <= holdfast::link::kMaxChunkBytes && !chunk.data().empty());
      HF_CHECK(chunk.offset() + chunk.data().size() > chunk.offset());
      HF_CHECK(holdfast::Crc32c(chunk.data()) == chunk.crc32c());
    }
  }
  HF_CHECK(DecodeFrame(frame.SerializeAsString(), direction).ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool is_text = "UD"sv.find(static_cast<char>(data[0])) != std::string_view::npos;
  const std::string bytes = is_text ? holdfast::testing::BytesOfHexText(rest) : std::string(rest);
  const Direction direction = data[0] == 'U' || data[0] == 'u' ? Direction::kUp : Direction::kDown;

  const auto message = DecodeMessage(bytes, direction);
  if (message.ok()) {
    HF_CHECK(message.value().frames().size() <= holdfast::link::kMaxFramesPerMessage);
    for (const Frame& frame : message.value().frames()) CheckKept(frame, direction);
    const std::string again = holdfast::link::EncodeMessage(message.value());
    const auto second = DecodeMessage(again, direction);
    // Unknown fields may come along: kept beside the rest, and kept once.
    HF_CHECK(second.ok() && holdfast::link::EncodeMessage(second.value()) == again);
  } else {
    (void)holdfast::link::CloseReasonFor(message.error());
  }
  (void)DecodeFrame(bytes, direction).ok();
  return 0;
}
