// holdfast jobs, job, results, pending
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "backend/cli/duration_text.h"
#include "backend/cli/job.h"
#include "backend/cli/json_text.h"
#include "backend/cli/listings.h"
#include "backend/cli/size_text.h"
#include "backend/cli/time_text.h"
#include "backend/cli/why_open.h"
#include "backend/sdk/clock.h"
#include "common/base/bytes.h"
#include "common/base/untrusted.h"

namespace holdfast::cli {
namespace {

namespace api = ::holdfast::api::v1;
namespace pb = ::holdfast::command::v1;
constexpr std::size_t kShortJob = 12;  // digits of a job's id in tables: enough to ask for it

std::string Standing(const api::CommandSummary& job) {
  if (job.ended() < job.targets()) {
    return std::to_string(job.ended()) + " of " + std::to_string(job.targets()) + " ended";
  }
  if (job.succeeded() == job.targets()) return "done";
  return std::to_string(job.targets() - job.succeeded()) + " of " + std::to_string(job.targets()) +
         " failed";
}

}  // namespace

void PrintJobs(const Call& call, const std::vector<api::CommandSummary>& jobs) {
  using Fit = TextTable::Fit;
  if (call.options.format == Format::kTable) {
    RecordPrinter printer(call.console, Format::kTable,
                          {{"job"},
                           {"accepted (UTC)"},
                           {"operator", true, Fit::kWhole, 1},
                           {"verb", true, Fit::kWhole, 2},  // the detail begins with it
                           {"state"},
                           {"detail", true, Fit::kWraps}});
    for (const auto& job : jobs) {
      const std::string at = FormatTime(WallTime(job.accepted_ms()));
      printer.Add({Cell::Text(ToHex(job.digest()).substr(0, kShortJob)),
                   Cell::Text(at.substr(0, at.rfind(' '))), Cell::Text(job.operator_id()),
                   Cell::Text(job.verb()), Cell::Text(Standing(job)), Cell::Text(job.detail())});
    }
    printer.Finish();
    return;
  }
  RecordPrinter printer(call.console, call.options.format,
                        {{"job"},
                         {"verb"},
                         {"operator"},
                         {"accepted"},
                         {"not_after"},
                         {"targets"},
                         {"ended"},
                         {"succeeded"},
                         {"detail"}});
  for (const auto& job : jobs) {
    printer.Add({Cell::Text(ToHex(job.digest())), Cell::Text(job.verb()),
                 Cell::Text(job.operator_id()), Cell::Time(job.accepted_ms()),
                 Cell::Time(job.not_after_ms()), Cell::Count(job.targets()),
                 Cell::Count(job.ended()), Cell::Count(job.succeeded()), Cell::Text(job.detail())});
  }
  printer.Finish();
}

namespace {

std::vector<RecordColumn> DeliveryColumns() {
  return {{"agent_id", false},
          {"hostname"},
          {"state"},
          {"outcome"},
          {"failure"},
          {"message"},
          {"accepted"},
          {"sent"},
          {"received"},
          {"started"},
          {"ended"},
          {"sends", false},
          {"stored_bytes", false},
          {"problem"},
          {"offline_since"},
          {"ahead", false},
          {"waits"},
          {"signed", false},
          {"cpu_ms", false},
          {"peak_memory_bytes", false},
          {"disk_read_bytes", false},
          {"disk_written_bytes", false},
          {"files_changed", false},
          {"processes_started", false},
          {"recording_sha256", false},
          {"recording_bytes", false}};
}

// FetchJob has looked that it is one.
Digest DigestOf(const api::CommandDetail& detail) {
  return Digest::From(detail.summary().digest()).value();
}

// How a delivery ended, as far as it can be told here.
struct Told {
  Cell outcome = Cell::Null();
  Cell failure = Cell::Null();
  std::string message;
  std::string problem;
  bool is_signed = false;
  std::optional<pb::Footprint> footprint;
  Cell recording_sha256 = Cell::Null();  // of a terminal
  Cell recording_bytes = Cell::Null();
};

// What the agent signed is checked here too: a backend's word about an outcome is not enough, and
// where the two differ its failure and message count for nothing either.
Told TellEnd(const Call& call, const Digest& digest, const api::Delivery& delivery) {
  Told told;
  if (delivery.state() != api::DELIVERY_STATE_ENDED) return told;
  sdk::TargetEnd end;
  end.delivery = delivery;
  if (!delivery.result_envelope().empty()) {
    auto result = sdk::VerifyResult(call.crypto, digest, delivery);
    if (!result.ok()) {
      told.outcome = Cell::Text("NOT_TRUSTED");
      told.problem = "NOT TRUSTED: " + result.error().message;
      return told;
    }
    end.result = std::move(result).value();
  } else if (!sdk::MayEndUnsigned(delivery.outcome())) {
    // Control leaves out what was signed where the list would be too long: for `results` to check.
    // Or it ended it alone (POISON): its word, and marked as no more than that.
    told.problem = "not verified here; see: holdfast results " + digest.hex().substr(0, kShortJob);
  }
  told.outcome = Cell::Text(OutcomeName(end.outcome()));
  if (end.failure() != pb::COMMAND_FAILURE_UNSPECIFIED) {
    told.failure = Cell::Text(FailureName(end.failure()));
  }
  told.message = end.message();
  if (end.result && end.result->has_footprint()) told.footprint = end.result->footprint();
  told.is_signed = end.is_signed();
  if (end.result && end.result->has_recording()) {
    told.recording_sha256 = Cell::Text(ToHex(end.result->recording().sha256()));
    told.recording_bytes = Cell::Count(end.result->recording().size());
  }
  return told;
}

std::string FootprintText(const pb::Footprint& footprint) {
  const auto counted = [](std::uint64_t count, const char* what) {
    return std::to_string(count) + what + (count == 1 ? "" : "s");
  };
  return FormatDuration(Duration(static_cast<std::int64_t>(footprint.cpu_ms()))) + " of CPU, " +
         FormatSize(footprint.peak_memory_bytes()) + " of memory, " +
         FormatSize(footprint.disk_read_bytes()) + " from disks, " +
         FormatSize(footprint.disk_written_bytes()) + " to them; " +
         counted(footprint.files_changed(), " file") + " changed, " +
         counted(footprint.processes_started(), " program") + " started";
}

std::vector<Cell> DeliveryCells(const api::CommandSummary& job, const api::Delivery& delivery,
                                const Told& told) {
  const bool ended = delivery.state() == api::DELIVERY_STATE_ENDED;
  const bool waits = delivery.has_waiting() && !ended;
  const auto left = [&](std::uint64_t (pb::Footprint::*count)() const) {
    return told.footprint ? Cell::Count(((*told.footprint).*count)()) : Cell::Null();
  };
  return {Cell::Text(ToHex(delivery.agent_id())),
          Cell::Text(delivery.hostname()),
          Cell::Text(StateName(delivery.state())),
          told.outcome,
          told.failure,
          Cell::Text(told.message),
          Cell::Time(delivery.accepted_ms()),
          Cell::Time(delivery.sent_ms()),
          Cell::Time(delivery.received_ms()),
          Cell::Time(delivery.started_ms()),
          Cell::Time(delivery.ended_ms()),
          Cell::Count(delivery.sends()),
          Cell::Count(delivery.stored_bytes()),
          told.problem.empty() ? Cell::Null() : Cell::Text(told.problem),
          Cell::Time(delivery.waiting().offline_since_ms()),
          waits ? Cell::Count(delivery.waiting().ahead()) : Cell::Null(),
          waits ? Cell::Text(WhyOpen(job, delivery)) : Cell::Null(),
          ended ? Cell::Bool(told.is_signed) : Cell::Null(),
          left(&pb::Footprint::cpu_ms),
          left(&pb::Footprint::peak_memory_bytes),
          left(&pb::Footprint::disk_read_bytes),
          left(&pb::Footprint::disk_written_bytes),
          left(&pb::Footprint::files_changed),
          left(&pb::Footprint::processes_started),
          told.recording_sha256,
          told.recording_bytes};
}

std::string DeliveriesJson(const Call& call, const api::CommandDetail& detail) {
  const auto columns = DeliveryColumns();
  const Digest digest = DigestOf(detail);
  JsonArray list;
  for (const auto& delivery : detail.deliveries()) {
    const auto cells = DeliveryCells(detail.summary(), delivery, TellEnd(call, digest, delivery));
    JsonObject object;
    for (std::size_t i = 0; i < columns.size(); ++i) object.Put(columns[i].name, cells[i]);
    list.Add(object.str());
  }
  return list.str();
}

void PrintJobAsJson(const Call& call, const api::CommandDetail& detail) {
  const auto& job = detail.summary();
  JsonObject object;
  object.Text("job", ToHex(job.digest()))
      .Text("verb", job.verb())
      .Text("operator", job.operator_id());
  object.Put("accepted", Cell::Time(job.accepted_ms()));
  object.Put("not_after", Cell::Time(job.not_after_ms()));
  object.Count("targets", job.targets()).Count("ended", job.ended());
  object.Count("succeeded", job.succeeded()).Text("detail", job.detail());
  object.Raw("deliveries", DeliveriesJson(call, detail));
  call.console.Out(object.str() + "\n");
}

// One line a step, each with the time since the one before.
void PrintSteps(const Call& call, const api::Delivery& delivery) {
  const std::pair<const char*, std::uint64_t> steps[] = {{"accepted  ", delivery.accepted_ms()},
                                                         {"sent      ", delivery.sent_ms()},
                                                         {"received  ", delivery.received_ms()},
                                                         {"started   ", delivery.started_ms()},
                                                         {"ended     ", delivery.ended_ms()}};
  std::uint64_t before_ms = 0;
  for (const auto& [name, at_ms] : steps) {
    if (at_ms == 0) continue;
    std::string line = std::string("    ") + name + FormatTime(WallTime(at_ms));
    if (before_ms != 0 && at_ms >= before_ms) {
      line += "  +" + FormatDuration(Duration(static_cast<std::int64_t>(at_ms - before_ms)));
    }
    call.console.Out(line + "\n");
    before_ms = at_ms;
  }
}

// " (2 queued, 1 running)" of what has not ended.
std::string HowFar(const api::CommandDetail& detail) {
  std::map<std::string_view, int> counts;
  for (const auto& delivery : detail.deliveries()) {
    switch (delivery.state()) {
      case api::DELIVERY_STATE_ACCEPTED: ++counts["queued"]; break;
      case api::DELIVERY_STATE_SENT:
      case api::DELIVERY_STATE_RECEIVED: ++counts["on its way"]; break;
      case api::DELIVERY_STATE_STARTED: ++counts["running"]; break;
      case api::DELIVERY_STATE_UNKNOWN: ++counts["unknown"]; break;
      default: break;
    }
  }
  std::string text;
  for (const auto& [name, count] : counts) {
    text += (text.empty() ? " (" : ", ") + std::to_string(count) + " " + std::string(name);
  }
  return text.empty() ? "" : text + ")";
}

void PrintJobForPeople(const Call& call, const api::CommandDetail& detail) {
  const auto& job = detail.summary();
  const Digest digest = DigestOf(detail);
  call.console.Out("job       " + ToHex(job.digest()) + "\nverb      " +
                   ForTerminal(Untrusted(job.verb())) + "  " +
                   ForTerminal(Untrusted(job.detail())) + "\noperator  " +
                   ForTerminal(Untrusted(job.operator_id())) + "\naccepted  " +
                   FormatTime(WallTime(job.accepted_ms())) + ", valid until " +
                   FormatTime(WallTime(job.not_after_ms())) + "\nstate     " + Standing(job) +
                   HowFar(detail) + "\n");
  for (const auto& d : detail.deliveries()) {
    const Told told = TellEnd(call, digest, d);
    const auto cells = DeliveryCells(job, d, told);
    const auto text = [&](std::size_t i) { return ForTerminal(cells[i].text); };
    call.console.Out("\n  " + ToHex(d.agent_id()) + "  " + text(1) + "\n    " + text(2) +
                     (text(3).empty() ? "" : " " + text(3)) +
                     (text(4).empty() || text(4) == text(3) ? "" : " " + text(4)) +
                     (text(5).empty() ? "" : ": " + text(5)) +
                     (text(13).empty() ? "" : "\n    " + text(13)) + "\n");
    PrintSteps(call, d);
    if (told.footprint) call.console.Out("    took      " + FootprintText(*told.footprint) + "\n");
    if (d.sends() > 1) {
      call.console.Out("    sent " + std::to_string(d.sends()) + " times\n");
    }
    if (!text(16).empty()) call.console.Out("    " + text(16) + "\n");
    if (!text(18).empty()) {
      call.console.Out("    recording " + text(19) + " bytes\n      sha256  " + text(18) + "\n");
    }
  }
}

}  // namespace

void PrintJob(const Call& call, const api::CommandDetail& detail) {
  switch (call.options.format) {
    case Format::kTable: PrintJobForPeople(call, detail); break;
    case Format::kJson:
    case Format::kJsonl: PrintJobAsJson(call, detail); break;
    case Format::kCsv: {
      const Digest digest = DigestOf(detail);
      RecordPrinter printer(call.console, Format::kCsv, DeliveryColumns());
      for (const auto& delivery : detail.deliveries()) {
        printer.Add(DeliveryCells(detail.summary(), delivery, TellEnd(call, digest, delivery)));
      }
      printer.Finish();
      break;
    }
  }
}

namespace {

Result<api::CommandDetail> FetchJob(const Call& call, Session& session) {
  HF_ASSIGN_OR_RETURN(auto detail, session.client->Command(call.options.path));
  if (!Digest::From(detail.summary().digest())) {
    return Error{Code::kCorrupt, "the backend names no command"};
  }
  return detail;
}

}  // namespace

int RunJobs(const Call& call) {
  auto session = OpenSession(call);
  if (!session.ok()) return call.console.Fail(session.error());
  api::ListCommands request;
  request.set_limit(call.options.limit);
  request.set_open_only(call.options.open_only);
  auto jobs = session.value()->client->Commands(request);
  if (!jobs.ok()) return call.console.Fail(jobs.error());
  PrintJobs(call, jobs.value());
  return kExitOk;
}

int RunJob(const Call& call) {
  auto session = OpenSession(call);
  if (!session.ok()) return call.console.Fail(session.error());
  auto detail = FetchJob(call, *session.value());
  if (!detail.ok()) return call.console.Fail(detail.error());
  PrintJob(call, detail.value());
  return kExitOk;
}

int RunResults(const Call& call) {
  auto session = OpenSession(call);
  if (!session.ok()) return call.console.Fail(session.error());
  auto detail = FetchJob(call, *session.value());
  if (!detail.ok()) return call.console.Fail(detail.error());
  auto job = ReadJob(call.crypto, detail.value());
  if (!job.ok()) return call.console.Fail(job.error());
  if (job.value().command.has_pty()) {
    call.console.Say(
        "what a terminal showed is sealed; its recording is where it was opened, and on the "
        "endpoint: recordings/" +
        job.value().id() + ".cast of the agent's state directory");
  }
  return FollowJob(call, *session.value()->client, job.value());
}

int RunPending(const Call& call) {
  SessionRef session;
  auto fleet = ChooseFleet(call.options);
  if (!fleet.ok()) return call.console.Fail(fleet.error());
  const sdk::PendingStore store(fleet.value().paths.pending());
  auto commands = store.List(call.crypto);
  if (!commands.ok()) return call.console.Fail(commands.error());
  RecordPrinter printer(call.console, call.options.format,
                        {{"job"}, {"not_after"}, {"state", true, TextTable::Fit::kWraps}});
  const bool is_table = call.options.format == Format::kTable;
  int status = kExitOk;
  for (const auto& command : commands.value()) {
    std::string state = "not known to have arrived";
    if (command.not_after.get() < sdk::WallNow().get()) {
      state = "too late to send; removed";
      if (!store.Remove(command.digest).ok()) state = "too late to send";
    } else if (call.options.send) {
      if (!session) {
        auto opened = OpenSession(call);
        if (!opened.ok()) return call.console.Fail(opened.error());
        session = std::move(opened).value();
      }
      auto submitted = session->client->Submit(command);
      state = submitted.ok() ? "accepted" : submitted.error().message;
      if (!submitted.ok()) status = kExitFailed;
    }
    const std::string id = command.digest.hex();
    printer.Add({Cell::Text(is_table ? id.substr(0, kShortJob) : id),
                 Cell::Text(FormatRfc3339(command.not_after)), Cell::Text(state)});
  }
  printer.Finish();
  return status;
}

}  // namespace holdfast::cli
