#include "common/base/delimited.h"

#include <cstdint>

namespace holdfast {
namespace {

constexpr std::size_t kMaxLengthBytes = 5;                     // of a varint below 2^35; see Limits
constexpr std::size_t kCompactBytes = std::size_t{64} * 1024;  // move the rest forward this rarely

}  // namespace

void AppendDelimited(std::string& out, std::string_view record) {
  std::uint64_t length = record.size();
  while (length >= 0x80) {
    out += static_cast<char>(length | 0x80);
    length >>= 7;
  }
  out += static_cast<char>(length);
  out += record;
}

void DelimitedReader::Push(std::string_view bytes) {
  if (corrupt_) return;
  if (at_ == buffer_.size() || at_ >= kCompactBytes) {
    buffer_.erase(0, at_);
    at_ = 0;
  }
  buffer_ += bytes;
}

Result<std::optional<std::string>> DelimitedReader::Next() {
  if (corrupt_) return Error{Code::kCorrupt, "delimited record: corrupt before"};
  std::uint64_t length = 0;
  std::size_t used = 0;
  for (bool more = true; more; ++used) {
    if (used == kMaxLengthBytes) return Corrupt("length is not a varint");
    if (at_ + used == buffer_.size()) return std::optional<std::string>();
    const auto byte = static_cast<unsigned char>(buffer_[at_ + used]);
    length |= std::uint64_t{byte & 0x7FU} << (7 * used);
    more = (byte & 0x80) != 0;
    if (byte == 0 && used > 0) return Corrupt("length is not in its shortest form");
  }
  if (length > max_record_bytes_) return Corrupt("record is too large");
  if (buffer_.size() - at_ - used < length) return std::optional<std::string>();
  std::string record = buffer_.substr(at_ + used, length);
  at_ += used + length;
  return std::optional<std::string>(std::move(record));
}

Error DelimitedReader::Corrupt(const char* what) {
  corrupt_ = true;
  buffer_.clear();
  at_ = 0;
  return Error{Code::kCorrupt, std::string("delimited record: ") + what};
}

}  // namespace holdfast
