#include "backend/core/blob_meter.h"

#include <algorithm>
#include <utility>

#include "backend/core/gateway_outbox.h"

namespace holdfast::backend {
namespace {

// What an answer takes in the outbox beside its bytes: its other fields, and what every frame costs there.
constexpr std::size_t kAnswerCostBytes = GatewayOutbox::kFrameCostBytes + 128;

std::size_t CostOf(const BlobMeter::Range& range) { return range.bytes + kAnswerCostBytes; }

}  // namespace

void BlobMeter::OnRequest(const Range& range, std::string_view frame) {
  if (waiting_.size() >= kMaxWaiting || frame.size() > kMaxRequestBytes) return;
  waiting_.push_back({range, std::string(frame)});
}

void BlobMeter::OnAnswer(const Digest& command, std::uint64_t offset, std::uint32_t now_s) {
  const auto found = std::ranges::find_if(asked_, [&](const Range& range) {
    return range.offset == offset && range.command == command;
  });
  if (found == asked_.end()) return;
  asked_bytes_ -= CostOf(*found);
  asked_.erase(found);
  moved_s_ = now_s;
}

std::optional<std::string> BlobMeter::NextRequest(std::size_t queued_bytes, std::uint32_t now_s) {
  if (now_s - moved_s_ >= kPatienceSeconds) {
    asked_.clear();
    asked_bytes_ = 0;
  }
  if (waiting_.empty()) return std::nullopt;
  const std::size_t cost = CostOf(waiting_.front().range);
  // One always goes: what is too large is dropped where it is too large, not waited for without end.
  const bool is_alone = asked_.empty() && queued_bytes == 0;
  if (!is_alone && asked_bytes_ + queued_bytes + cost > GatewayOutbox::kMaxBlobBytes) {
    return std::nullopt;
  }
  Waiting next = std::move(waiting_.front());
  waiting_.pop_front();
  asked_.push_back(next.range);
  asked_bytes_ += cost;
  moved_s_ = now_s;
  return std::move(next.frame);
}

}  // namespace holdfast::backend
