// Shooter: signed commands through everything, several at a time, each followed to the result that its agents
// signed and to their verified output.
//
// Ordering:  commands are submitted in the order asked for; they end in any.
// Limits:    `window` commands under way, at most what one connection may watch (api.proto).
// Ownership: borrows all that it is given.
// Threading: one thread; nothing happens between two calls.
// Errors:    a lost connection, or no answer for a minute, ends the call. A command that fails is counted.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/fleet/simulation.h"
#include "backend/sdk/api_connection.h"
#include "backend/sdk/operator_cert.h"
#include "backend/sdk/result_tracker.h"
#include "common/sign/crypto.h"

namespace holdfast::bench {

inline constexpr std::size_t kMaxWindow = 16;  // watches of one connection: api.proto

// Agents first, first + stride, ...: count of them.
struct Targets {
  std::uint32_t first = 0;
  std::uint32_t stride = 1;
  std::uint32_t count = 0;
};

struct Outcome {
  std::vector<double> took_ms;  // of each target that succeeded
  std::size_t failed = 0;       // targets, and commands that were not accepted
  std::string problem;          // of the last that failed
};

class Shooter {
 public:
  Shooter(const sign::Crypto& crypto, const sdk::Operator& who, const FleetId& fleet,
          sdk::ApiConnection& api, const fleet::Simulation& simulation, std::size_t window);
  ~Shooter();

  // Before any clock starts: an agent's key takes longer to make than a command.
  Result<std::vector<AgentId>> Find(const Targets& targets) const;

  // One command to each, as many at once as the window allows. Time counts from the submission.
  Result<Outcome> Run(const std::vector<AgentId>& targets);
  // `per_second` commands to one target each, in turn, for so long, whether or not those before have been
  // answered. Time counts from when a command was due: waiting for the window counts too.
  Result<Outcome> Rate(const std::vector<AgentId>& targets, double per_second,
                       std::chrono::seconds length);
  // One command to all, in envelopes of as many as one may name. Time counts from the call.
  Result<Outcome> Hunt(const std::vector<AgentId>& targets);

 private:
  using Clock = std::chrono::steady_clock;
  class Flying;

  Status Shoot(std::vector<AgentId> targets, Clock::time_point began, Outcome& outcome);
  // One reply; false: none came by then.
  Result<bool> Take(Clock::time_point until);
  Status TakeOne();
  Status Drain(Outcome& outcome);  // until nothing is under way
  void OnReply(const ::holdfast::api::v1::ServerMessage& reply);
  bool full() const { return flying_.size() >= window_; }

  const sign::Crypto& crypto_;
  const sdk::Operator& who_;
  const FleetId fleet_;
  sdk::ApiConnection& api_;
  const fleet::Simulation& simulation_;
  const std::size_t window_;
  std::string refusal_;  // of the last submission that was refused
  std::map<std::uint64_t, std::unique_ptr<Flying>> flying_;  // by the watch's request
};

}  // namespace holdfast::bench
