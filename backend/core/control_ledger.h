// Ledger: every command and what became of it at each target; the promise of docs/delivery.md.
//
// Holds what is open in memory, over the store. Accept() takes a checked command; the transitions say
// what was learnt about one delivery; SweepExpired() ends what can no longer be delivered. Each
// transition writes its audit record. Does not send, and does not touch output.
//
//   ACCEPTED -> SENT -> RECEIVED -> STARTED -> ENDED(outcome)        any of the first four -> ENDED
//                 \-> UNKNOWN (expired without a receipt) -> RECEIVED | STARTED | ENDED
//
// Ordering:  a state never goes back; ENDED is final, whatever comes later.
// Limits:    Options; Admit() refuses above them (QUEUE_FULL), nothing is queued.
// Ownership: owns its rows; borrows the store and the audit log for its life.
// Threading: thread-compatible; loop thread only.
// Errors:    Admit(): kExhausted, names the agent. WriteChanges(): the store's.
// Design:    docs/delivery.md
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "backend/core/control_audit.h"
#include "backend/core/control_moment.h"
#include "backend/core/control_rows.h"
#include "backend/core/store.h"

namespace holdfast::backend {

struct DeliveryKey {
  Digest digest;
  AgentId agent;
  friend auto operator<=>(const DeliveryKey&,
                          const DeliveryKey&) = default;  // NOLINT(modernize-use-nullptr)
};

// How a delivery ended.
struct Ending {
  Outcome outcome = ::holdfast::command::v1::OUTCOME_UNSPECIFIED;
  CommandFailure failure = ::holdfast::command::v1::COMMAND_FAILURE_UNSPECIFIED;
  std::string message;          // hostile when an agent wrote it
  std::string result_envelope;  // empty: control ends it on its own
};

// What an update's command says of the ring before its own (command.proto, UpdateArgs).
struct RingTerms {
  std::vector<Digest> after;
  std::uint64_t silent_ms = 0;
  bool is_released = false;  // those have gone well
};

class Ledger {
 public:
  struct Options {
    std::size_t max_open_per_agent = 1000;
    std::size_t max_open_bytes_per_agent = std::size_t{16} * 1024 * 1024;  // envelopes
    // All agents together: some 500 B of memory each.
    std::size_t max_open_deliveries = 1'000'000;
    // Envelopes of open commands stay in memory: 1 GiB at the worst.
    std::size_t max_open_envelope_bytes = std::size_t{1024} * 1024 * 1024;
    // A delivery whose agent was not heard of for this long after expiry ends INTERRUPTED.
    std::uint64_t max_unknown_ms = std::uint64_t{30} * 24 * 3600 * 1000;
  };
  Ledger(Options options, AuditLog& audit) : options_(options), audit_(audit) {}

  Status Load(Store& store);

  // --- accepting --------------------------------------------------------------------------------
  Status Admit(const std::vector<AgentId>& targets, std::size_t envelope_bytes) const;
  void Accept(CommandRow command, const std::vector<AgentId>& targets, Moment now);

  // --- transitions: each says whether anything changed --------------------------------------------
  bool MarkSent(const DeliveryKey& key, Moment now);  // also counts repeats
  bool MarkReceived(const DeliveryKey& key, Moment now);
  bool MarkStarted(const DeliveryKey& key, std::uint32_t attempt, Moment now);
  bool End(const DeliveryKey& key, Ending ending, Moment now);
  // ACCEPTED -> ENDED(EXPIRED), SENT -> UNKNOWN, for commands past their not_after.
  void SweepExpired(Moment now);
  // Gives up on what nobody can tell any more; `last_seen_ms` of an agent.
  template <typename LastSeen>
  void SweepForgotten(Moment now, LastSeen last_seen_ms);
  void EndAllOf(const AgentId& agent, const Ending& ending, bool only_sent, Moment now);

  // --- the stream of one delivery: for Results only ------------------------------------------------
  DeliveryRow& ChangeRow(const DeliveryKey& key) { return deliveries_.Change(key); }
  // An ended delivery whose stream still comes in: kept, without changing its state.
  void LoadLate(DeliveryRow row);
  void ForgetLate(const DeliveryKey& key);

  // --- reading ------------------------------------------------------------------------------------
  const DeliveryRow* Find(const DeliveryKey& key) const { return deliveries_.Find(key); }
  const DeliveryRow* Committed(const DeliveryKey& key) const { return deliveries_.Committed(key); }
  const CommandRow* FindCommand(const Digest& digest) const { return commands_.Find(digest); }
  const CommandRow* FindCommandById(const CommandId& id) const;
  // Deliveries of an agent that have not ended, in the order they were accepted.
  const std::deque<Digest>& OpenOf(const AgentId& agent) const;
  // Those of them that cancel another command; and which one a command cancels, if it does.
  const std::deque<Digest>& CancelsOf(const AgentId& agent) const;
  const Digest* CancelledBy(const Digest& cancel) const;
  // Open updates, and whether one waits for the ring before it: then it goes to nobody. Rollouts decides.
  const std::map<Digest, RingTerms>& rings() const { return rings_; }
  bool IsHeldBack(const Digest& digest) const {
    const auto found = rings_.find(digest);
    return found != rings_.end() && !found->second.is_released;
  }
  void SetReleased(const Digest& digest, bool is_released) {
    rings_.at(digest).is_released = is_released;
  }
  std::vector<AgentId> AgentsWithWork() const;
  std::vector<AgentId> OpenTargetsOf(const Digest& digest) const;
  std::size_t open_deliveries() const { return open_deliveries_; }

  // --- the turn -------------------------------------------------------------------------------------
  bool changed() const { return deliveries_.changed() || commands_.changed(); }
  Status WriteChanges(Store& store) const;
  std::vector<DeliveryKey> ChangedKeys() const;
  // After the commit: the keys that changed; those that ended leave memory.
  std::vector<DeliveryKey> Keep();
  void Undo();

 private:
  struct Work {  // of one agent
    std::deque<Digest> open;
    std::deque<Digest> cancels;  // of these
    std::size_t open_bytes = 0;
  };
  void AddToIndexes(const CommandRow& command, const AgentId& agent);
  void DropFromIndexes(const DeliveryKey& key);
  void SetState(const DeliveryKey& key, DeliveryState state, Moment now);
  void Audit(std::string_view action, const DeliveryKey& key, std::string actor, std::string detail,
             Moment now);

  const Options options_;
  AuditLog& audit_;
  RowCache<Digest, CommandRow> commands_;  // with an open delivery
  RowCache<DeliveryKey, DeliveryRow> deliveries_;
  // Indexes over what is open; an ended delivery stays in them until its commit.
  std::map<AgentId, Work> work_;
  std::map<CommandId, Digest> by_id_;
  std::map<Digest, std::set<AgentId>> targets_;
  std::map<Digest, Digest> cancels_;                      // a cancel -> what it cancels
  std::map<Digest, RingTerms> rings_;                     // of updates
  std::set<std::pair<std::uint64_t, Digest>> by_expiry_;  // not yet swept
  std::set<Digest> late_commands_;                        // swept, kept for Undo()
  std::size_t open_deliveries_ = 0;
  std::size_t open_envelope_bytes_ = 0;
};

template <typename LastSeen>
void Ledger::SweepForgotten(Moment now, LastSeen last_seen_ms) {
  std::vector<DeliveryKey> forgotten;
  for (const auto& [key, row] : deliveries_.rows()) {
    const CommandRow* command = commands_.Find(key.digest);
    if (row.ended() || command == nullptr) continue;
    const std::uint64_t since = std::max(command->not_after_ms, last_seen_ms(key.agent));
    if (now.wall_ms() > since && now.wall_ms() - since > options_.max_unknown_ms) {
      forgotten.push_back(key);
    }
  }
  for (const DeliveryKey& key : forgotten) {
    End(key,
        {::holdfast::command::v1::OUTCOME_INTERRUPTED,
         ::holdfast::command::v1::COMMAND_FAILURE_INTERRUPTED,
         "the agent was not heard of for 30 days",
         {}},
        now);
  }
}

}  // namespace holdfast::backend
