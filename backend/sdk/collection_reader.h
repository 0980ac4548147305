// CollectionReader: the stream of `collect` (result.proto, "Collection"), taken apart as its bytes come.
//
//   Push(bytes) --> Next() --> host, { begin, data*, end }*, summary ...      TakeFrames()
//
// The frames without the bytes of their data are kept: with them and the bytes the stream can be made
// again, to the byte, however it ended. ReadFrames() is the other direction.
//
// Ordering:  events in the order of the stream; TakeFrames() covers what Push() was given.
// Limits:    kMaxFrameBytes; a frame is held until it is whole, but for data.
// Ownership: Event::data is good until the next call.
// Threading: thread-compatible.
// Errors:    kCorrupt, for good: frames that cannot follow each other, or that say other sizes and hashes
//            than the data have. A stream that ends in the middle is none: is_open() tells.
// Design:    docs/decisions/0096-collections.md
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/sign/crypto.h"
#include "holdfast/command/v1/result.pb.h"
#include "holdfast/command/v1/trust.pb.h"

namespace holdfast::sdk {

class CollectionReader {
 public:
  static constexpr std::size_t kMaxFrameBytes = std::size_t{256} * 1024;
  static constexpr std::size_t kHeaderBytes = 5;

  struct Event {
    enum class Kind : std::uint8_t { kHost, kBegin, kData, kEnd, kSummary };
    Kind kind = Kind::kHost;
    ::holdfast::command::v1::AgentFacts host;
    ::holdfast::command::v1::CollectItem item;  // kBegin
    std::string_view data;                      // kData
    ::holdfast::command::v1::Result end;        // kEnd; the hash and the size are those of the data
    ::holdfast::command::v1::CollectSummary summary;
  };

  explicit CollectionReader(const sign::Crypto& crypto) : crypto_(crypto) {}

  // All events must have been taken before the next Push().
  void Push(std::string_view bytes);
  Result<std::optional<Event>> Next();
  // What came since the last call, without the data.
  std::string TakeFrames();
  // The last thing has begun and not ended.
  bool is_open() const { return hasher_ != nullptr; }
  std::uint64_t open_bytes() const { return data_bytes_; }

  // The type and length of the frame that `header` begins.
  struct Header {
    char type = '\0';
    std::size_t length = 0;
  };
  static Header ReadHeader(std::string_view header);

 private:
  Result<std::optional<Event>> TakeFrame();
  Result<std::optional<Event>> TakeData();
  Status Check(Event& event, char type, std::string_view payload);

  const sign::Crypto& crypto_;
  std::string buffer_;         // not yet taken
  std::size_t at_ = 0;         // in buffer_
  std::size_t data_left_ = 0;  // of the data frame at hand
  std::string frames_;
  std::size_t kept_ = 0;  // of buffer_: frames_ has it
  std::uint64_t data_bytes_ = 0;
  std::unique_ptr<sign::Hasher> hasher_;  // of the thing that is open
  bool has_host_ = false;
  bool is_broken_ = false;
};

}  // namespace holdfast::sdk
