// holdfast agents, agents rm, enrol token
#include <algorithm>
#include <utility>

#include "backend/cli/commands.h"
#include "backend/cli/duration_text.h"
#include "backend/cli/host_names.h"
#include "backend/cli/json_text.h"
#include "backend/cli/listings.h"
#include "backend/cli/record_printer.h"
#include "backend/cli/time_text.h"
#include "backend/sdk/clock.h"
#include "common/bundle/bundle_text.h"

namespace holdfast::cli {
namespace {

namespace api = ::holdfast::api::v1;

Cell LabelCell(const api::Agent& agent) {
  JsonObject object;
  std::string text;
  for (const auto& label : agent.labels()) {
    object.Text(label.key(), label.value());
    text += (text.empty() ? "" : " ") + label.key() + "=" + label.value();
  }
  return Cell::Json(object.str(), text);
}

std::string Ago(std::uint64_t at_ms, WallTime now) {
  if (at_ms == 0) return "never";
  if (at_ms >= now.get()) return "now";
  return FormatDuration(Duration(static_cast<std::int64_t>(now.get() - at_ms))) + " ago";
}

using Fit = TextTable::Fit;

void PrintTable(const Call& call, const std::vector<api::Agent>& agents, WallTime now) {
  RecordPrinter printer(call.console, Format::kTable,
                        {{"id"},
                         {"hostname"},
                         {"state"},
                         {"last seen"},
                         {"os", true, Fit::kWraps, 1},
                         {"arch", true, Fit::kWhole, 3},
                         {"version", true, Fit::kWhole, 2},
                         {"labels", true, Fit::kWraps}});
  for (const auto& agent : agents) {
    const auto id = AgentId::From(agent.id()).value_or(AgentId());
    const char* state = agent.clone_suspected() ? "CLONED?" : agent.online() ? "online" : "offline";
    printer.Add({Cell::Text(id.hex().substr(0, 12)), Cell::Text(agent.facts().hostname()),
                 Cell::Text(state),
                 Cell::Text(agent.online() ? "now" : Ago(agent.last_seen_ms(), now)),
                 Cell::Text(agent.facts().os()), Cell::Text(agent.facts().arch()),
                 Cell::Text(agent.facts().version()), LabelCell(agent)});
  }
  printer.Finish();
}

void PrintRecords(const Call& call, const std::vector<api::Agent>& agents) {
  RecordPrinter printer(call.console, call.options.format,
                        {{"id"},
                         {"hostname"},
                         {"online"},
                         {"last_seen"},
                         {"version"},
                         {"os"},
                         {"arch"},
                         {"labels"},
                         {"kernel"},
                         {"privileged"},
                         {"address"},
                         {"enrolled"},
                         {"epoch"},
                         {"open_commands"},
                         {"clone_suspected"}});
  for (const auto& agent : agents) {
    const auto id = AgentId::From(agent.id()).value_or(AgentId());
    const auto& facts = agent.facts();
    printer.Add({Cell::Text(id.hex()), Cell::Text(facts.hostname()), Cell::Bool(agent.online()),
                 Cell::Time(agent.last_seen_ms()), Cell::Text(facts.version()),
                 Cell::Text(facts.os()), Cell::Text(facts.arch()), LabelCell(agent),
                 Cell::Text(facts.kernel()), Cell::Bool(facts.privileged()),
                 Cell::Text(agent.address()), Cell::Time(agent.enrolled_ms()),
                 Cell::Count(agent.epoch()), Cell::Count(agent.open_commands()),
                 Cell::Bool(agent.clone_suspected())});
  }
  printer.Finish();
}

Status CheckLabels(const std::vector<std::string>& labels) {
  for (const auto& label : labels) {
    const std::size_t equals = label.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Error{Code::kInvalid, "'" + label + "' is not of the form K=V"};
    }
  }
  return Ok();
}

}  // namespace

void PrintAgents(const Call& call, const std::vector<api::Agent>& agents, WallTime now) {
  if (call.options.format == Format::kTable) {
    PrintTable(call, agents, now);
  } else {
    PrintRecords(call, agents);
  }
}

int RunAgents(const Call& call) {
  Status labels = CheckLabels(call.options.labels);
  if (!labels.ok()) return call.console.Fail(labels.error());
  auto session = OpenSession(call);
  if (!session.ok()) return call.console.Fail(session.error());
  api::ListAgents filter;
  filter.set_online_only(call.options.online);
  for (const auto& label : call.options.labels) filter.add_labels(label);
  auto agents = session.value()->client->Agents(std::move(filter));
  if (!agents.ok()) return call.console.Fail(agents.error());
  PrintAgents(call, agents.value(), sdk::WallNow());
  return kExitOk;
}

int RunAgentsRemove(const Call& call) {
  auto terms = sdk::ParseTargets(call.options.target);
  if (!terms.ok()) return call.console.Fail(terms.error());
  auto session = OpenSession(call);
  if (!session.ok()) return call.console.Fail(session.error());
  sdk::Client& client = *session.value()->client;
  auto targets = client.ResolveTargets(terms.value());
  if (!targets.ok()) return call.console.Fail(targets.error());
  const auto hosts = ShownHosts(targets.value());
  if (!call.options.yes) {
    std::string list;
    for (const auto& [id, host] : hosts) list += "  " + id.hex() + "  " + host + "\n";
    call.console.SayPlain("Remove for good, with no way back but a new enrolment:\n" + list);
    if (!call.console.in_is_terminal() || !call.console.Confirm("Remove?")) {
      call.console.Say("nothing was removed (--yes removes without asking)");
      return kExitRefused;
    }
  }
  for (const auto& target : targets.value()) {
    Status removed = client.RemoveAgent(target.id);
    if (!removed.ok()) return call.console.Fail(std::move(removed).error().In(hosts.at(target.id)));
    call.console.Out("removed " + target.id.hex() + "  " + hosts.at(target.id) + "\n");
  }
  return kExitOk;
}

int RunEnrolToken(const Call& call) {
  constexpr Duration kDefaultTtl = std::chrono::hours(24);
  Status labels = CheckLabels(call.options.labels);
  if (!labels.ok()) return call.console.Fail(labels.error());
  auto session = OpenSession(call);
  if (!session.ok()) return call.console.Fail(session.error());
  api::CreateToken request;
  request.set_uses(call.options.uses);
  request.set_ttl_ms(static_cast<std::uint64_t>(call.options.ttl.value_or(kDefaultTtl).count()));
  for (const auto& text : call.options.labels) {
    const std::size_t equals = text.find('=');
    auto* label = request.add_labels();
    label->set_key(text.substr(0, equals));
    label->set_value(text.substr(equals + 1));
  }
  auto bundle = session.value()->client->CreateToken(request);
  if (!bundle.ok()) return call.console.Fail(bundle.error());
  call.console.Out(FormatBundle(bundle.value()));
  call.console.Say("this bundle lets in " + std::to_string(call.options.uses) +
                   (call.options.uses == 1 ? " endpoint" : " endpoints") + " until " +
                   FormatTime(WallTime(bundle.value().token_expires_ms())) +
                   "; it is a secret. Use: holdfast-agent enrol --bundle FILE");
  return call.console.out_works() ? kExitOk : kExitFailed;
}

}  // namespace holdfast::cli
