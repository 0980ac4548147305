// holdfast collect --list, collect --show, and what is signed for collect.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "backend/cli/collect_words.h"
#include "backend/cli/record_printer.h"
#include "common/base/untrusted.h"

namespace holdfast::cli {
namespace {

namespace pb = ::holdfast::command::v1;
constexpr std::size_t kShownComplaints = 20;

template <typename Texts>
std::string Joined(const Texts& texts) {
  std::string out;
  for (const auto& text : texts) out += (out.empty() ? "" : " ") + std::string(text);
  return out;
}

RecordColumn Wrapping(const std::string& name) { return {name, true, TextTable::Fit::kWraps}; }

int List(const Call& call) {
  auto set = LoadArtifacts(call);
  if (!set.ok()) return call.console.Fail(set.error());
  RecordPrinter printer(call.console, call.options.format,
                        {{"name"},
                         {"aliases", true, TextTable::Fit::kWhole, 1},
                         Wrapping("what"),
                         {"origin", false}});
  for (const sdk::ArtifactDefinition* definition : set.value().All()) {
    const auto is_for_linux = [](const sdk::ArtifactSource& source) {
      return source.for_linux && source.type != sdk::ArtifactSource::Type::kForeign;
    };
    if (!definition->for_linux || std::ranges::none_of(definition->sources, is_for_linux)) continue;
    printer.Add({Cell::Text(definition->name), Cell::Text(Joined(definition->aliases)),
                 Cell::Text(definition->summary()), Cell::Text(definition->origin)});
  }
  printer.Finish();
  return kExitOk;
}

// What would be signed, source by source.
int Show(const Call& call) {
  auto set = LoadArtifacts(call);
  if (!set.ok()) return call.console.Fail(set.error());
  auto plan = PlanOf(set.value(), call.options, {call.options.show});
  if (!plan.ok()) return call.console.Fail(plan.error());
  const sdk::ArtifactDefinition* definition = set.value().Find(call.options.show);
  if (call.options.format == Format::kTable && definition != nullptr) {
    call.console.Out(ForTerminal(Untrusted(definition->name)) + " (" +
                     ForTerminal(Untrusted(definition->origin)) + ")\n");
    std::string doc = definition->doc;
    for (std::size_t from = 0; from < doc.size();) {
      const std::size_t end = std::min(doc.find('\n', from), doc.size());
      call.console.Out("  " + ForTerminal(Untrusted(doc.substr(from, end - from))) + "\n");
      from = end + 1;
    }
    call.console.Out("\n");
  }
  RecordPrinter printer(call.console, call.options.format,
                        {{"source"}, {"kind"}, {"what", true, TextTable::Fit::kFlows}});
  for (const pb::CollectSource& source : plan.value().args.sources()) {
    const auto add = [&](const char* kind, const std::string& what) {
      printer.Add({Cell::Text(source.name()), Cell::Text(kind), Cell::Text(what)});
    };
    if (!source.sql().empty()) add("query", source.sql());
    if (source.argv_size() > 0) add("program", Joined(source.argv()));
    for (const auto& path : source.paths()) add(source.facts_only() ? "location" : "file", path);
  }
  printer.Finish();
  for (const auto& note : plan.value().notes) call.console.Say(note);
  return kExitOk;
}

// The files' facts alone: what it takes to count them.
Result<sdk::Verb> MakeEstimate(const Call& call, const pb::CollectArgs& planned) {
  pb::CollectArgs args = planned;
  args.clear_sources();
  for (const pb::CollectSource& source : planned.sources()) {
    if (source.paths().empty()) continue;
    pb::CollectSource& facts = *args.add_sources();
    facts = source;
    facts.set_facts_only(true);
  }
  const int others = planned.sources_size() - args.sources_size();
  if (args.sources().empty()) {
    return Error{Code::kInvalid, "--estimate counts files, and these names stand for none"};
  }
  if (others > 0) {
    call.console.Say("files only; " + std::to_string(others) +
                     " queries and programs are not counted");
  }
  return sdk::Verb::Collect(args);
}

}  // namespace

Result<sdk::ArtifactSet> LoadArtifacts(const Call& call) {
  sdk::ArtifactSet set;
  sdk::AddBuiltIn(set);
  for (const std::string& directory : call.options.definitions) {
    HF_TRY(sdk::AddDirectory(directory, set));
  }
  const auto& complaints = set.complaints();
  for (std::size_t i = 0; i < complaints.size() && i < kShownComplaints; ++i) {
    call.console.Say(complaints[i]);
  }
  if (complaints.size() > kShownComplaints) {
    call.console.Say("and " + std::to_string(complaints.size() - kShownComplaints) +
                     " more definitions that cannot be used");
  }
  return set;
}

Result<sdk::CollectPlan> PlanOf(const sdk::ArtifactSet& set, const Options& options,
                                const std::vector<std::string>& names) {
  sdk::CollectRequest request;
  request.names = names;
  request.paths = options.paths;
  if (options.run_programs) request.programs = sdk::CollectRequest::Programs::kRun;
  HF_ASSIGN_OR_RETURN(sdk::CollectPlan plan, sdk::PlanCollection(set, request));
  plan.args.set_max_file_bytes(options.max_file_bytes);
  plan.args.set_max_bytes(options.max_bytes);
  plan.args.set_max_files(options.max_files);
  return plan;
}

Result<sdk::Verb> MakeCollect(const Call& call) {
  HF_ASSIGN_OR_RETURN(const sdk::ArtifactSet set, LoadArtifacts(call));
  HF_ASSIGN_OR_RETURN(const sdk::CollectPlan plan, PlanOf(set, call.options, call.options.names));
  for (const auto& note : plan.notes) call.console.Say(note);
  if (call.options.estimate) return MakeEstimate(call, plan.args);
  return sdk::Verb::Collect(plan.args);
}

int RunCollect(const Call& call) {
  if (call.options.list) return List(call);
  if (!call.options.show.empty()) return Show(call);
  if (call.options.target.empty() || (call.options.names.empty() && call.options.paths.empty())) {
    call.console.Say(
        "collect needs a target and names: holdfast collect TARGET triage; what there is: "
        "holdfast collect --list");
    return kExitUsage;
  }
  return RunRead(call);
}

}  // namespace holdfast::cli
