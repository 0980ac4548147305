// GatewayOutbox: what waits for one agent's socket, in two lanes.
//
// Answers to blob requests are large and can wait; commands, acknowledgements and beats are small and
// somebody waits for them. They go first, so that a command passes a `put` that fills the path.
//
//   Add --> [GatewayOutbox] --> AppendTo(message)
//
// Ordering:  within a lane as added. Between lanes there is none, and none is needed: a BlobData says
//            where it belongs.
// Limits:    link::kMaxLinkQueueBytes in all, kMaxBlobBytes of it in blobs; each frame counts with
//            kFrameCostBytes beside its own. At a bound Add() refuses: whoever sent the frame repeats it.
//            BlobMeter sees to it that blobs need not be refused.
// Threading: thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/link/limits.h"

namespace holdfast::backend {

class GatewayOutbox {
 public:
  // Frames of a group are one string, shared by all links that it goes to.
  using SharedFrame = std::shared_ptr<const std::string>;
  enum class Lane : std::uint8_t { kFirst, kBlobs };

  // Two answers of 256 KiB: one on its way from control while the other goes out.
  static constexpr std::size_t kMaxBlobBytes = 2 * link::kMaxChunkBytes + std::size_t{8} * 1024;
  // What a short frame costs in memory beside its bytes.
  static constexpr std::size_t kFrameCostBytes = 128;

  // False: there is no room, and it was not taken.
  bool Add(const SharedFrame& frame, Lane lane);
  // As many frames as the message still holds; at least one if it had none.
  void AppendTo(std::string& message);
  bool empty() const { return first_.empty() && blobs_.empty(); }
  std::size_t blob_bytes() const { return blobs_.bytes; }
  // Entries that the lanes hold, those that went out and are not cleared away yet among them.
  std::size_t places() const { return first_.frames.size() + blobs_.frames.size(); }

 private:
  struct Queue {
    std::vector<SharedFrame> frames;  // [next..) waits
    std::size_t next = 0;
    std::size_t bytes = 0;
    bool empty() const { return next == frames.size(); }
  };
  static bool Append(Queue& queue, std::string& message, int& count);

  Queue first_;
  Queue blobs_;
};

}  // namespace holdfast::backend
