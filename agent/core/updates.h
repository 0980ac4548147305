// Updates: another program in the place of this one: whether it may be, when, and what becomes of it.
//
//   Consider -> (fetch, worker) -> OnStaged -> quiet -> BeginTrial -> wants_restart
//                                                                        |  this process ends, the next one:
//   Recover -> Consider: on trial -> link for `hold` -> proven, DONE  <--+
//                               \--> no link within `link`, or 3 ends -> taken back, ROLLED_BACK
//
// Who may say that a program exists is checked here (common/sign/update.h); who may order it was checked before
// (chain.h). Neither alone installs anything.
//
// Ordering:  the trial is in the record before the process ends for it; proven is in the record before DONE exists; taken
//            back is in the record before the process ends for that.
// Limits:    one update at a time; a later one is BUSY. kUpdatePatience for what runs here to end.
// Ownership: borrows the ports and the log.
// Threading: thread-compatible; loop thread only.
// Errors:    every command has one verdict. A record that cannot be written when a program has proven itself is tried again
//            every kRetry, and the verdict waits for it.
// Design:    docs/decisions/0115-self-update.md
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "agent/core/log_queue.h"
#include "agent/core/moment.h"
#include "agent/core/open_command.h"
#include "agent/core/update_file.h"
#include "common/sign/chain.h"
#include "common/sign/crypto.h"
#include "holdfast/command/v1/command.pb.h"

namespace holdfast::agent {

class Updates {
 public:
  static constexpr Duration kRetry = std::chrono::seconds(2);

  struct Fetch {
    Digest sha256;
    std::uint64_t size;
  };
  struct OnTrial {};  // its verdict comes
  using Answer = std::variant<Ending, Fetch, OnTrial>;
  using Verdict = std::pair<Digest, Ending>;

  Updates(const sign::Crypto& crypto, const sign::TrustedPolicy& trust, UpdateFile& file,
          LogQueue& log)
      : crypto_(crypto), trust_(trust), file_(file), log_(log) {}

  // At start, before anything of the journal is taken up.
  void Recover(Moment at);
  // The agent's last ends were the doing of the program that this command brought.
  bool has_ended_us(const Digest& command) const;
  bool is_on_trial() const { return record_.trial.has_value(); }

  // `now`: wall clock or time floor, whichever is later.
  Answer Consider(const Digest& command, const ::holdfast::command::v1::Command& parsed,
                  WallTime now);
  // Its program lies in the state directory and says the right version.
  void OnStaged(const Digest& command, Moment at);
  // nullopt: none. What runs here may go on until patience_until(); nothing else is to begin.
  std::optional<Digest> staged() const;
  TimePoint patience_until() const { return patience_until_; }
  // Ok: wants_restart(). Else it is over, with this.
  Status BeginTrial();
  // The command is over without a verdict from here.
  void Withdraw(const Digest& command);

  void OnWelcome(Moment at);
  void OnLinkClosed() { hold_until_.reset(); }
  void OnTick(Moment at);

  bool wants_restart() const { return wants_restart_; }
  std::optional<Verdict> NextVerdict() { return std::exchange(verdict_, std::nullopt); }
  std::optional<TimePoint> NextDeadline() const;

 private:
  struct Planned {
    Program program;
    Digest command;
    std::string floor;
    Duration hold{0};
    Duration link{0};
    bool is_staged = false;
  };

  Answer Judge(const ::holdfast::command::v1::Command& parsed, Planned& plan, WallTime now);
  Status SeeRoot(std::uint64_t version);
  void Prove(Moment at);
  void TakeBack(std::string why, Moment at);

  const sign::Crypto& crypto_;
  const sign::TrustedPolicy& trust_;
  UpdateFile& file_;
  LogQueue& log_;
  UpdateRecord record_;
  std::optional<Planned> plan_;  // not yet on trial
  TimePoint patience_until_{};
  TimePoint link_by_{};                  // of the trial
  std::optional<TimePoint> hold_until_;  // a link is open: then it has proven itself
  bool wants_restart_ = false;
  std::optional<Verdict> verdict_;
};

}  // namespace holdfast::agent
