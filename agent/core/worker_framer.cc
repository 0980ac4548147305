#include "agent/core/worker_framer.h"

#include <algorithm>
#include <cstring>

#include "common/base/little_endian.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kHeaderBytes = 5;  // u8 type | u32le length
// Most reads of a quiet worker fit; a busy one gets a full message's room at once.
constexpr std::size_t kSmallBufferBytes = 4096;

std::uint32_t LengthAt(const char* header) {
  std::uint32_t value = 0;
  for (std::size_t i = kHeaderBytes; i-- > 1;) {
    value = (value << 8) | static_cast<unsigned char>(header[i]);
  }
  return value;
}

}  // namespace

void AppendWorkerMessage(std::string& out, WorkerMessageType type, std::string_view payload) {
  out.push_back(static_cast<char>(type));
  AppendLittle(out, payload.size(), 4);
  out.append(payload);
}

std::size_t WorkerFramer::Need() const {
  if (end_ - at_ < kHeaderBytes) return kSmallBufferBytes;
  const std::size_t length = LengthAt(&buffer_[at_]);
  // The message, and the header of the one behind it: then that one's read is exact as well.
  return std::min(length, kMaxWorkerMessageBytes) + 2 * kHeaderBytes;
}

char* WorkerFramer::Space(std::size_t& capacity) {
  const std::size_t have = end_ - at_;
  if (at_ > 0) {
    if (have > 0) std::memmove(buffer_.data(), &buffer_[at_], have);
    at_ = 0;
    end_ = have;
  }
  const std::size_t need = std::max(Need(), have + 1);
  if (buffer_.size() < need) buffer_.resize(need);
  capacity = need - have;
  return &buffer_[end_];
}

void WorkerFramer::OnRead(std::size_t bytes) { end_ += bytes; }

bool WorkerFramer::has_message() const {
  if (broken_ || end_ - at_ < kHeaderBytes) return false;
  const std::size_t length = LengthAt(&buffer_[at_]);
  return length <= kMaxWorkerMessageBytes && end_ - at_ >= kHeaderBytes + length;
}

Result<std::optional<WorkerMessageView>> WorkerFramer::Next() {
  if (broken_) return Error{Code::kInvalid, "an earlier message was bad"};
  if (end_ - at_ < kHeaderBytes) return std::optional<WorkerMessageView>();
  const std::size_t length = LengthAt(&buffer_[at_]);
  const auto type = static_cast<WorkerMessageType>(buffer_[at_]);
  const bool known = type == WorkerMessageType::kOutput || type == WorkerMessageType::kExit ||
                     type == WorkerMessageType::kSessionKey;
  if (length > kMaxWorkerMessageBytes || !known) {
    broken_ = true;
    return Error{Code::kInvalid, known ? "message of " + std::to_string(length) + " bytes"
                                       : "message of an unknown type"};
  }
  if (end_ - at_ < kHeaderBytes + length) return std::optional<WorkerMessageView>();
  const std::string_view payload(buffer_.data() + at_ + kHeaderBytes, length);
  at_ += kHeaderBytes + length;
  return std::optional(WorkerMessageView{type, payload});
}

}  // namespace holdfast::agent
