// Answers: what all verbs have in common when their targets answer: who ended how, failures in words,
// the JSON object of each target, progress. Each verb's own part derives from it.
//
//   OnOutput* --> Take(bytes)     OnEnd --> Check(end), Finish(end) + one answer
//
// Ordering:  output that is printed at the end of a target has been verified; what streams (exec) is
//            checked afterwards and a lie is told.
// Limits:    kMaxHeldBytes of one target's output are held until it ends; a target with more ends with a
//            problem.
// Errors:    of this machine only (a closed pipe, a full disk). What an endpoint sends wrongly is that
//            target's problem; the others go on.
// Threading: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "backend/cli/job.h"
#include "backend/cli/json_text.h"
#include "backend/sdk/result_tracker.h"

namespace holdfast::cli {

class Answers : public sdk::FollowSink {
 public:
  Answers(const Call& call, const Job& job);

  void OnState(const ::holdfast::api::v1::Delivery& delivery) final;
  Status OnOutput(const AgentId& agent, std::string_view bytes) final;
  Status OnRestart(const AgentId& agent) final;
  Status OnEnd(const sdk::TargetEnd& told) final;
  void OnTick() final;

  // After the last event: prints what was held back, documents before words. `all_ended` is false when --wait ran out.
  void Close(bool all_ended);
  int ExitStatus() const;
  // What was not said yet: words wait for the end of the one JSON document, or both would mix on a
  // terminal. Close() does so too.
  void SayHeld();

 protected:
  // The verb's part. Take: the next bytes of a target. Reset: forget them, a new attempt began.
  virtual Status Take(const AgentId& agent, std::string_view bytes) = 0;
  virtual Status Reset(const AgentId& agent) = 0;
  // Why a verified output cannot be used, if it cannot: an agent may sign anything. Empty: it can.
  virtual std::string Check(const sdk::TargetEnd& /*end*/) { return ""; }
  // The target has ended; adds to its answer, and prints in the formats that have no answers.
  virtual Status Finish(const sdk::TargetEnd& end, JsonObject& answer) = 0;
  // After the last target.
  virtual void FinishAll() {}
  // True: jsonl prints what Finish() prints (rows), not the answers.
  virtual bool own_lines() const { return false; }

  static constexpr std::size_t kMaxHeldBytes = std::size_t{256} * 1024 * 1024;  // 4 x the default
  // What may be told of an end: nothing of one that has a problem, else what the agent signed.
  static std::string OutcomeText(const sdk::TargetEnd& end);
  static std::string FailureText(const sdk::TargetEnd& end);  // empty: none
  static Cell FailureCell(const sdk::TargetEnd& end);
  static std::string MessageText(const sdk::TargetEnd& end);
  void Say(const std::string& line);
  std::string HostOf(const AgentId& agent) const;
  bool wants_answers() const;  // json, or jsonl of a verb without lines of its own
  const Call& call_;
  const Job& job_;

 private:
  Status StillRead() const;
  void PrintAnswer(const std::string& json);
  void SayHowItEnded(const sdk::TargetEnd& end);
  void AddUnfinished();
  std::string Rate(TimePoint now) const;

  std::map<AgentId, ::holdfast::api::v1::DeliveryState> states_;  // of those that have not ended
  std::uint64_t bytes_ = 0;
  std::size_t ended_ = 0, succeeded_ = 0, refused_ = 0, answers_ = 0;
  TimePoint began_, last_progress_, last_output_;
  std::vector<std::string> held_;  // words, until the document is complete
  std::string next_step_;          // said once, after the last target
  bool complete_ = true;
};

}  // namespace holdfast::cli
