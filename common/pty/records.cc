#include "common/pty/records.h"

#include <utility>

#include "common/base/little_endian.h"
#include "common/sign/sealing.h"

namespace holdfast::pty {
namespace {

constexpr std::size_t kNumberBytes = 8;
constexpr std::size_t kOutputHeaderBytes = 1 + 2 * kNumberBytes;
constexpr std::size_t kFrameHeaderBytes = 5;
constexpr std::size_t kMaxKeyFrameBytes = std::size_t{4} * 1024;  // an envelope with one signature
constexpr std::size_t kMaxSealedBytes = kOutputHeaderBytes + kMaxOutputBytes + sign::kSealBytes;

Error Corrupt(const char* what) { return {Code::kCorrupt, what}; }

}  // namespace

std::string Encode(const InputRecord& record) {
  std::string out(1, static_cast<char>(record.kind));
  return out += record.data;
}

std::string Encode(const OutputRecord& record) {
  std::string out(1, static_cast<char>(record.kind));
  AppendLittle(out, record.taken, kNumberBytes);
  AppendLittle(out, record.at_us, kNumberBytes);
  return out += record.data;
}

Result<InputRecord> ParseInputRecord(std::string_view bytes) {
  if (bytes.empty() || bytes.size() > 1 + kMaxInputBytes) return Corrupt("input: length");
  InputRecord record{static_cast<InputKind>(bytes[0]), std::string(bytes.substr(1))};
  switch (record.kind) {
    case InputKind::kKeys: return record;
    case InputKind::kHangUp: return record;
    case InputKind::kSize: HF_TRY(ParseSize(record.data)); return record;
    case InputKind::kSeen: HF_TRY(ParseNumber(record.data)); return record;
  }
  return Corrupt("input: kind");
}

Result<OutputRecord> ParseOutputRecord(std::string_view bytes) {
  if (bytes.size() < kOutputHeaderBytes || bytes.size() > kOutputHeaderBytes + kMaxOutputBytes) {
    return Corrupt("output: length");
  }
  OutputRecord record;
  record.kind = static_cast<OutputKind>(bytes[0]);
  record.taken = LittleEndian(bytes.substr(1, kNumberBytes));
  record.at_us = LittleEndian(bytes.substr(1 + kNumberBytes, kNumberBytes));
  record.data = bytes.substr(kOutputHeaderBytes);
  switch (record.kind) {
    case OutputKind::kOutput:
    case OutputKind::kNotice:
    case OutputKind::kTaken: return record;
    case OutputKind::kBegin: HF_TRY(ParseNumber(record.data)); return record;
    case OutputKind::kSize: HF_TRY(ParseSize(record.data)); return record;
  }
  return Corrupt("output: kind");
}

std::string EncodeSize(Size size) {
  std::string out;
  AppendLittle(out, size.columns, 2);
  AppendLittle(out, size.rows, 2);
  return out;
}

Result<Size> ParseSize(std::string_view bytes) {
  if (bytes.size() != 4) return Corrupt("size: length");
  const Size size{static_cast<std::uint16_t>(LittleEndian(bytes.substr(0, 2))),
                  static_cast<std::uint16_t>(LittleEndian(bytes.substr(2, 2)))};
  const bool is_good =
      size.columns >= 1 && size.columns <= kMaxColumns && size.rows >= 1 && size.rows <= kMaxRows;
  if (!is_good) return Corrupt("size: out of range");
  return size;
}

std::string EncodeNumber(std::uint64_t number) {
  std::string out;
  AppendLittle(out, number, kNumberBytes);
  return out;
}

Result<std::uint64_t> ParseNumber(std::string_view bytes) {
  if (bytes.size() != kNumberBytes) return Corrupt("number: length");
  return LittleEndian(bytes);
}

void AppendFrame(std::string& out, FrameType type, std::string_view payload) {
  out += static_cast<char>(type);
  AppendLittle(out, payload.size(), kFrameHeaderBytes - 1);
  out += payload;
}

void SealedFrames::Push(std::string_view bytes) {
  if (is_corrupt_) return;
  buffer_.erase(0, std::exchange(at_, 0));
  buffer_.append(bytes);
}

Result<std::optional<SealedFrame>> SealedFrames::Next() {
  if (is_corrupt_) return Corrupt("an earlier frame was bad");
  const std::string_view rest = std::string_view(buffer_).substr(at_);
  if (rest.size() < kFrameHeaderBytes) return std::optional<SealedFrame>();
  const auto type = static_cast<FrameType>(rest[0]);
  const std::uint64_t length = LittleEndian(rest.substr(1, kFrameHeaderBytes - 1));
  const bool is_key = type == FrameType::kKey;
  const std::size_t most = is_key ? kMaxKeyFrameBytes : kMaxSealedBytes;
  if ((!is_key && type != FrameType::kSealed) || length > most) {
    is_corrupt_ = true;
    buffer_.clear();
    at_ = 0;
    return Corrupt("frame: type or length");
  }
  const std::size_t whole = kFrameHeaderBytes + static_cast<std::size_t>(length);
  if (rest.size() < whole) return std::optional<SealedFrame>();
  at_ += whole;
  return std::optional(
      SealedFrame{type, std::string(rest.substr(kFrameHeaderBytes, whole - kFrameHeaderBytes))});
}

}  // namespace holdfast::pty
