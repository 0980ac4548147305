// holdfast verify: whether a collection is what its agent signed; offline.
#include <string>
#include <utility>
#include <vector>

#include "backend/cli/collection_check.h"
#include "backend/cli/commands.h"
#include "backend/cli/job.h"
#include "backend/cli/json_text.h"
#include "backend/cli/size_text.h"
#include "backend/cli/time_text.h"
#include "common/base/untrusted.h"

namespace holdfast::cli {
namespace {

using Signer = CheckedCollection::Signer;

const char* SignerWord(Signer signer) {
  switch (signer) {
    case Signer::kUnknown: return "unknown";
    case Signer::kByItself: return "not vouched for";
    case Signer::kOfThisFleet: return "of this fleet";
  }
  return "";
}

std::string SignerText(const CheckedCollection& checked) {
  const std::string who = ForTerminal(Untrusted(checked.operator_id));
  switch (checked.signer) {
    case Signer::kUnknown: return "not known: the collection has no certificate";
    case Signer::kByItself:
      return who +
             ", by a certificate that nothing here vouches for (--dir of the fleet with its "
             "policy would)";
    case Signer::kOfThisFleet: return who + ", vouched for by the fleet's policy";
  }
  return "";
}

void PrintForPeople(const Call& call, const std::string& path, const CheckedCollection& checked) {
  const auto& totals = checked.totals;
  std::string contents = std::to_string(totals.files) + " files, " +
                         std::to_string(totals.answers) + " answers, " + FormatSize(totals.bytes) +
                         "; " + std::to_string(totals.failed) + " not whole, " +
                         std::to_string(totals.left_out) + " left out, " +
                         std::to_string(totals.unstable) + " UNSTABLE";
  std::string outcome = OutcomeName(checked.result.outcome());
  if (!checked.result.message().empty()) {
    outcome += ": " + ForTerminal(Untrusted(checked.result.message()));
  }
  call.console.Out(
      ForTerminal(Untrusted(path)) + ": all of it is what the agent signed\n" + "  agent      " +
      checked.agent + "  (it calls itself " + ForTerminal(Untrusted(checked.hostname)) +
      ")\n  fleet      " + checked.fleet + "\n  operator   " + SignerText(checked) +
      "\n  job        " + checked.job + "\n  collected  " +
      FormatTime(WallTime(checked.result.started_at_ms())) + " to " +
      FormatTime(WallTime(checked.result.ended_at_ms())) + "\n  outcome    " + outcome +
      (checked.complete ? "" : "\n  INCOMPLETE: not all that was signed was gone through") +
      "\n  contents   " + contents + "\n  manifest   " + checked.manifest_sha256 + "\n");
}

std::string JsonOf(const std::string& path, const CheckedCollection& checked) {
  JsonObject object;
  object.Text("path", path).Bool("verified", true).Raw("problem", "null");
  object.Text("agent_id", checked.agent).Text("hostname", checked.hostname);
  object.Text("fleet_id", checked.fleet).Text("job", checked.job);
  object.Text("operator", checked.operator_id).Text("signer", SignerWord(checked.signer));
  object.Text("started", FormatRfc3339(WallTime(checked.result.started_at_ms())));
  object.Text("ended", FormatRfc3339(WallTime(checked.result.ended_at_ms())));
  object.Text("outcome", OutcomeName(checked.result.outcome()));
  object.Text("message", checked.result.message()).Bool("complete", checked.complete);
  AddTotals(checked.totals, object);
  object.Text("manifest_sha256", checked.manifest_sha256);
  return object.str();
}

}  // namespace

int RunVerify(const Call& call) {
  // A fleet that was named must be there; one that is only the default need not be.
  auto fleet = ChooseFleet(call.options);
  const bool is_named = !call.options.dir.empty() || !call.options.profile.empty();
  if (!fleet.ok() && is_named) return call.console.Fail(fleet.error());
  const sdk::Fleet* whose = fleet.ok() ? &fleet.value() : nullptr;
  const bool wants_json =
      call.options.format == Format::kJson || call.options.format == Format::kJsonl;
  const std::string& path = call.options.local_file;
  const auto checked = CheckCollection(call.crypto, path, whose);
  if (!checked.ok()) {
    if (wants_json) {
      JsonObject object;
      object.Text("path", path).Bool("verified", false).Text("problem", checked.error().message);
      call.console.Out(object.str() + "\n");
    }
    call.console.Say((checked.error().code == Code::kCorrupt ? "ALTERED: " : "") +
                     checked.error().message);
    return kExitFailed;
  }
  if (wants_json) {
    call.console.Out(JsonOf(path, checked.value()) + "\n");
  } else {
    PrintForPeople(call, path, checked.value());
  }
  return kExitOk;
}

}  // namespace holdfast::cli
