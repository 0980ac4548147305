#include "backend/core/gateway_frames.h"

#include <cstring>
#include <utility>

#include "backend/core/stream_transport.h"
#include "common/link/limits.h"

namespace holdfast::backend {
namespace {

// Field numbers of link.proto and route.proto. A test holds them against the generated classes.
constexpr std::uint32_t kMessageEpoch = 1;
constexpr std::uint32_t kMessageFrames = 2;
constexpr std::uint32_t kToControlGateway = 1;
constexpr std::uint32_t kToControlFromAgent = 5;
constexpr std::uint32_t kFromAgentId = 1;
constexpr std::uint32_t kFromAgentEpoch = 2;
constexpr std::uint32_t kFromAgentFrames = 3;

// Wire types (protobuf encoding guide, "Message Structure").
constexpr std::uint32_t kVarint = 0;
constexpr std::uint32_t kFixed64 = 1;
constexpr std::uint32_t kLengthDelimited = 2;
constexpr std::uint32_t kFixed32 = 5;

void AppendVarint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

void AppendTag(std::string& out, std::uint32_t field, std::uint32_t type) {
  AppendVarint(out, field << 3 | type);
}

void AppendBytes(std::string& out, std::uint32_t field, std::string_view bytes) {
  AppendTag(out, field, kLengthDelimited);
  AppendVarint(out, bytes.size());
  out += bytes;
}

// Takes a varint off the front; false if there is none.
bool TakeVarint(std::string_view& bytes, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<std::uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7FU} << shift;
    if ((byte & 0x80U) == 0) return true;
  }
  return false;
}

bool Skip(std::string_view& bytes, std::uint64_t count) {
  if (count > bytes.size()) return false;
  bytes.remove_prefix(static_cast<std::size_t>(count));
  return true;
}

}  // namespace

Result<std::vector<std::string_view>> SliceFrames(std::string_view message) {
  const Error broken{Code::kInvalid, "message: its fields do not parse"};
  std::vector<std::string_view> frames;
  while (!message.empty()) {
    std::uint64_t tag = 0;
    std::uint64_t value = 0;
    if (!TakeVarint(message, tag)) return broken;
    switch (tag & 7U) {
      case kVarint:
        if (!TakeVarint(message, value)) return broken;
        break;
      case kFixed64:
        if (!Skip(message, 8)) return broken;
        break;
      case kFixed32:
        if (!Skip(message, 4)) return broken;
        break;
      case kLengthDelimited: {
        if (!TakeVarint(message, value)) return broken;
        const std::string_view rest = message;
        if (!Skip(message, value)) return broken;
        const std::string_view field = rest.substr(0, static_cast<std::size_t>(value));
        if (tag >> 3 == kMessageFrames) frames.push_back(field);
        break;
      }
      default: return broken;
    }
  }
  return frames;
}

void StartLinkMessage(std::string& out, std::uint64_t epoch) {
  out.clear();
  if (epoch == 0) return;
  AppendTag(out, kMessageEpoch, kVarint);
  AppendVarint(out, epoch);
}

void AppendLinkFrame(std::string& out, std::string_view frame) {
  AppendBytes(out, kMessageFrames, frame);
}

FromAgentBatch::FromAgentBatch(std::string gateway_instance) {
  AppendBytes(gateway_field_, kToControlGateway, gateway_instance);
  // Tag and length of FromAgent (6), its id (2 + 16), its epoch (1 + 10).
  room_ = gateway_field_.size() + 35;
  buffer_.assign(room_, '\0');
}

bool FromAgentBatch::Fits(std::size_t frame_bytes) const {
  const std::size_t used = count_ == 0 ? room_ : buffer_.size();
  return count_ < link::kMaxFramesPerMessage &&
         used + frame_bytes + kFrameOverheadBytes <= kMaxEntryBytes;
}

void FromAgentBatch::Append(std::string_view frame) {
  if (count_ == 0) buffer_.resize(room_);  // what Finish() handed out
  AppendBytes(buffer_, kFromAgentFrames, frame);
  ++count_;
}

std::string_view FromAgentBatch::Finish(const AgentId& agent_id, std::uint64_t epoch) {
  std::string inner;
  AppendBytes(inner, kFromAgentId, agent_id.view());
  AppendTag(inner, kFromAgentEpoch, kVarint);
  AppendVarint(inner, epoch);

  std::string head = gateway_field_;
  AppendTag(head, kToControlFromAgent, kLengthDelimited);
  AppendVarint(head, inner.size() + buffer_.size() - room_);
  head += inner;
  HF_CHECK(head.size() <= room_);

  const std::size_t start = room_ - head.size();
  std::memcpy(buffer_.data() + start, head.data(), head.size());
  count_ = 0;
  return std::string_view(buffer_).substr(start);
}

}  // namespace holdfast::backend
