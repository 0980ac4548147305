#include "agent/verbs/collect_frames.h"

#include <algorithm>
#include <cstring>

#include "agent/core/worker_messages.h"
#include "common/adapters/mbedtls/mbedtls_sha256.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kFrameHeaderBytes = 5;
// Less is not worth a frame: what is gathered goes out first.
constexpr std::size_t kMinPiece = std::size_t{16} * 1024;

}  // namespace

CollectFrames::CollectFrames(OutputPort& behind)
    : behind_(behind), buffer_(std::make_unique<char[]>(kMaxWorkerMessageBytes)) {}

void CollectFrames::Flush() {
  good_ = good_ && behind_.Output({buffer_.get(), used_});
  used_ = 0;
}

void CollectFrames::MakeRoom(std::size_t bytes) {
  if (kMaxWorkerMessageBytes - used_ < bytes) Flush();
}

void CollectFrames::Header(char type, std::size_t length) {
  buffer_[used_++] = type;
  for (int i = 0; i < 4; ++i, length >>= 8) buffer_[used_++] = static_cast<char>(length & 0xff);
}

// A payload is far below a message: paths, attributes (64 KiB each way) and counts.
void CollectFrames::Frame(char type, std::string_view payload) {
  payload = payload.substr(0, kMaxWorkerMessageBytes - kFrameHeaderBytes);
  MakeRoom(kFrameHeaderBytes + payload.size());
  Header(type, payload.size());
  std::memcpy(buffer_.get() + used_, payload.data(), payload.size());
  used_ += payload.size();
}

void CollectFrames::Begin(const command::v1::CollectItem& item, std::uint64_t room_bytes) {
  Frame('B', item.SerializeAsString());
  room_bytes_ = room_bytes;
  written_bytes_ = 0;
  hasher_ = NewMbedtlsSha256();
}

std::span<char> CollectFrames::Place() {
  MakeRoom(kFrameHeaderBytes + kMinPiece);
  const std::size_t at = used_ + kFrameHeaderBytes;
  return {buffer_.get() + at, static_cast<std::size_t>(std::min<std::uint64_t>(
                                  kMaxWorkerMessageBytes - at, room_bytes()))};
}

void CollectFrames::Filled(std::size_t bytes) {
  if (bytes == 0) return;
  hasher_->Update({buffer_.get() + used_ + kFrameHeaderBytes, bytes});
  Header('D', bytes);
  used_ += bytes;
  written_bytes_ += bytes;
}

bool CollectFrames::Output(std::string_view bytes) {
  const bool fits = bytes.size() <= room_bytes();
  while (!bytes.empty() && room_bytes() > 0) {
    const std::span<char> place = Place();
    const std::size_t piece = std::min(place.size(), bytes.size());
    std::memcpy(place.data(), bytes.data(), piece);
    Filled(piece);
    bytes.remove_prefix(piece);
  }
  return fits && good_;
}

void CollectFrames::End(command::v1::Result result) {
  result.set_output_bytes(written_bytes_);
  result.set_output_sha256(hasher_->Finish().str());
  Frame('E', result.SerializeAsString());
}

}  // namespace holdfast::agent
