// Dispatcher: hands open deliveries to the gateways that hold their agents' links, and repeats.
//
// The ledger is the outbox: this only decides what is due. A plan is made before the commit, because
// SENT must be on disk before anything leaves; it leaves after the commit. A repeat is harmless: the
// agent's journal answers it. What has a receipt is never sent again, only asked for: a journal that was
// set back would take it for new (docs/decisions/0042).
//
// An agent gets as much as it takes without refusing; the rest waits here, not there. Cancels go past
// what waits, but never past what they cancel: one that came first would find nothing to end, and the
// command would run after it.
//
//   OnDue OnOnline OnAlive OnSweep --> [Dispatcher] --> Plan (marks SENT), TakeQuestions, commit, TakeSends
//
// Ordering:  per agent in the order of acceptance; a cancel after the receipt of what it cancels.
// Limits:    Options::max_at_agent and max_unreceipted deliveries per agent, cancels apart from the
//            others; one entry names <= 1,000 agents.
// Ownership: borrows ledger and sessions for its life.
// Threading: thread-compatible; loop thread only.
// Errors:    none: what could not be sent stays due.
// Design:    docs/protocol.md 5
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "backend/core/control_ledger.h"
#include "backend/core/control_moment.h"
#include "backend/core/control_sessions.h"

namespace holdfast::backend {

class Dispatcher {
 public:
  struct Options {
    // Handed over and not ENDED, cancels not counted. Half of what an agent takes (it refuses above
    // 64, and counts until it has our acknowledgement of the end): the rest of the queue waits in the
    // ledger, in its order.
    std::size_t max_at_agent = 32;
    // Of these, without a receipt: what is repeated at once when a link opens. As many cancels more, and as
    // many that expired without one.
    std::size_t max_unreceipted = 16;
    Duration first_repeat = std::chrono::seconds(5);
    Duration repeat = std::chrono::seconds(10);
    std::size_t max_agents_per_send = 1000;  // route.proto
  };
  Dispatcher(Options options, Ledger& ledger, const Sessions& sessions)
      : options_(options), ledger_(ledger), sessions_(sessions) {}

  // Something of this agent may be sendable: a new command, a receipt that freed room.
  void OnDue(const AgentId& agent) { due_.insert(agent); }
  // Its agent shows by a record or a Sync that it has this delivery.
  void OnAlive(const DeliveryKey& key);
  // What was on its way to this agent may be lost: all that has no receipt is sent again now.
  void OnResumed(const AgentId& agent);
  void OnEnded(const DeliveryKey& key) { sendings_.erase(key); }
  // A cancel whose target the agent is not known to have, and may still get.
  bool IsHeld(const Digest& digest, const AgentId& agent) const;
  void OnSweep();  // everything that is open is looked at again

  // Decides and marks SENT. Nothing is planned while the transport is away.
  void Plan(Moment now);
  // Received by agents that have not shown it since their link opened: say what we have of it.
  std::vector<DeliveryKey> TakeQuestions() { return std::exchange(questions_, {}); }
  struct Send {
    std::string gateway;
    Digest digest;
    std::vector<AgentId> agents;
    bool repeat = false;
  };
  std::vector<Send> TakeSends();
  void Undo();  // the turn failed: what was planned is due again

 private:
  struct Sending {
    std::uint64_t epoch = 0;  // of the session it was last sent in
    TimePoint at{};
    std::uint32_t times = 0;  // in that session
  };
  void PlanAgent(const AgentId& agent, const LinkAt& link, Moment now);
  void PlanCancels(const AgentId& agent, const LinkAt& link, Moment now);
  void PlanOne(const DeliveryKey& key, const DeliveryRow& row, const LinkAt& link, Moment now);
  bool Due(const DeliveryRow& row, const Sending* sending, const LinkAt& link, Moment now) const;

  const Options options_;
  Ledger& ledger_;
  const Sessions& sessions_;
  std::set<AgentId> due_;
  std::map<DeliveryKey, Sending> sendings_;
  std::vector<DeliveryKey> questions_;
  // (gateway, command) -> agents; true: none of them gets it for the first time
  std::map<std::pair<std::string, Digest>, std::vector<AgentId>> plan_;
  std::vector<std::pair<std::string, Digest>> plan_order_;
  std::set<std::pair<std::string, Digest>> first_;
};

}  // namespace holdfast::backend
