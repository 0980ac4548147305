#include "agent/core/isolation.h"

#include <algorithm>
#include <utility>

#include "agent/core/limits.h"
#include "common/base/ip_network.h"

namespace holdfast::agent {
namespace {

namespace v1 = ::holdfast::command::v1;

Ending Done(std::string message) {
  return {v1::OUTCOME_DONE, v1::COMMAND_FAILURE_UNSPECIFIED, std::move(message)};
}

Ending Failed(v1::CommandFailure failure, std::string message) {
  return {v1::OUTCOME_FAILED, failure, std::move(message)};
}

Ending RolledBack(std::string message) {
  return Failed(v1::COMMAND_FAILURE_ROLLED_BACK, std::move(message));
}

Ending EndingFor(const Error& error) {
  switch (error.code) {
    case Code::kInvalid: return Failed(v1::COMMAND_FAILURE_BAD_ARGUMENT, error.message);
    case Code::kDenied: return Failed(v1::COMMAND_FAILURE_PERMISSION, error.message);
    case Code::kUnsupported: return Failed(v1::COMMAND_FAILURE_UNSUPPORTED, error.message);
    default: return Failed(v1::COMMAND_FAILURE_IO, error.message);
  }
}

std::string Complaint(const v1::IsolateArgs& args) {
  const std::uint64_t ms = args.duration_ms();
  if (ms < static_cast<std::uint64_t>(kMinIsolation.count()) ||
      ms > static_cast<std::uint64_t>(kMaxIsolation.count())) {
    return "an isolation lasts 5 minutes to 30 days";
  }
  if (static_cast<std::size_t>(args.allow_size()) > kMaxAllowed) {
    return "more than " + std::to_string(kMaxAllowed) + " networks to allow";
  }
  for (const std::string& text : args.allow()) {
    if (auto network = ParseIpNetwork(text); !network.ok()) return network.error().message;
  }
  return {};
}

}  // namespace

void Isolation::Recover(Moment at) {
  const auto text = file_.Load();
  if (!text.ok() && text.error().code == Code::kNotFound) return;
  auto read = text.ok() ? ParseIsolation(text.value(), file_.BootId(), at)
                        : Result<IsolationRecord>(text.error());
  if (read.ok()) {
    record_.held = std::move(read.value().held);
  } else {
    // Nobody knows until when: a machine must not stay closed for ever.
    log_.Add(LogLine(LogLevel::kError, "isolation_record_lost").Err(read.error()));
  }
  if (record_.held && at.now >= record_.held->until) {
    log_.Add(LogLine(LogLevel::kInfo, "isolation_ended").Id("why", "expired"));
    record_.held.reset();
  }
  Undo(at);
  if (!record_.held) return;
  log_.Add(LogLine(LogLevel::kWarn, "isolation_goes_on")
               .Id("digest", record_.held->digest.hex())
               .Text("until", UtcText(WallEnd(*record_.held, at))));
}

void Isolation::Isolate(const Digest& command, const v1::IsolateArgs& args, Moment at) {
  // The agent ended between the proof and the result.
  if (record_.held && record_.held->digest == command) {
    return Judge(command, Done("isolated until " + UtcText(WallEnd(*record_.held, at))));
  }
  if (std::string wrong = Complaint(args); !wrong.empty()) {
    return Judge(command, Failed(v1::COMMAND_FAILURE_BAD_ARGUMENT, std::move(wrong)));
  }
  static_cast<void>(file_.TakeReleaseRequest());  // for one that is over
  IsolationTerms terms;
  terms.digest = command;
  terms.since = at.wall;
  terms.until = at.now + Duration(static_cast<std::int64_t>(args.duration_ms()));
  terms.allow = {args.allow().begin(), args.allow().end()};
  const std::optional<IsolationTerms> before = std::exchange(record_.trial, std::move(terms));
  if (before) {
    Judge(before->digest, RolledBack("a later isolate came before it had proven itself"));
  }
  // Rules that could not yet be removed are replaced by these, and what waits for it is true at once or never.
  if (auto saved = Save(record_, at); !saved.ok()) {
    return Fail(EndingFor(std::move(saved).error().In("recording the isolation")), at);
  }
  if (auto closed = fence_.Close(record_.trial->allow, KernelTime(at.now)); !closed.ok()) {
    return Fail(EndingFor(closed.error()), at);
  }
  opened_since_ = false;
  prove_by_ = at.now + kIsolationProof;
  look_at_ = at.now + kLook;
  log_.Add(LogLine(LogLevel::kWarn, "isolation_on_trial").Id("digest", command.hex()));
}

Duration Isolation::KernelTime(TimePoint now) const {
  TimePoint end = now + kIsolationProof;
  if (record_.held) end = std::max(end, record_.held->until);
  return end - now + kKernelLate;
}

void Isolation::OnWelcome(Moment at) {
  if (opened_since_) Prove(at);
}

void Isolation::OnAcknowledged(const Digest& command, Moment at) {
  if (record_.trial && record_.trial->digest == command) Prove(at);
}

void Isolation::Prove(Moment at) {
  if (!record_.trial) return;
  IsolationRecord proven;
  proven.held = record_.trial;
  const Duration left = proven.held->until - at.now + kKernelLate;
  auto kept = fence_.Close(proven.held->allow, left);
  if (kept.ok()) kept = Save(proven, at);
  if (!kept.ok()) return Fail(EndingFor(kept.error()), at);
  std::string words = "isolated until " + UtcText(WallEnd(*proven.held, at));
  if (record_.held) words += ", no more until " + UtcText(WallEnd(*record_.held, at));
  record_ = std::move(proven);
  undo_at_.reset();
  for (Verdict& verdict : std::exchange(after_undo_, {})) verdicts_.push_back(std::move(verdict));
  log_.Add(LogLine(LogLevel::kWarn, "isolation_holds")
               .Id("digest", record_.held->digest.hex())
               .Text("until", UtcText(WallEnd(*record_.held, at))));
  Judge(record_.held->digest, Done(std::move(words)));
}

void Isolation::Release(const Digest& command, Moment at) {
  if (!is_closed() && !undo_at_) return Judge(command, Done("it was not isolated"));
  std::string words = "released";
  if (record_.held) words += "; it was isolated until " + UtcText(WallEnd(*record_.held, at));
  record_.held.reset();
  after_undo_.emplace_back(command, Done(std::move(words)));
  log_.Add(LogLine(LogLevel::kWarn, "isolation_ended")
               .Id("why", "released")
               .Id("digest", command.hex()));
  if (record_.trial) return Fail(RolledBack("released before it had proven itself"), at);
  Undo(at);
}

void Isolation::Withdraw(const Digest& command, Moment at) {
  std::erase_if(after_undo_, [&](const Verdict& verdict) { return verdict.first == command; });
  if (!record_.trial || record_.trial->digest != command) return;
  record_.trial.reset();
  log_.Add(LogLine(LogLevel::kWarn, "isolation_withdrawn").Id("digest", command.hex()));
  Undo(at);
}

void Isolation::Fail(Ending why, Moment at) {
  log_.Add(LogLine(LogLevel::kWarn, "isolation_rolled_back")
               .Id("digest", record_.trial->digest.hex())
               .Text("why", why.message));
  after_undo_.emplace_back(record_.trial->digest, std::move(why));
  record_.trial.reset();
  Undo(at);
}

// Brings rules and record to what record_ says: what is held, or nothing.
void Isolation::Undo(Moment at) {
  if (auto undone = TryUndo(at); !undone.ok()) {
    if (!std::exchange(has_complained_, true)) {
      log_.Add(LogLine(LogLevel::kError, "fence_refuses").Err(undone.error()));
    }
    undo_at_ = at.now + kRetry;
    return;
  }
  has_complained_ = false;
  undo_at_.reset();
  look_at_ = at.now + kLook;
  for (Verdict& verdict : std::exchange(after_undo_, {})) verdicts_.push_back(std::move(verdict));
}

Status Isolation::TryUndo(Moment at) {
  if (record_.held) {
    HF_TRY(fence_.Close(record_.held->allow, KernelTime(at.now)));
    return Save(record_, at);
  }
  // Without the right or the means to close it, there is nothing to open either.
  Status opened = fence_.Open();
  const bool cannot = !opened.ok() && (opened.error().code == Code::kDenied ||
                                       opened.error().code == Code::kUnsupported);
  if (!opened.ok() && !cannot) return opened;
  return file_.Remove();
}

Status Isolation::Save(const IsolationRecord& record, Moment at) {
  save_at_ = at.now + kSave;
  return file_.Save(FormatIsolation(record, file_.BootId(), at));
}

void Isolation::Look(Moment at) {
  look_at_ = at.now + kLook;
  if (file_.TakeReleaseRequest()) {
    log_.Add(LogLine(LogLevel::kWarn, "isolation_ended").Id("why", "released_at_the_machine"));
    record_.held.reset();
    if (record_.trial) return Fail(RolledBack("released at the machine"), at);
    return Undo(at);
  }
  const auto found = fence_.Look(Current().allow, KernelTime(at.now));
  if (!found.ok()) {
    if (!std::exchange(has_complained_, true)) {
      log_.Add(LogLine(LogLevel::kError, "fence_refuses").Err(found.error()));
    }
    return;
  }
  has_complained_ = false;
  if (found.value() == Fence::Found::kGone) {
    log_.Add(LogLine(LogLevel::kWarn, "isolation_closed_again"));
  }
}

void Isolation::OnTick(Moment at) {
  if (record_.trial && at.now >= prove_by_) {
    Fail(RolledBack("the link did not prove itself within " +
                    std::to_string(kIsolationProof.count() / 1000) + " s; its rules are removed"),
         at);
  }
  if (record_.held && at.now >= record_.held->until) {
    log_.Add(LogLine(LogLevel::kInfo, "isolation_ended").Id("why", "expired"));
    record_.held.reset();
    // A trial that is under way goes on, under its own rules.
    if (record_.trial) {
      static_cast<void>(Save(record_, at).ok());
    } else {
      Undo(at);
    }
  }
  if (undo_at_ && at.now >= *undo_at_) Undo(at);
  if (!is_closed()) return;
  if (at.now >= look_at_) Look(at);
  // Only its age: if the disk refuses, the next one will do.
  if (is_closed() && at.now >= save_at_) static_cast<void>(Save(record_, at).ok());
}

std::optional<Isolation::Verdict> Isolation::NextVerdict() {
  if (verdicts_.empty()) return std::nullopt;
  std::optional<Verdict> first(std::move(verdicts_.front()));
  verdicts_.erase(verdicts_.begin());
  return first;
}

std::optional<TimePoint> Isolation::NextDeadline() const {
  if (!verdicts_.empty()) return TimePoint();
  std::optional<TimePoint> soonest = undo_at_;
  const auto consider = [&](TimePoint at) {
    if (!soonest || at < *soonest) soonest = at;
  };
  if (record_.trial) consider(prove_by_);
  if (record_.held) consider(record_.held->until);
  if (is_closed()) consider(std::min(look_at_, save_at_));
  return soonest;
}

}  // namespace holdfast::agent
