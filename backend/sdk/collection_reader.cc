#include "backend/sdk/collection_reader.h"

#include <algorithm>
#include <utility>

namespace holdfast::sdk {
namespace {

constexpr char kHost = 'H', kBegin = 'B', kData = 'D', kEnd = 'E', kSummary = 'S';

Error Corrupt(const std::string& what) {
  return {Code::kCorrupt, "the output is no collection: " + what};
}

}  // namespace

CollectionReader::Header CollectionReader::ReadHeader(std::string_view header) {
  Header out;
  out.type = header.front();
  for (std::size_t i = kHeaderBytes; --i > 0;) {
    out.length = out.length << 8U | static_cast<unsigned char>(header[i]);
  }
  return out;
}

void CollectionReader::Push(std::string_view bytes) {
  buffer_.erase(0, at_);
  kept_ -= std::min(kept_, at_);
  at_ = 0;
  buffer_ += bytes;
}

std::string CollectionReader::TakeFrames() {
  // What is left is the beginning of a frame that is not data: it belongs there too.
  if (!is_broken_ && data_left_ == 0 && kept_ < buffer_.size()) {
    const std::size_t from = std::max(kept_, at_);
    frames_.append(buffer_, from);
    kept_ = buffer_.size();
  }
  return std::exchange(frames_, {});
}

Result<std::optional<CollectionReader::Event>> CollectionReader::Next() {
  if (is_broken_) return Corrupt("what came before");
  auto event = data_left_ > 0 ? TakeData() : TakeFrame();
  is_broken_ = !event.ok();
  return event;
}

Result<std::optional<CollectionReader::Event>> CollectionReader::TakeData() {
  if (at_ == buffer_.size()) return std::optional<Event>();
  Event event;
  event.kind = Event::Kind::kData;
  event.data = std::string_view(buffer_).substr(at_, data_left_);
  at_ += event.data.size();
  data_left_ -= event.data.size();
  data_bytes_ += event.data.size();
  hasher_->Update(event.data);
  return std::optional(std::move(event));
}

Result<std::optional<CollectionReader::Event>> CollectionReader::TakeFrame() {
  const std::string_view rest = std::string_view(buffer_).substr(at_);
  if (rest.size() < kHeaderBytes) return std::optional<Event>();
  const Header header = ReadHeader(rest);
  if (header.length > kMaxFrameBytes) return Corrupt("a frame is too long");
  const bool is_data = header.type == kData;
  const std::size_t size = kHeaderBytes + (is_data ? 0 : header.length);
  if (rest.size() < size) return std::optional<Event>();
  const std::string_view payload = rest.substr(kHeaderBytes, size - kHeaderBytes);
  Event event;
  if (is_data) {
    if (hasher_ == nullptr) return Corrupt("data of nothing");
    if (header.length == 0) return Corrupt("an empty frame of data");
    data_left_ = header.length;
  } else {
    HF_TRY(Check(event, header.type, payload));
  }
  const std::size_t already = kept_ > at_ ? kept_ - at_ : 0;
  if (already < size) frames_ += rest.substr(already, size - already);
  at_ += size;
  kept_ = std::max(kept_, at_);
  if (is_data) return TakeData();
  return std::optional(std::move(event));
}

Status CollectionReader::Check(Event& event, char type, std::string_view payload) {
  using Kind = Event::Kind;
  const auto parse = [&](auto& message) {
    return message.ParseFromArray(payload.data(), static_cast<int>(payload.size()));
  };
  if ((type == kHost) == has_host_) return Corrupt("it does not say once where it is from");
  const bool is_inside = type == kEnd;
  if (is_inside != is_open()) return Corrupt("a thing begins or ends within another");
  bool is_read = false;
  switch (type) {
    case kHost:
      event.kind = Kind::kHost;
      has_host_ = true;
      is_read = parse(event.host);
      break;
    case kBegin:
      event.kind = Kind::kBegin;
      is_read = parse(event.item) && event.item.xattrs_size() % 2 == 0;
      hasher_ = crypto_.NewSha256();
      data_bytes_ = 0;
      break;
    case kEnd: {
      event.kind = Kind::kEnd;
      is_read = parse(event.end);
      const std::string sha256 = std::exchange(hasher_, nullptr)->Finish().str();
      if (is_read &&
          (event.end.output_bytes() != data_bytes_ || event.end.output_sha256() != sha256)) {
        return Corrupt("a thing does not have the size or the SHA-256 that is told");
      }
      break;
    }
    case kSummary:
      event.kind = Kind::kSummary;
      is_read = parse(event.summary);
      break;
    default: return Corrupt("a frame of an unknown type");
  }
  return is_read ? Ok() : Corrupt("a frame that cannot be read");
}

}  // namespace holdfast::sdk
