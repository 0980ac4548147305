// Counters: what every process of one backend counts, in one shared page per process.
//
// Each process writes its own block of relaxed atomics; the supervisor reads all of them to place
// sockets (links + handshakes) and to answer /metrics. Index = Counter; a new counter goes at the
// end and gets a row in counters.cc (metric name, help, counter or gauge).
//
// Threading: lock-free; one writer per block, any number of readers.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/base/ids.h"

namespace holdfast::backend {

enum class Counter : std::uint8_t {
  kLinks,       // gauge: links past Welcome
  kHandshakes,  // gauge: sockets accepted, not yet past Welcome
  kState,       // gauge: 0 starting, 1 ready, 2 draining
  kLoopLagUs,   // gauge: the last turn of the loop took this long, microseconds
  kLinksOpened,
  kMessagesUp,
  kMessagesDown,
  kBytesUp,
  kBytesDown,
  kRedisErrors,
  kCommandsAccepted,
  kCommandsEnded,
  kSubmitsRefused,
  kSignaturesRefused,
  kSweeperSends,
  kStoredBytes,
  kApiConnections,  // gauge
  kLinksShed,
  kTlsFull,     // upgraded after a full TLS handshake
  kTlsResumed,  // ... after one that a ticket made short
  kClosedBase,  // kClosedBase + CloseReason: links closed for that reason; 32 slots, last
};
inline constexpr std::size_t kCloseReasonSlots = 32;
inline constexpr std::size_t kCounters =
    static_cast<std::size_t>(Counter::kClosedBase) + kCloseReasonSlots;

struct alignas(64) CounterBlock {
  std::array<std::atomic<std::uint64_t>, kCounters> values;
  // Agent id (16 B) and digest (32 B) of what the process works on now; zeros: nothing of anybody's, or (the
  // agent alone) of a command wherever it goes.
  // The page outlives the process: whoever finds it set knows what it died over.
  std::array<std::atomic<std::uint64_t>, 6> at_hand;

  // As 48 bytes; empty if there is nothing.
  std::string AtHand() const;
  void SetAtHand(const AgentId& agent, const Digest& digest);
  void ClearAtHand() { SetAtHand(AgentId(), Digest()); }

  void Add(Counter counter, std::uint64_t by = 1) {
    values[static_cast<std::size_t>(counter)].fetch_add(by, std::memory_order_relaxed);
  }
  void Sub(Counter gauge) {
    values[static_cast<std::size_t>(gauge)].fetch_sub(1, std::memory_order_relaxed);
  }
  void Set(Counter counter, std::uint64_t to) {
    values[static_cast<std::size_t>(counter)].store(to, std::memory_order_relaxed);
  }
  std::uint64_t Get(Counter counter) const {
    return values[static_cast<std::size_t>(counter)].load(std::memory_order_relaxed);
  }
};

// While it lives, the block says what is at hand. `block` may be nullptr.
class AtHandScope {
 public:
  AtHandScope(CounterBlock* block, const AgentId& agent, const Digest& digest) : block_(block) {
    if (block_ != nullptr) block_->SetAtHand(agent, digest);
  }
  ~AtHandScope() {
    if (block_ != nullptr) block_->ClearAtHand();
  }
  AtHandScope(const AtHandScope&) = delete;
  AtHandScope& operator=(const AtHandScope&) = delete;

 private:
  CounterBlock* const block_;
};

// How a counter is shown. One row per Counter below kClosedBase, in its order; the close reasons
// are one metric, holdfast_closed_total, with the label reason.
struct CounterRow {
  std::string_view name;  // Prometheus metric
  std::string_view help;
  bool is_gauge = false;
};
std::span<const CounterRow> CounterRows();

}  // namespace holdfast::backend
