// Watch: what one client is still to be told about one command.
//
// Holds a cursor per target, no bytes: rows and output are read when the client takes the next
// event, so a slow reader costs nothing. States are sent as they are when asked for: several changes
// between two reads are one event, which has all their times.
//
//   OnChanged OnFlow --> [Watch] --> Next
//
// Ordering:  a target's ENDED follows all of its output; Finished follows everything.
// Limits:    kWatchCreditBytes of output beyond what the client has consumed; <= 1,000 targets.
// Ownership: borrows its ports for its life.
// Threading: thread-compatible; loop thread only.
// Errors:    Next(): kNotFound (no such command), or what reading failed with: the watch is over. An output that is
//            gone is no error of the others: its target ends without it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "backend/core/control_agents.h"
#include "backend/core/control_ledger.h"
#include "backend/core/output_files.h"
#include "backend/core/store.h"
#include "holdfast/api/v1/api.pb.h"

namespace holdfast::backend {

// api.proto, Flow.
inline constexpr std::uint64_t kWatchCreditBytes = std::uint64_t{4} * 1024 * 1024;
inline constexpr std::size_t kWatchPieceBytes = std::size_t{256} * 1024;

class Watch {
 public:
  struct Ports {
    Store& store;
    OutputFiles& files;
    const Ledger& ledger;
    const AgentTable& agents;
  };
  Watch(Ports ports, const Digest& digest, bool output, std::vector<api::v1::OutputPosition> from)
      : ports_(ports), digest_(digest), output_(output), from_(std::move(from)) {}

  void OnChanged(const AgentId& agent);
  void OnFlow(std::uint64_t consumed_bytes);
  // nullopt: nothing to say now.
  Result<std::optional<api::v1::WatchEvent>> Next();
  bool finished() const { return finished_; }
  const Digest& digest() const { return digest_; }

 private:
  struct Target {
    AgentId agent;
    std::uint32_t attempt = 0;  // of the output sent so far
    std::uint64_t offset = 0;
    DeliveryState told_state{};
    std::uint32_t told_attempt = 0;
    bool in_states = false;
    bool in_outputs = false;
    bool done = false;
    bool output_lost = false;  // control has not what its row says
  };
  Status Open();
  Result<DeliveryRow> Row(const Target& target) const;
  bool OutputLeft(Target& target, const DeliveryRow& row) const;
  void Queue(std::size_t index);
  Result<std::optional<api::v1::WatchEvent>> NextState();
  Result<std::optional<api::v1::WatchEvent>> NextOutput();
  Result<std::string> Read(const Target& target, const DeliveryRow& row) const;

  Ports ports_;
  Digest digest_;
  bool output_;
  std::vector<api::v1::OutputPosition> from_;
  bool open_ = false;
  bool finished_ = false;
  std::vector<Target> targets_;  // by agent id
  std::size_t done_ = 0;
  std::deque<std::size_t> states_;   // targets whose state may be new
  std::deque<std::size_t> outputs_;  // targets whose output may have grown
  std::uint64_t sent_bytes_ = 0;
  std::uint64_t consumed_bytes_ = 0;
};

}  // namespace holdfast::backend
