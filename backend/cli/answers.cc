#include "backend/cli/answers.h"

#include <algorithm>

#include "backend/cli/duration_text.h"
#include "backend/cli/next_step.h"
#include "backend/cli/size_text.h"
#include "backend/cli/time_text.h"
#include "backend/sdk/clock.h"
#include "common/base/untrusted.h"

namespace holdfast::cli {
namespace {

namespace pb = ::holdfast::command::v1;
namespace api = ::holdfast::api::v1;
constexpr Duration kQuietFor = std::chrono::seconds(1);  // faster answers need no progress
constexpr Duration kRedrawEvery = std::chrono::milliseconds(200);  // more is flicker

// "[#####...............]  27 %"
std::string Bar(std::uint64_t done, std::uint64_t all) {
  constexpr std::uint64_t kCells = 20;
  constexpr std::uint64_t kPercent = 100;
  done = std::min(done, all);
  const auto part = [&](std::uint64_t of) {
    return static_cast<std::size_t>(static_cast<double>(done) / static_cast<double>(all) *
                                    static_cast<double>(of));
  };
  const std::string percent = std::to_string(part(kPercent));
  return "[" + std::string(part(kCells), '#') + std::string(kCells - part(kCells), '.') + "] " +
         std::string(3 - std::min<std::size_t>(percent.size(), 3), ' ') + percent + " %";
}

}  // namespace

Answers::Answers(const Call& call, const Job& job)
    : call_(call),
      job_(job),
      began_(sdk::MonotonicNow()),
      last_progress_(began_),
      last_output_(began_) {
  for (const auto& target : job.targets) states_[target.id] = api::DELIVERY_STATE_ACCEPTED;
}

std::string Answers::HostOf(const AgentId& agent) const {
  const auto found = job_.hosts.find(agent);
  return found == job_.hosts.end() ? agent.hex().substr(0, 8) : found->second;
}

bool Answers::wants_answers() const {
  const Format format = call_.options.format;
  return format == Format::kJson || (format == Format::kJsonl && !own_lines());
}

void Answers::OnState(const api::Delivery& delivery) {
  if (const auto id = AgentId::From(delivery.agent_id())) states_[*id] = delivery.state();
}

Status Answers::OnOutput(const AgentId& agent, std::string_view bytes) {
  bytes_ += bytes.size();
  last_output_ = sdk::MonotonicNow();
  OnTick();
  HF_TRY(Take(agent, bytes));
  return StillRead();
}

// Who reads no further (`| head`) is not waited for until the job ends.
Status Answers::StillRead() const {
  return call_.console.out_works()
             ? Ok()
             : Error{Code::kInternal, "standard output cannot be written any more"};
}

Status Answers::OnRestart(const AgentId& agent) { return Reset(agent); }

void Answers::OnTick() {
  if (!call_.console.err_is_terminal()) return;
  const TimePoint now = sdk::MonotonicNow();
  if (now - began_ < kQuietFor || now - last_progress_ < kRedrawEvery) return;
  last_progress_ = now;
  const Duration spent = now - began_;
  std::string line = std::to_string(ended_) + " of " + std::to_string(job_.targets.size()) +
                     (job_.targets.size() == 1 ? " host" : " hosts");
  if (call_.options.expected_bytes > 0) line = Bar(bytes_, call_.options.expected_bytes);
  line += Rate(now);
  call_.console.Progress(
      line + ", " + FormatDuration(spent) +
      (EndsWithUs(call_, job_.command) ? "  (Ctrl-C ends it)" : "  (Ctrl-C: the job goes on)"));
}

// How much came, and how fast while it comes: over a wait for somebody who is offline a rate means
// nothing.
std::string Answers::Rate(TimePoint now) const {
  constexpr Duration kStillComing = std::chrono::seconds(2);
  if (bytes_ == 0) return "";
  const auto spent = static_cast<std::uint64_t>((now - began_).count());
  const bool coming = now - last_output_ < kStillComing && spent > 0;
  return ", " + FormatSize(bytes_) +
         (coming ? ", " + FormatSize(bytes_ * 1000 / spent) + "/s" : "");
}

std::string Answers::OutcomeText(const sdk::TargetEnd& end) {
  return end.problem.empty() ? OutcomeName(end.outcome()) : "NOT_TRUSTED";
}

std::string Answers::FailureText(const sdk::TargetEnd& end) {
  if (!end.problem.empty() || end.failure() == pb::COMMAND_FAILURE_UNSPECIFIED) return "";
  return FailureName(end.failure());
}

Cell Answers::FailureCell(const sdk::TargetEnd& end) {
  const std::string failure = FailureText(end);
  return failure.empty() ? Cell::Null() : Cell::Text(failure);
}

std::string Answers::MessageText(const sdk::TargetEnd& end) {
  return end.problem.empty() ? end.message() : "";
}

Status Answers::OnEnd(const sdk::TargetEnd& told) {
  sdk::TargetEnd end = told;
  if (end.problem.empty()) end.problem = Check(end);
  ++ended_;
  states_.erase(end.agent);
  if (end.succeeded()) ++succeeded_;
  if (end.problem.empty() && end.outcome() == pb::OUTCOME_REFUSED) ++refused_;
  call_.console.Progress("");
  JsonObject answer;
  answer.Text("agent_id", end.agent.hex()).Text("hostname", end.hostname).Text("job", job_.id());
  // A program that reads no further must not take a result for good that does not hold.
  answer.Text("outcome", OutcomeText(end));
  answer.Put("failure", FailureCell(end)).Text("message", MessageText(end));
  answer.Put("problem", end.problem.empty() ? Cell::Null() : Cell::Text(end.problem));
  HF_TRY(Finish(end, answer));
  answer.Bool("signed", end.is_signed());
  if (wants_answers()) PrintAnswer(answer.str());
  if (!end.succeeded()) {
    SayHowItEnded(end);
  } else if (const std::string message = MessageText(end); !message.empty()) {
    // Done, and yet there is something to know: what could not be read, what was left as it is.
    Say(HostOf(end.agent) + ": " + ForTerminal(Untrusted(message)));
  }
  return StillRead();
}

// One line on stderr, in every format: a person may be watching.
void Answers::SayHowItEnded(const sdk::TargetEnd& end) {
  std::string line = HostOf(end.agent) + ": ";
  if (!end.problem.empty()) {
    Say(line + "NOT TRUSTED: " + ForTerminal(Untrusted(end.problem)));
    return;
  }
  line += OutcomeText(end);
  const std::string failure = FailureText(end);
  if (!failure.empty() && failure != OutcomeText(end)) line += " " + failure;
  const std::string message = MessageText(end);
  if (!message.empty()) line += ": " + ForTerminal(Untrusted(message));
  Say(line);
  if (next_step_.empty()) next_step_ = NextStep(job_.command, end.failure(), message);
}

void Answers::Say(const std::string& line) {
  if (call_.options.format == Format::kJson) {
    held_.push_back(line);
  } else {
    call_.console.Say(line);
  }
}

void Answers::SayHeld() {
  for (const auto& line : held_) call_.console.Say(line);
  held_.clear();
  if (!next_step_.empty()) call_.console.Say(next_step_);
  next_step_.clear();
}

void Answers::PrintAnswer(const std::string& json) {
  const bool in_array = call_.options.format == Format::kJson;
  const char* before = !in_array ? "" : answers_ == 0 ? "[\n" : ",\n";
  call_.console.Out(before + json + (in_array ? "" : "\n"));
  ++answers_;
}

void Answers::AddUnfinished() {
  const Format format = call_.options.format;
  for (const auto& [agent, state] : states_) {
    if (format == Format::kJson || format == Format::kJsonl) {
      const auto target = std::find_if(job_.targets.begin(), job_.targets.end(),
                                       [&id = agent](const auto& one) { return one.id == id; });
      const bool known = target != job_.targets.end();
      JsonObject answer;
      answer.Text("agent_id", agent.hex()).Text("hostname", known ? target->hostname : "");
      answer.Text("job", job_.id()).Raw("outcome", "null").Text("state", StateName(state));
      answer.Bool("online", known && target->online);
      answer.Text("not_after", FormatRfc3339(job_.not_after));
      PrintAnswer(answer.str());
    } else if (call_.options.wait && call_.options.wait->count() > 0) {
      call_.console.Say(HostOf(agent) + ": not done yet (" + StateName(state) + ")");
    }
  }
}

void Answers::Close(bool all_ended) {
  call_.console.Progress("");
  complete_ = all_ended;
  if (!all_ended) AddUnfinished();
  FinishAll();
  if (call_.options.format == Format::kJson) call_.console.Out(answers_ == 0 ? "[]\n" : "\n]\n");
  SayHeld();
}

int Answers::ExitStatus() const {
  if (!call_.console.out_works()) return kExitFailed;
  if (!complete_) {
    // Returning at once is what was asked for.
    return call_.options.wait && call_.options.wait->count() == 0 ? kExitOk : kExitFailed;
  }
  if (succeeded_ == job_.targets.size()) return kExitOk;
  return refused_ == job_.targets.size() ? kExitRefused : kExitFailed;
}

}  // namespace holdfast::cli
