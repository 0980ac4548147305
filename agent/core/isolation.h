// Isolation: whether this machine's network is closed but for the link, since when and until when.
//
//            Isolate            the link proved itself
//   open ------------> trial ---------------------------> held
//    ^                   | kIsolationProof is over, Withdraw     |
//    +-------------------+-- what was held before, or open       |
//    +--------------------- Release, its time is over -----------+
//
// Ordering:  the record is on the disk before a rule stands; proven is on the disk before the verdict DONE exists; the
//            rules are gone before the record is, and both before the verdict that says so.
// Limits:    kMinIsolation..kMaxIsolation; kMaxAllowed networks. One trial at a time: a later one ends it.
// Ownership: borrows the ports and the log.
// Threading: thread-compatible; loop thread only.
// Errors:    every command has one verdict. Rules that do not let themselves be removed are tried again every kRetry,
//            and the verdict waits for it; the kernel opens by itself at the end of their time.
// Design:    docs/decisions/0095-isolation.md
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/core/fence.h"
#include "agent/core/isolation_record.h"
#include "agent/core/log_queue.h"
#include "agent/core/moment.h"
#include "agent/core/open_command.h"
#include "holdfast/command/v1/command.pb.h"

namespace holdfast::agent {

class Isolation {
 public:
  static constexpr Duration kRetry = std::chrono::seconds(2);
  // Between two looks whether the rules stand: what flushes a machine's rules opens it for so long.
  static constexpr Duration kLook = std::chrono::seconds(3);
  // How old the record gets: so much more an isolation may last if every start finds the clock set back.
  static constexpr Duration kSave = std::chrono::minutes(5);
  // What the kernel waits for an agent that is late: it is the second to act, not the first.
  static constexpr Duration kKernelLate = std::chrono::seconds(15);

  using Verdict = std::pair<Digest, Ending>;

  Isolation(Fence& fence, IsolationFile& file, LogQueue& log)
      : fence_(fence), file_(file), log_(log) {}

  // At start, before the link process: what had proven itself is closed again; what had not is taken back.
  void Recover(Moment at);

  // Each command has its verdict in NextVerdict(), at once or later.
  void Isolate(const Digest& command, const ::holdfast::command::v1::IsolateArgs& args, Moment at);
  void Release(const Digest& command, Moment at);
  // The command is over without a verdict from here: if it is on trial, that is taken back.
  void Withdraw(const Digest& command, Moment at);

  void OnLinkOpened() { opened_since_ = true; }
  // A server has said Welcome.
  void OnWelcome(Moment at);
  // Control has acknowledged what was sent after the rules stood.
  void OnAcknowledged(const Digest& command, Moment at);
  void OnTick(Moment at);

  std::optional<Verdict> NextVerdict();
  std::optional<TimePoint> NextDeadline() const;
  // The link process has to say where it dials.
  bool is_closed() const { return record_.held || record_.trial; }

 private:
  const IsolationTerms& Current() const { return record_.trial ? *record_.trial : *record_.held; }
  // How long the kernel is to keep it closed.
  Duration KernelTime(TimePoint now) const;
  void Prove(Moment at);
  void Fail(Ending why, Moment at);
  void Undo(Moment at);
  Status TryUndo(Moment at);
  void Look(Moment at);
  Status Save(const IsolationRecord& record, Moment at);
  void Judge(const Digest& command, Ending ending) {
    verdicts_.emplace_back(command, std::move(ending));
  }

  Fence& fence_;
  IsolationFile& file_;
  LogQueue& log_;
  IsolationRecord record_;
  TimePoint prove_by_{};              // of the trial
  bool opened_since_ = false;         // a link was opened since the trial began
  std::optional<TimePoint> undo_at_;  // rules or record do not yet say what record_ does
  TimePoint look_at_{};               // while it is closed
  TimePoint save_at_{};               // the same
  bool has_complained_ = false;       // that rules could not be put back
  std::vector<Verdict> after_undo_;
  std::vector<Verdict> verdicts_;
};

}  // namespace holdfast::agent
