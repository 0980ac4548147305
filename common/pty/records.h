// What operator and agent say to each other under the seal of a terminal, and the frames of its output.
//
//   input   u8 kind | data                                       numbered by link.proto's PtyInput.seq
//   output  u8 kind | u64le taken | u64le at_us | data           numbered as they come
//   frame   u8 type | u32le length | payload                     'K' the agent's key, 'S' a sealed record
//
// Limits:    kMaxInputBytes and kMaxOutputBytes of data; a longer frame is kCorrupt before it is held.
// Threading: values; the reader is thread-compatible.
// Errors:    Parse*(), SealedFrames::Next(): kCorrupt, from then on always.
// Design:    docs/protocol.md 10
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace holdfast::pty {

// Sealed and framed it stays below PIPE_BUF (4096), so that warden hands a worker one whole or not at all.
inline constexpr std::size_t kMaxInputBytes = 2048;
inline constexpr std::size_t kMaxOutputBytes = std::size_t{32} * 1024;
inline constexpr std::uint32_t kMaxColumns = 1000;
inline constexpr std::uint32_t kMaxRows = 1000;

enum class InputKind : std::uint8_t {
  kKeys = 'k',    // bytes that were typed
  kSize = 's',    // Size
  kSeen = 'p',    // u64le: bytes of kOutput shown so far; also a sign of life
  kHangUp = 'h',  // the operator is done
};
struct InputRecord {
  InputKind kind = InputKind::kSeen;
  std::string data;
};

enum class OutputKind : std::uint8_t {
  kBegin = 'b',   // u64le: Unix seconds; first, once
  kOutput = 'o',  // bytes that the terminal showed
  kSize = 's',    // Size: it has this size now
  kNotice = 'n',  // the agent's own words, UTF-8
  kTaken = 't',   // nothing but `taken`
};
struct OutputRecord {
  OutputKind kind = OutputKind::kTaken;
  std::uint64_t taken = 0;  // input records with a smaller number are done with
  std::uint64_t at_us = 0;  // since kBegin
  std::string data;
};

struct Size {
  std::uint16_t columns = 0;  // 1..kMaxColumns
  std::uint16_t rows = 0;     // 1..kMaxRows
  friend bool operator==(const Size&, const Size&) = default;
};

std::string Encode(const InputRecord& record);
std::string Encode(const OutputRecord& record);
Result<InputRecord> ParseInputRecord(std::string_view bytes);
Result<OutputRecord> ParseOutputRecord(std::string_view bytes);

std::string EncodeSize(Size size);
Result<Size> ParseSize(std::string_view bytes);
std::string EncodeNumber(std::uint64_t number);  // u64le
Result<std::uint64_t> ParseNumber(std::string_view bytes);

enum class FrameType : std::uint8_t { kKey = 'K', kSealed = 'S' };
struct SealedFrame {
  FrameType type = FrameType::kSealed;
  std::string payload;
};
void AppendFrame(std::string& out, FrameType type, std::string_view payload);

class SealedFrames {
 public:
  void Push(std::string_view bytes);
  Result<std::optional<SealedFrame>> Next();

 private:
  std::string buffer_;
  std::size_t at_ = 0;  // first byte of buffer_ not yet taken
  bool is_corrupt_ = false;
};

}  // namespace holdfast::pty
