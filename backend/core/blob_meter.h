// BlobMeter: lets an agent's requests for blobs through as fast as its socket takes the answers.
//
// An answer that finds the agent's queue full would be dropped, and asked for again only after 10 s. So a
// request waits here until its answer has room: what control was asked for and what waits for the socket stay
// below GatewayOutbox::kMaxBlobBytes together, however many commands of the agent pull blobs.
//
//   OnRequest OnAnswer --> [BlobMeter] --> NextRequest
//
// Ordering:  requests leave in the order they came.
// Limits:    kMaxWaiting requests of kMaxRequestBytes; beyond it they are dropped, and the agent repeats them. Answers that do not
//            come within kPatience (Redis may have forgotten them) are not waited for any longer.
// Threading: thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"

namespace holdfast::backend {

class BlobMeter {
 public:
  struct Range {
    Digest command;
    std::uint64_t offset = 0;
    std::uint32_t bytes = 0;
  };
  static constexpr std::size_t kMaxWaiting = 64;  // 16 commands with 4 each
  // Some 100 are the most that a request needs; a frame may hold more that nobody knows.
  static constexpr std::size_t kMaxRequestBytes = 256;
  static constexpr std::uint32_t kPatienceSeconds = 10;  // when the agent asks again

  void OnRequest(const Range& range, std::string_view frame);
  // Control answered it, with bytes or without.
  void OnAnswer(const Digest& command, std::uint64_t offset, std::uint32_t now_s);
  // The frame of a request whose answer will find room; `queued_bytes` wait for the socket.
  std::optional<std::string> NextRequest(std::size_t queued_bytes, std::uint32_t now_s);
  bool empty() const { return waiting_.empty() && asked_.empty(); }

 private:
  struct Waiting {
    Range range;
    std::string frame;
  };
  std::deque<Waiting> waiting_;
  std::vector<Range> asked_;  // and not answered
  std::size_t asked_bytes_ = 0;
  std::uint32_t moved_s_ = 0;  // when something was asked or answered
};

}  // namespace holdfast::backend
