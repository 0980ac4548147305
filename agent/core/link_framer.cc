#include "agent/core/link_framer.h"

#include "common/base/little_endian.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kHeaderBytes = 5;

std::uint32_t ReadU32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = kLengthBytes; i-- > 0;) {
    value = (value << 8) | static_cast<unsigned char>(bytes[i]);
  }
  return value;
}

}  // namespace

std::string LinkMessageHeader(LinkMessageType type, std::size_t payload_bytes) {
  std::string out;
  out.reserve(kHeaderBytes);
  AppendLittle(out, payload_bytes + 1, kLengthBytes);
  out.push_back(static_cast<char>(type));
  return out;
}

void AppendLinkMessage(std::string& out, LinkMessageType type, std::string_view payload) {
  out.append(LinkMessageHeader(type, payload.size()));
  out.append(payload);
}

void LinkFramer::Push(std::string_view bytes) {
  if (broken_) return;
  if (at_ == buffer_.size()) {
    buffer_.clear();
    at_ = 0;
  } else if (at_ > 0 && at_ >= buffer_.size() / 2) {
    buffer_.erase(0, at_);
    at_ = 0;
  }
  buffer_.append(bytes);
}

Result<std::optional<LinkMessageView>> LinkFramer::Next() {
  if (broken_) return Error{Code::kInvalid, "an earlier message had a bad length"};
  const std::string_view rest = std::string_view(buffer_).substr(at_);
  if (rest.size() < kLengthBytes) return std::optional<LinkMessageView>();
  const std::uint32_t length = ReadU32(rest);
  if (length == 0 || length > kMaxLinkMessageBytes) {
    broken_ = true;
    buffer_.clear();
    at_ = 0;
    return Error{Code::kInvalid, "message length " + std::to_string(length)};
  }
  if (rest.size() < kLengthBytes + length) return std::optional<LinkMessageView>();
  at_ += kLengthBytes + length;
  return std::optional(LinkMessageView{static_cast<LinkMessageType>(rest[kLengthBytes]),
                                       rest.substr(kHeaderBytes, length - 1)});
}

void LinkFramer::Shrink() {
  if (!empty()) return;
  buffer_ = std::string();
  at_ = 0;
}

}  // namespace holdfast::agent
