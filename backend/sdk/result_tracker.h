// ResultTracker: follows one command on all its targets, and believes nothing that is not signed.
//
// It is told whom the signed command names: nobody else's answer counts, and no answer of theirs may
// be missing at the end. Takes the events of a watch, puts the output of each target in order, and when a target has ended
// checks what its agent signed: the agent's key (whose hash is the agent's id), the command's digest,
// and the SHA-256 of the output that came here. A watch that was cut is resumed from Positions().
//
//   OnEvent(watch event) --> [ResultTracker] --> sink: OnState OnOutput OnRestart OnEnd
//
// Ordering:  OnEnd is the last call for a target, exactly once, after all its output. The first word that
//            a target has ended counts; what is told of it later changes nothing.
// Limits:    1000 targets (command.proto); holds no output.
// Ownership: borrows crypto; the sink only for the length of a call.
// Threading: thread-compatible.
// Errors:    OnEvent(): kCorrupt: an event that cannot be (a gap, an agent that the command does not
//            name, the end before every target has ended); what the sink returned, as it is.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/sign/crypto.h"
#include "holdfast/api/v1/api.pb.h"
#include "holdfast/command/v1/result.pb.h"

namespace holdfast::sdk {

// How one target ended.
struct TargetEnd {
  AgentId agent;
  std::string hostname;                    // hostile until escaped
  ::holdfast::api::v1::Delivery delivery;  // as control tells it
  // What the agent signed, verified; none when control ended it (EXPIRED, removed, ...).
  std::optional<::holdfast::command::v1::Result> result;
  // Not empty: the result does not hold, and why. Nothing of it is to be trusted then.
  std::string problem;
  // All output came here and its SHA-256 is the signed one. False without output, and for an
  // INTERRUPTED command whose partial output nobody could sign.
  bool output_verified = false;

  // What the agent signed where it signed something, else what control tells.
  ::holdfast::command::v1::Outcome outcome() const;
  ::holdfast::command::v1::CommandFailure failure() const;
  const std::string& message() const;
  // False: all three are only the backend's word, or not to be trusted at all.
  bool is_signed() const { return problem.empty() && result.has_value(); }
  // Ran, succeeded and proved it.
  bool succeeded() const;
};

// Control ends a command for want of an agent (EXPIRED, CANCELLED, INTERRUPTED). That it ran, or that
// the agent refused it, is for the agent alone to say.
bool MayEndUnsigned(::holdfast::command::v1::Outcome outcome);

// Gets what happens, target by target.
class FollowSink {
 public:
  virtual ~FollowSink() = default;
  virtual void OnState(const ::holdfast::api::v1::Delivery& delivery) = 0;
  // The next bytes of a target's output. An error ends the following.
  virtual Status OnOutput(const AgentId& agent, std::string_view bytes) = 0;
  // A new attempt began: the output so far counts for nothing.
  virtual Status OnRestart(const AgentId& agent) = 0;
  virtual Status OnEnd(const TargetEnd& end) = 0;
  // Nothing happened for a while; for progress lines.
  virtual void OnTick() {}
};

class ResultTracker {
 public:
  enum class Output : std::uint8_t { kWanted, kUnwanted };
  // `targets`: those of the signed command, never those that a backend tells.
  ResultTracker(const sign::Crypto& crypto, const Digest& command,
                const std::vector<AgentId>& targets, Output output);
  ~ResultTracker();

  Status OnEvent(const ::holdfast::api::v1::WatchEvent& event, FollowSink& sink);
  // What came so far, to resume a watch.
  std::vector<::holdfast::api::v1::OutputPosition> Positions() const;
  bool finished() const { return finished_; }
  std::uint64_t events() const { return events_; }  // how many came so far

 private:
  struct Target;
  Target* Find(const std::string& agent_id);
  Status OnDelivery(const ::holdfast::api::v1::Delivery& delivery, FollowSink& sink);
  Status OnOutput(const ::holdfast::api::v1::Output& output, FollowSink& sink);
  Status OnFinished(FollowSink& sink);
  void ReadResult(Target& target) const;
  Status EndIfComplete(Target& target, FollowSink& sink);
  Status End(Target& target, FollowSink& sink);

  const sign::Crypto& crypto_;
  const Digest command_;
  const Output output_;
  std::map<std::string, std::unique_ptr<Target>> targets_;  // by agent id, as many as were signed
  bool finished_ = false;
  std::uint64_t events_ = 0;
};

// The result that the agent signed, if it is by this agent and about this command.
Result<::holdfast::command::v1::Result> VerifyResult(const sign::Crypto& crypto,
                                                     const Digest& command,
                                                     const ::holdfast::api::v1::Delivery& delivery);

}  // namespace holdfast::sdk
