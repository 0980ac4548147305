#include "agent/core/server_frames.h"

#include <utility>

#include "common/link/codec.h"
#include "common/link/limits.h"

namespace holdfast::agent {
namespace {

// Field numbers of link.proto.
constexpr std::uint32_t kFramesField = 2;
constexpr std::uint32_t kHelloField = 2;
constexpr std::uint32_t kWelcomeField = 3;
constexpr std::uint32_t kCloseField = 4;
constexpr std::uint32_t kGoawayField = 5;
constexpr std::uint32_t kBeatField = 6;
// kMaxDetailBytes and the numbers beside it, with room.
constexpr std::size_t kMaxControlFrameBytes = 1024;

// One field of a protobuf message; `bytes` for length-delimited ones.
struct Field {
  std::uint32_t number = 0;
  bool is_delimited = false;
  std::string_view bytes;
};

class WireWalker {
 public:
  explicit WireWalker(std::string_view rest) : rest_(rest) {}
  bool done() const { return rest_.empty(); }

  std::optional<Field> Next() {
    const std::optional<std::uint64_t> tag = Varint();
    if (!tag || *tag >> 3 == 0 || *tag >> 32 != 0) return std::nullopt;
    Field field;
    field.number = static_cast<std::uint32_t>(*tag >> 3);
    switch (*tag & 7) {
      case 0:
        if (!Varint()) return std::nullopt;
        return field;
      case 1: return Skip(8) ? std::optional(field) : std::nullopt;
      case 5: return Skip(4) ? std::optional(field) : std::nullopt;
      case 2: break;
      default: return std::nullopt;  // groups: nothing of ours has them
    }
    const std::optional<std::uint64_t> size = Varint();
    if (!size || *size > rest_.size()) return std::nullopt;
    field.is_delimited = true;
    field.bytes = rest_.substr(0, static_cast<std::size_t>(*size));
    rest_.remove_prefix(field.bytes.size());
    return field;
  }

 private:
  std::optional<std::uint64_t> Varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<std::uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    return std::nullopt;
  }
  bool Skip(std::size_t bytes) {
    if (rest_.size() < bytes) return false;
    rest_.remove_prefix(bytes);
    return true;
  }

  std::string_view rest_;
};

// Which member of Frame's oneof is set: the last one counts, as protobuf has it. 0: none.
std::optional<std::uint32_t> KindOf(std::string_view frame) {
  std::uint32_t kind = 0;
  for (WireWalker walker(frame); !walker.done();) {
    const std::optional<Field> field = walker.Next();
    if (!field) return std::nullopt;
    if (field->is_delimited) kind = field->number;
  }
  return kind;
}

Status ReadControl(std::string_view bytes, ServerFrames& out) {
  if (bytes.size() > kMaxControlFrameBytes) return Error{Code::kInvalid, "control frame: size"};
  HF_ASSIGN_OR_RETURN(const link::Frame frame, link::DecodeFrame(bytes, link::Direction::kDown));
  if (frame.has_close()) {
    out.close = ServerFrames::Close{frame.close().reason(),
                                    std::chrono::seconds(frame.close().retry_after_s()),
                                    frame.close().detail()};
  } else if (frame.has_goaway()) {
    out.goaway = ServerFrames::Goaway{frame.goaway().reason(),
                                      std::chrono::seconds(frame.goaway().window_s())};
  }
  return Ok();
}

}  // namespace

Result<ServerFrames> ScanServerMessage(std::string_view bytes) {
  ServerFrames out;
  int frames = 0;
  int beats = 0;
  for (WireWalker walker(bytes); !walker.done();) {
    const std::optional<Field> field = walker.Next();
    if (!field) return Error{Code::kInvalid, "message: not protobuf"};
    if (field->number != kFramesField || !field->is_delimited) continue;
    if (++frames > link::kMaxFramesPerMessage) return Error{Code::kInvalid, "message: frames"};
    const std::optional<std::uint32_t> kind = KindOf(field->bytes);
    if (!kind) return Error{Code::kInvalid, "frame: not protobuf"};
    if (*kind == kBeatField) ++beats;
    if (*kind == kWelcomeField) out.has_welcome = true;
    if (*kind == kCloseField || *kind == kGoawayField) HF_TRY(ReadControl(field->bytes, out));
  }
  out.is_only_beats = frames > 0 && beats == frames;
  return out;
}

bool BeginsWithHello(std::string_view bytes) {
  for (WireWalker walker(bytes); !walker.done();) {
    const std::optional<Field> field = walker.Next();
    if (!field) return false;
    if (field->number == kFramesField && field->is_delimited) {
      return KindOf(field->bytes) == kHelloField;
    }
  }
  return false;
}

}  // namespace holdfast::agent
