#include "backend/core/gateway_outbox.h"

#include "backend/core/gateway_frames.h"

namespace holdfast::backend {
namespace {

constexpr std::size_t kCompactAfter =
    64;  // frames: below, moving the rest costs more than it gives

}  // namespace

bool GatewayOutbox::Add(const SharedFrame& frame, Lane lane) {
  const std::size_t bytes = frame->size() + kFrameCostBytes;
  if (first_.bytes + blobs_.bytes + bytes > link::kMaxLinkQueueBytes) return false;
  if (lane == Lane::kBlobs && blobs_.bytes + bytes > kMaxBlobBytes) return false;
  Queue& queue = lane == Lane::kBlobs ? blobs_ : first_;
  queue.bytes += bytes;
  queue.frames.push_back(frame);
  return true;
}

void GatewayOutbox::AppendTo(std::string& message) {
  int count = 0;
  if (Append(first_, message, count)) static_cast<void>(Append(blobs_, message, count));
}

// True: the queue is empty now, and there may be room for more.
bool GatewayOutbox::Append(Queue& queue, std::string& message, int& count) {
  while (!queue.empty() && count < link::kMaxFramesPerMessage) {
    const std::string& frame = *queue.frames[queue.next];
    if (count > 0 && message.size() + frame.size() + kFrameOverheadBytes > link::kMaxMessageBytes) {
      return false;
    }
    AppendLinkFrame(message, frame);
    queue.bytes -= frame.size() + kFrameCostBytes;
    queue.frames[queue.next].reset();
    ++queue.next;
    ++count;
  }
  if (!queue.empty()) {
    // A reader that is never quite done must not leave a place behind for every frame it took.
    if (queue.next >= kCompactAfter && 2 * queue.next >= queue.frames.size()) {
      queue.frames.erase(queue.frames.begin(),
                         queue.frames.begin() + static_cast<std::ptrdiff_t>(queue.next));
      queue.next = 0;
    }
    return false;
  }
  queue.frames.clear();
  queue.next = 0;
  return true;
}

}  // namespace holdfast::backend
