#include "agent/core/updates.h"

#include <algorithm>

#include "agent/core/limits.h"
#include "common/sign/update.h"
#include "common/sign/version.h"

namespace holdfast::agent {
namespace {

namespace v1 = ::holdfast::command::v1;

Ending FailedUpdate(v1::CommandFailure failure, std::string message) {
  return {v1::OUTCOME_FAILED, failure, std::move(message)};
}

Ending RefusedContent(std::string message) {
  return FailedUpdate(v1::COMMAND_FAILURE_REFUSED_CONTENT, std::move(message));
}

Ending Runs(const std::string& version, std::string_view how) {
  return {v1::OUTCOME_DONE, v1::COMMAND_FAILURE_UNSPECIFIED, "runs " + version + std::string(how)};
}

Duration Signed(std::uint64_t ms, Duration unless_said) {
  return ms == 0 ? unless_said : Duration(static_cast<std::int64_t>(ms));
}

std::string Complaint(const v1::Command& parsed) {
  constexpr auto kMost = static_cast<std::uint64_t>(kMaxUpdateProof.count());
  if (!parsed.idempotent()) return "an update must be signed as one that may be taken up again";
  if (parsed.update().hold_ms() > kMost || parsed.update().link_ms() > kMost) {
    return "an update proves itself within an hour";
  }
  return {};
}

}  // namespace

void Updates::Recover(Moment at) {
  const auto text = file_.Load();
  if (!text.ok() && text.error().code == Code::kNotFound) return;
  auto read = text.ok() ? ParseUpdate(text.value()) : Result<UpdateRecord>(text.error());
  if (!read.ok()) {
    // The packaged program runs, as that is what a start does without a record.
    log_.Add(LogLine(LogLevel::kError, "update_record_lost").Err(read.error()));
    return;
  }
  record_ = std::move(read).value();
  const RunningProgram& self = file_.running();
  if (record_.trial && !(self.is_chosen && self.version == record_.trial->program.version)) {
    FailTrial(record_, "it could not be started", at.wall);
    static_cast<void>(file_.Save(FormatUpdate(record_)).ok());  // the next start comes to the same
  }
  file_.Tidy(record_);
  if (!record_.trial) return;
  link_by_ = at.now + record_.trial->link;
  log_.Add(LogLine(LogLevel::kWarn, "update_on_trial")
               .Text("version", self.version)
               .Num("start", static_cast<std::int64_t>(record_.trial->starts)));
}

bool Updates::has_ended_us(const Digest& command) const {
  return (record_.trial && record_.trial->command == command) ||
         (record_.failed && record_.failed->command == command);
}

Updates::Answer Updates::Consider(const Digest& command, const v1::Command& parsed, WallTime now) {
  if (record_.trial && record_.trial->command == command) return OnTrial{};
  if (record_.failed && record_.failed->command == command) {
    return FailedUpdate(v1::COMMAND_FAILURE_ROLLED_BACK, record_.failed->program.version + ": " +
                                                             record_.failed->why + "; " +
                                                             file_.running().version + " runs");
  }
  if (std::string wrong = Complaint(parsed); !wrong.empty()) {
    return FailedUpdate(v1::COMMAND_FAILURE_BAD_ARGUMENT, std::move(wrong));
  }
  if (plan_ || record_.trial) {
    return FailedUpdate(v1::COMMAND_FAILURE_BUSY, "another update is under way");
  }
  Planned plan;
  plan.command = command;
  plan.hold = Signed(parsed.update().hold_ms(), kDefaultUpdateHold);
  plan.link = Signed(parsed.update().link_ms(), kDefaultUpdateLink);
  Answer answer = Judge(parsed, plan, now);
  if (std::holds_alternative<Fetch>(answer)) plan_ = std::move(plan);
  return answer;
}

Updates::Answer Updates::Judge(const v1::Command& parsed, Planned& plan, WallTime now) {
  const RunningProgram& self = file_.running();
  const auto root = sign::VerifyUpdateRoot(crypto_, trust_, parsed.update().root(), now);
  if (!root.ok()) return RefusedContent(root.error().message);
  if (root.value().version() < record_.root_version) {
    return RefusedContent("an older update root: " + std::to_string(root.value().version()) +
                          ", and " + std::to_string(record_.root_version) + " was here");
  }
  // From now on, whatever becomes of this: a key that it no longer names must not come back.
  if (auto seen = SeeRoot(root.value().version()); !seen.ok()) {
    return FailedUpdate(v1::COMMAND_FAILURE_IO, std::move(seen).error().message);
  }
  const auto release = sign::VerifyRelease(crypto_, root.value(), parsed.update().release(), now);
  if (!release.ok()) return RefusedContent(release.error().message);
  const std::string& version = release.value().version();
  if (version == self.version) return Runs(version, " already");
  if (sign::IsOlder(version, self.version)) {
    return RefusedContent(version + " is older than " + self.version + ", which runs");
  }
  if (sign::IsOlder(version, record_.floor)) {
    return RefusedContent(version + " is older than " + record_.floor + ", the oldest allowed");
  }
  const v1::ReleaseFile* file = sign::FileFor(release.value(), self.arch);
  if (file == nullptr) {
    return RefusedContent("release " + version + " has no program for " + self.arch);
  }
  const bool is_named =
      std::any_of(parsed.blobs().begin(), parsed.blobs().end(), [&](const v1::Blob& blob) {
        return blob.sha256() == file->sha256() && blob.size() == file->size();
      });
  if (!is_named) return RefusedContent("the command does not name the program for " + self.arch);
  plan.program = {version, *Digest::From(file->sha256())};
  plan.floor = release.value().floor();
  return Fetch{plan.program.sha256, file->size()};
}

Status Updates::SeeRoot(std::uint64_t version) {
  if (version == record_.root_version) return Ok();
  UpdateRecord newer = record_;
  newer.root_version = version;
  HF_TRY(file_.Save(FormatUpdate(newer)));
  record_ = std::move(newer);
  return Ok();
}

void Updates::OnStaged(const Digest& command, Moment at) {
  if (!plan_ || plan_->command != command) return;
  plan_->is_staged = true;
  patience_until_ = at.now + kUpdatePatience;
}

std::optional<Digest> Updates::staged() const {
  return plan_ && plan_->is_staged ? std::optional(plan_->command) : std::nullopt;
}

Status Updates::BeginTrial() {
  UpdateRecord next = record_;
  next.failed.reset();
  next.trial =
      UpdateTrial{plan_->program, plan_->command, 0, plan_->hold, plan_->link, plan_->floor};
  HF_TRY(file_.Save(FormatUpdate(next)));
  log_.Add(LogLine(LogLevel::kWarn, "update_begins")
               .Id("digest", plan_->command.hex())
               .Text("version", plan_->program.version));
  record_ = std::move(next);
  plan_.reset();
  wants_restart_ = true;
  return Ok();
}

void Updates::Withdraw(const Digest& command) {
  if (plan_ && plan_->command == command) plan_.reset();
  // What is on trial goes on, and is judged all the same.
}

void Updates::OnWelcome(Moment at) {
  if (record_.trial && !wants_restart_) hold_until_ = at.now + record_.trial->hold;
}

void Updates::OnTick(Moment at) {
  if (!record_.trial || wants_restart_) return;
  if (hold_until_ && at.now >= *hold_until_) return Prove(at);
  if (hold_until_ || at.now < link_by_) return;
  TakeBack("it had no link for " + std::to_string(record_.trial->link.count() / 1000) + " s", at);
}

void Updates::Prove(Moment at) {
  UpdateRecord proven = record_;
  proven.previous = std::exchange(proven.current, std::move(proven.trial->program));
  proven.current_since = at.wall;
  if (sign::IsOlder(proven.floor, proven.trial->floor)) {
    proven.floor = std::move(proven.trial->floor);
  }
  proven.trial.reset();
  if (auto saved = file_.Save(FormatUpdate(proven)); !saved.ok()) {
    log_.Add(LogLine(LogLevel::kError, "update_record_refuses").Err(saved.error()));
    hold_until_ = at.now + kRetry;
    return;
  }
  const Digest command = record_.trial->command;
  record_ = std::move(proven);
  hold_until_.reset();
  file_.StopTimer();
  file_.Tidy(record_);
  log_.Add(LogLine(LogLevel::kWarn, "update_holds")
               .Id("digest", command.hex())
               .Text("version", record_.current->version));
  verdict_.emplace(command, Runs(record_.current->version, ""));
}

// This program is the one that is taken back: it ends, and the one before it says so.
void Updates::TakeBack(std::string why, Moment at) {
  log_.Add(LogLine(LogLevel::kError, "update_taken_back")
               .Text("version", record_.trial->program.version)
               .Text("why", why));
  FailTrial(record_, why, at.wall);
  // If not: the record counts the starts of a trial.
  if (auto saved = file_.Save(FormatUpdate(record_)); !saved.ok()) {
    log_.Add(LogLine(LogLevel::kError, "update_record_refuses").Err(saved.error()));
  }
  wants_restart_ = true;
}

std::optional<TimePoint> Updates::NextDeadline() const {
  if (wants_restart_ || verdict_) return TimePoint();
  if (staged()) return patience_until_;
  if (!record_.trial) return std::nullopt;
  return hold_until_ ? *hold_until_ : link_by_;
}

}  // namespace holdfast::agent
