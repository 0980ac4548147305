// holdfast update plan|start|status|halt: which endpoints get a release, ring by ring.
//
// `start` signs every ring at once and is done: the backend holds each ring back until the one before has gone well, so
// nothing has to stay open here.
#include <algorithm>
#include <set>
#include <utility>

#include "backend/cli/commands.h"
#include "backend/cli/host_names.h"
#include "backend/cli/record_printer.h"
#include "backend/cli/rollout.h"
#include "backend/cli/size_text.h"
#include "backend/cli/time_text.h"
#include "backend/sdk/clock.h"
#include "backend/sdk/rings.h"
#include "backend/sdk/targets.h"
#include "backend/sdk/update_files.h"
#include "common/base/untrusted.h"

namespace holdfast::cli {
namespace {

namespace api = ::holdfast::api::v1;
namespace pb = ::holdfast::command::v1;

constexpr std::size_t kMaxAfter = 512;  // command.proto, UpdateArgs
// A certificate lives 24 h at most.
constexpr Duration kLongestCertLeft = sdk::kMaxCertTtl - std::chrono::minutes(30);

struct Plan {
  sdk::LoadedRelease release;
  sign::TrustedPolicy policy;
  std::vector<sdk::Ring> rings;
};

// Every agent that the words mean.
Result<std::vector<api::Agent>> AgentsMeant(const Call& call, sdk::Client& client) {
  const std::string words = call.options.target.empty() ? "all" : call.options.target;
  HF_ASSIGN_OR_RETURN(const auto terms, sdk::ParseTargets(words));
  HF_ASSIGN_OR_RETURN(const auto all, client.Agents({}));
  std::set<std::string> meant;
  std::vector<api::Agent> agents;
  for (const auto& term : terms) {
    HF_ASSIGN_OR_RETURN(const auto targets, sdk::SelectTargets(term, all));
    for (const auto& target : targets) meant.insert(target.id.str());
  }
  for (const auto& agent : all) {
    if (meant.contains(agent.id())) agents.push_back(agent);
  }
  return agents;
}

Result<Plan> MakePlan(const Call& call, Session& session) {
  Plan plan;
  const WallTime now = sdk::WallNow();
  HF_ASSIGN_OR_RETURN(plan.policy, sdk::LoadPolicy(call.crypto, session.fleet, now));
  HF_ASSIGN_OR_RETURN(plan.release, sdk::LoadRelease(call.crypto, session.fleet, plan.policy,
                                                     call.options.path, now));
  HF_ASSIGN_OR_RETURN(const auto agents, AgentsMeant(call, *session.client));
  plan.rings = sdk::PlanRings(call.crypto, agents, plan.release.release.version());
  return plan;
}

std::string Counted(std::size_t count, const std::string& one) {
  return std::to_string(count) + " " + one + (count == 1 ? "" : "s");
}

void SayRings(const Call& call, const Plan& plan) {
  std::size_t total = 0;
  for (const auto& ring : plan.rings) total += ring.size();
  std::string text = "release " + plan.release.release.version() + " for " +
                     Counted(total, "agent") + ", " + Counted(plan.rings.size(), "ring") + ":\n";
  for (std::size_t i = 0; i < plan.rings.size(); ++i) {
    std::string names;
    constexpr std::size_t kShown = 5;
    for (std::size_t j = 0; j < plan.rings[i].size() && j < kShown; ++j) {
      names += (j == 0 ? "" : ", ") + ForTerminal(Untrusted(plan.rings[i][j].hostname));
    }
    if (plan.rings[i].size() > kShown) names += ", ...";
    text += "  ring " + std::to_string(i + 1) + "  " + Counted(plan.rings[i].size(), "agent") +
            ": " + names + "\n";
  }
  call.console.SayPlain(text);
}

int NothingToDo(const Call& call, const Plan& plan) {
  call.console.Say("nobody is meant who does not run " + plan.release.release.version() +
                   " already");
  return kExitOk;
}

// --- start ---------------------------------------------------------------------------------------

// The class that the certificate has for it, and how many one command may name.
struct UpdateClass {
  std::string id;
  std::size_t max_targets = 1;
};
Result<UpdateClass> ClassFor(const Plan& plan, const pb::OperatorCert& cert) {
  const auto& held = cert.classes();
  const auto lists = [](const pb::VerbClass& c, std::string_view verb) {
    return std::find(c.verbs().begin(), c.verbs().end(), verb) != c.verbs().end();
  };
  // A policy from before there were updates: common/sign/chain.cc has the rule.
  for (const std::string_view verb : {"update", "exec"}) {
    for (const auto& c : plan.policy.policy.classes()) {
      const bool is_held = std::find(held.begin(), held.end(), c.class_id()) != held.end();
      if (!is_held || !lists(c, verb)) continue;
      return UpdateClass{c.class_id(), std::min<std::size_t>(c.max_targets(), sdk::kMaxTargets)};
    }
  }
  return Error{Code::kDenied, "the operator's certificate has no class that may update agents"};
}

Result<std::vector<pb::Blob>> UploadPrograms(const Call& call, const Plan& plan,
                                             sdk::Client& client) {
  std::vector<pb::Blob> blobs;
  for (const auto& file : plan.release.release.files()) {
    const auto progress = [&](std::uint64_t done, std::uint64_t all) {
      call.console.Progress("sending " + FormatSize(done) + " of " + FormatSize(all));
    };
    auto sent = client.UploadFile(plan.release.ProgramPath(file.arch()), progress);
    call.console.Progress("");
    if (!sent.ok()) return std::move(sent).error();
    pb::Blob blob;
    blob.set_sha256(sent.value().sha256.str());
    blob.set_size(sent.value().size);
    blobs.push_back(std::move(blob));
  }
  return blobs;
}

pb::UpdateArgs ArgsOf(const Call& call, const Plan& plan) {
  const UpdateOptions& o = call.options.update;
  const auto ms = [](const std::optional<Duration>& d) {
    return d ? static_cast<std::uint64_t>(d->count()) : 0;
  };
  pb::UpdateArgs args;
  args.set_root(plan.release.root_envelope);
  args.set_release(plan.release.envelope);
  args.set_hold_ms(ms(o.hold));
  args.set_link_ms(ms(o.link));
  args.set_silent_ms(ms(o.silent));
  return args;
}

struct Order {
  const Plan& plan;
  UpdateClass update_class;
  sdk::Operator who;
  std::vector<pb::Blob> blobs;
  sdk::SignRequest request;
};

// The commands of all rings, each ring naming those of the one before.
Result<std::vector<sdk::SignedCommand>> SignRings(const Call& call, Order& order) {
  pb::UpdateArgs args = ArgsOf(call, order.plan);
  std::vector<sdk::SignedCommand> commands;
  for (const sdk::Ring& ring : order.plan.rings) {
    std::vector<std::string> digests;
    for (std::size_t at = 0; at < ring.size(); at += order.update_class.max_targets) {
      const std::size_t end = std::min(ring.size(), at + order.update_class.max_targets);
      order.request.targets.clear();
      for (std::size_t i = at; i < end; ++i) order.request.targets.push_back(ring[i].id);
      sdk::Verb verb = sdk::Verb::Update(args, order.blobs);
      verb.class_id = order.update_class.id;
      HF_ASSIGN_OR_RETURN(auto command,
                          sdk::SignCommand(call.crypto, order.who, verb, order.request));
      digests.push_back(command.digest.str());
      commands.push_back(std::move(command));
    }
    if (digests.size() > kMaxAfter) {
      return Error{Code::kInvalid, "a ring of more than " + std::to_string(kMaxAfter) +
                                       " commands; name fewer targets"};
    }
    args.clear_after();
    for (auto& digest : digests) args.add_after(std::move(digest));
  }
  return commands;
}

Status Start(const Call& call, Session& session, const Plan& plan) {
  HF_ASSIGN_OR_RETURN(const UpdateClass update_class, ClassFor(plan, session.who.cert));
  HF_ASSIGN_OR_RETURN(auto blobs, UploadPrograms(call, plan, *session.client));
  const Duration ttl = call.options.ttl.value_or(sdk::kUpdateTtl);
  HF_ASSIGN_OR_RETURN(auto ready,
                      sdk::EnsureOperator(call.crypto, session.fleet, session.who.name,
                                          std::min(ttl, kLongestCertLeft), sdk::WallNow()));
  Order order{plan, update_class, std::move(ready.who), std::move(blobs), {}};
  order.request.fleet_id = session.fleet.toml.id;
  order.request.ttl = ttl;
  order.request.case_id = call.options.case_id;
  order.request.reason = call.options.reason;
  order.request.now = sdk::WallNow();  // the same for all: it is what makes them one rollout
  HF_ASSIGN_OR_RETURN(const auto commands, SignRings(call, order));
  // The last need the first: what is cut off in between is a rollout that ends early.
  for (const auto& command : commands) HF_TRY(session.client->Submit(command));
  call.console.Say(
      "ordered until " + FormatTime(commands.front().not_after) +
      "; the backend goes from ring to ring by itself. See: holdfast update status; to "
      "end it: holdfast update halt");
  return Ok();
}

bool AgreedTo(const Call& call, const Plan& plan) {
  if (call.options.yes) return true;
  SayRings(call, plan);
  if (!call.console.in_is_terminal()) {
    call.console.Say("there is nobody to ask; --yes does it without asking");
    return false;
  }
  return call.console.Confirm("Sign and send it?");
}

}  // namespace

int RunUpdatePlan(const Call& call) {
  auto session = OpenSession(call);
  if (!session.ok()) return call.console.Fail(session.error());
  auto plan = MakePlan(call, *session.value());
  if (!plan.ok()) return call.console.Fail(plan.error());
  RecordPrinter printer(call.console, call.options.format,
                        {{"ring"},
                         {"agent_id", false},
                         {"hostname"},
                         {"arch", true, TextTable::Fit::kWhole, 1},
                         {"version"},
                         {"online"}});
  for (std::size_t i = 0; i < plan.value().rings.size(); ++i) {
    for (const auto& agent : plan.value().rings[i]) {
      printer.Add({Cell::Count(i + 1), Cell::Text(agent.id.hex()), Cell::Text(agent.hostname),
                   Cell::Text(agent.arch), Cell::Text(agent.version), Cell::Bool(agent.online)});
    }
  }
  printer.Finish();
  if (plan.value().rings.empty()) return NothingToDo(call, plan.value());
  if (call.options.format == Format::kTable) SayRings(call, plan.value());
  return kExitOk;
}

int RunUpdateStart(const Call& call) {
  auto session = OpenSession(call);
  if (!session.ok()) return call.console.Fail(session.error());
  auto plan = MakePlan(call, *session.value());
  if (!plan.ok()) return call.console.Fail(plan.error());
  if (plan.value().rings.empty()) return NothingToDo(call, plan.value());
  if (!AgreedTo(call, plan.value())) {
    call.console.Say("nothing was sent");
    return kExitRefused;
  }
  const Status started = Start(call, *session.value(), plan.value());
  return started.ok() ? kExitOk : call.console.Fail(started.error());
}

int RunUpdateStatus(const Call& call) {
  auto session = OpenSession(call);
  if (!session.ok()) return call.console.Fail(session.error());
  auto last = LastRollout(call.crypto, *session.value()->client, sdk::WallNow());
  if (!last.ok()) return call.console.Fail(last.error());
  const Rollout& rollout = last.value();
  RecordPrinter printer(call.console, call.options.format,
                        {{"version"},
                         {"ring"},
                         {"agents"},
                         {"updated"},
                         {"rolled_back"},
                         {"failed", true, TextTable::Fit::kWhole, 2},
                         {"silent"},
                         {"under_way", true, TextTable::Fit::kWhole, 1},
                         {"waiting"},
                         {"state"}});
  bool is_good = true;
  for (std::size_t i = 0; i < rollout.rings.size(); ++i) {
    const RingStanding& ring = rollout.rings[i];
    const bool has_ended = ring.waiting + ring.silent + ring.under_way == 0;
    const char* state = ring.halted                    ? "halted"
                        : ring.held                    ? "held back"
                        : !has_ended                   ? "under way"
                        : ring.updated == ring.targets ? "done"
                                                       : "ended";
    is_good = is_good && ring.rolled_back + ring.failed + ring.silent == 0;
    printer.Add({Cell::Text(rollout.version), Cell::Count(i + 1), Cell::Count(ring.targets),
                 Cell::Count(ring.updated), Cell::Count(ring.rolled_back), Cell::Count(ring.failed),
                 Cell::Count(ring.silent), Cell::Count(ring.under_way), Cell::Count(ring.waiting),
                 Cell::Text(state)});
  }
  printer.Finish();
  return is_good ? kExitOk : kExitFailed;
}

int RunUpdateHalt(const Call& call) {
  auto session = OpenSession(call);
  if (!session.ok()) return call.console.Fail(session.error());
  sdk::Client& client = *session.value()->client;
  auto last = LastRollout(call.crypto, client, sdk::WallNow());
  if (!last.ok()) return call.console.Fail(last.error());
  std::size_t ended = 0;
  // The last rings first: none of them is let go by the end of the one before.
  auto& jobs = last.value().jobs;
  for (auto entry = jobs.rbegin(); entry != jobs.rend(); ++entry) {
    if (entry->open.empty()) continue;
    sdk::SignRequest request;
    request.fleet_id = session.value()->fleet.toml.id;
    request.now = sdk::WallNow();
    request.case_id = call.options.case_id;
    request.reason = call.options.reason;
    for (const auto& target : entry->open) request.targets.push_back(target.id);
    auto command = sdk::SignCommand(call.crypto, session.value()->who,
                                    sdk::Verb::Cancel(entry->job.digest), request);
    if (!command.ok()) return call.console.Fail(command.error());
    if (auto sent = client.Submit(command.value()); !sent.ok()) {
      return call.console.Fail(sent.error());
    }
    ended += entry->open.size();
  }
  call.console.Say(ended == 0 ? "the rollout of " + last.value().version + " has ended already"
                              : "the rollout of " + last.value().version +
                                    " ends: " + Counted(ended, "agent") +
                                    " had not answered; one that has begun ends its own trial");
  return kExitOk;
}

}  // namespace holdfast::cli
