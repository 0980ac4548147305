#include "backend/core/counters.h"

#include <cstring>

#include "holdfast/link/v1/close_reason.pb.h"

namespace holdfast::backend {
namespace {

constexpr std::array<CounterRow, static_cast<std::size_t>(Counter::kClosedBase)> kRows{{
    {"holdfast_links", "Open links past Welcome", true},
    {"holdfast_handshakes", "Sockets accepted that are not yet links", true},
    {"holdfast_state", "0 starting, 1 ready, 2 draining", true},
    {"holdfast_loop_lag_microseconds", "Length of the longest turn of the loop in the last second",
     true},
    {"holdfast_links_opened_total", "Links that reached Welcome", false},
    {"holdfast_messages_up_total", "WebSocket messages from agents", false},
    {"holdfast_messages_down_total", "WebSocket messages to agents", false},
    {"holdfast_bytes_up_total", "Payload bytes from agents", false},
    {"holdfast_bytes_down_total", "Payload bytes to agents", false},
    {"holdfast_redis_errors_total", "Entries that Redis did not take, and lost connections", false},
    {"holdfast_commands_accepted_total", "Commands committed to the ledger", false},
    {"holdfast_commands_ended_total", "Command and target pairs that reached a terminal state",
     false},
    {"holdfast_submits_refused_total", "Submissions refused", false},
    {"holdfast_signatures_refused_total",
     "Proofs of identity that did not hold, and commands that agents refused and control never "
     "sent",
     false},
    {"holdfast_sweeper_sends_total", "Deliveries repeated by the sweeper", false},
    {"holdfast_stored_bytes_total", "Bytes of results stored", false},
    {"holdfast_api_connections", "Open API connections", true},
    {"holdfast_links_shed_total", "Links asked to move to a gateway that has fewer", false},
    {"holdfast_tls_full_total", "Links that came over a full TLS handshake", false},
    {"holdfast_tls_resumed_total", "Links that came over a resumed TLS session", false},
}};

constexpr bool AllNamed() {
  for (const CounterRow& row : kRows) {
    if (row.name.empty()) return false;
  }
  return true;
}
static_assert(AllNamed(), "every Counter needs its row");
static_assert(::holdfast::link::v1::CloseReason_MAX < static_cast<int>(kCloseReasonSlots));

}  // namespace

std::span<const CounterRow> CounterRows() { return kRows; }

namespace {
constexpr std::size_t kAtHandBytes = AgentId::kSize + Digest::kSize;
static_assert(kAtHandBytes == sizeof(CounterBlock::at_hand));
}  // namespace

std::string CounterBlock::AtHand() const {
  std::array<std::uint64_t, kAtHandBytes / 8> words{};
  for (std::size_t i = 0; i < words.size(); ++i) {
    words[i] = at_hand[i].load(std::memory_order_relaxed);
  }
  if (words == decltype(words){}) return {};
  std::string out(kAtHandBytes, '\0');
  std::memcpy(out.data(), words.data(), out.size());
  return out;
}

void CounterBlock::SetAtHand(const AgentId& agent, const Digest& digest) {
  std::array<std::uint64_t, kAtHandBytes / 8> words{};
  std::array<char, kAtHandBytes> bytes{};
  std::memcpy(bytes.data(), agent.view().data(), AgentId::kSize);
  std::memcpy(bytes.data() + AgentId::kSize, digest.view().data(), Digest::kSize);
  std::memcpy(words.data(), bytes.data(), bytes.size());
  for (std::size_t i = 0; i < words.size(); ++i) {
    at_hand[i].store(words[i], std::memory_order_relaxed);
  }
}

}  // namespace holdfast::backend
