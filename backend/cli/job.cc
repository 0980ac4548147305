#include "backend/cli/job.h"

#include "backend/cli/answers_by_verb.h"
#include "backend/cli/interrupt.h"

namespace holdfast::cli {
namespace {

namespace pb = ::holdfast::command::v1;
constexpr Duration kTick = std::chrono::milliseconds(250);  // progress while nothing comes

std::unique_ptr<Answers> MakeAnswers(const Call& call, const Job& job) {
  switch (OutputOf(job.command)) {
    case sdk::OutputFormat::kRows: return MakeRowAnswers(call, job);
    case sdk::OutputFormat::kStdio: return MakeExecAnswers(call, job);
    case sdk::OutputFormat::kBytes:
      if (call.options.to_pipe) return MakeLiveAnswers(call, job);
      if (job.command.has_collect()) {
        return call.options.estimate ? MakeEstimateAnswers(call, job)
                                     : MakeCollectAnswers(call, job);
      }
      return job.command.has_cat() ? MakeCatAnswers(call, job) : MakeGetAnswers(call, job);
    case sdk::OutputFormat::kNone: break;
  }
  return MakePlainAnswers(call, job);
}

}  // namespace

sdk::OutputFormat OutputOf(const pb::Command& command) {
  switch (command.verb_case()) {
    case pb::Command::kQuery:
    case pb::Command::kLs:
    case pb::Command::kStat:
    case pb::Command::kHash:
    case pb::Command::kPs:
    case pb::Command::kFind:
    case pb::Command::kMkdir:
    case pb::Command::kCp:
    case pb::Command::kMv:
    case pb::Command::kRm:
    case pb::Command::kScan:
    case pb::Command::kKill: return sdk::OutputFormat::kRows;
    case pb::Command::kTail:
    case pb::Command::kRun:
    case pb::Command::kExec: return sdk::OutputFormat::kStdio;
    case pb::Command::kArchive:
    case pb::Command::kMemdump:
    case pb::Command::kCapture:
    case pb::Command::kCollect:
    case pb::Command::kCat:
    case pb::Command::kGet: return sdk::OutputFormat::kBytes;
    default: return sdk::OutputFormat::kNone;
  }
}

bool EndsWithUs(const Call& call, const pb::Command& command) {
  return call.shell != nullptr || command.tail().follow() || call.options.to_pipe;
}

namespace {

void SayItGoesOn(const Call& call, const Job& job) {
  call.console.Say("job " + job.short_id() + " goes on. Its answers: holdfast results " +
                   job.short_id() + ". To end it: holdfast cancel " + job.short_id());
}

}  // namespace

int FollowJob(const Call& call, sdk::Client& client, const Job& job) {
  const auto answers = MakeAnswers(call, job);
  if (call.options.wait && call.options.wait->count() == 0) {
    const bool is_asked = call.shell == nullptr;  // the console says so in its own way
    if (is_asked && call.options.format == Format::kTable) call.console.Out(job.id() + "\n");
    answers->Close(/*all_ended=*/false);
    if (is_asked) SayItGoesOn(call, job);
    return answers->ExitStatus();
  }
  sdk::Client::FollowOptions options;
  options.output = OutputOf(job.command) == sdk::OutputFormat::kNone
                       ? sdk::ResultTracker::Output::kUnwanted
                       : sdk::ResultTracker::Output::kWanted;
  options.wait = call.options.wait;
  if (call.console.err_is_terminal()) options.tick = kTick;
  std::vector<AgentId> signed_targets;
  for (const auto& target : job.targets) signed_targets.push_back(target.id);
  auto followed = client.Follow(job.digest, signed_targets, options, *answers);
  if (!followed.ok()) {
    call.console.Progress("");
    answers->SayHeld();
    const bool is_read = call.console.out_works();  // not so behind `| head`, which is no mishap
    const bool cancelled = followed.error().code == Code::kCancelled;
    if (!cancelled && is_read) call.console.Say(followed.error().message);
    const bool may_go_on =
        is_read ? !cancelled || !EndsWithUs(call, job.command) || Interrupt::wants_leave()
                : job.command.has_exec() || job.command.has_run();
    if (may_go_on) SayItGoesOn(call, job);
    return ExitStatusFor(followed.error().code);
  }
  const bool all_ended = followed.value() == sdk::Client::Followed::kFinished;
  answers->Close(all_ended);
  if (!all_ended) SayItGoesOn(call, job);
  return answers->ExitStatus();
}

}  // namespace holdfast::cli
