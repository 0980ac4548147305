#include "backend/cli/rollout.h"

#include <algorithm>
#include <map>
#include <utility>

#include "common/base/bytes.h"
#include "common/sign/envelope.h"
#include "common/sign/strict.h"

namespace holdfast::cli {
namespace {

namespace api = ::holdfast::api::v1;
namespace pb = ::holdfast::command::v1;

constexpr std::uint32_t kLookedAt = 1000;            // newest commands: a rollout's stand together
constexpr std::uint64_t kDefaultSilentMs = 300'000;  // command.proto, UpdateArgs

std::string VersionOf(const pb::UpdateArgs& args) {
  const auto envelope = sign::ParseEnvelope(args.release(), sign::kReleaseType);
  if (!envelope.ok()) return "?";
  const auto release = sign::ParseRelease(envelope.value().payload());
  return release.ok() ? release.value().version() : "?";
}

void Count(const api::Delivery& delivery, std::uint64_t silent_ms, WallTime now,
           RingStanding& out) {
  ++out.targets;
  switch (delivery.state()) {
    case api::DELIVERY_STATE_ENDED:
      if (delivery.outcome() == pb::OUTCOME_DONE) {
        ++out.updated;
      } else if (delivery.failure() == pb::COMMAND_FAILURE_ROLLED_BACK) {
        ++out.rolled_back;
      } else {
        ++out.failed;
        out.halted = out.halted || delivery.failure() == pb::COMMAND_FAILURE_HALTED ||
                     delivery.failure() == pb::COMMAND_FAILURE_CANCELLED;
      }
      return;
    case api::DELIVERY_STATE_ACCEPTED:
      ++out.waiting;
      out.held = out.held || delivery.waiting().held();
      return;
    default: break;
  }
  const bool is_late = now.get() > delivery.sent_ms() + silent_ms;
  ++(is_late ? out.silent : out.under_way);
}

}  // namespace

Result<Rollout> LastRollout(const sign::Crypto& crypto, sdk::Client& client, WallTime now) {
  api::ListCommands request;
  request.set_limit(kLookedAt);
  HF_ASSIGN_OR_RETURN(const auto commands, client.Commands(request));
  Rollout rollout;
  std::vector<std::pair<Job, api::CommandDetail>> found;
  for (const auto& summary : commands) {
    if (summary.verb() != "update") continue;
    HF_ASSIGN_OR_RETURN(auto detail, client.Command(ToHex(summary.digest())));
    HF_ASSIGN_OR_RETURN(Job job, ReadJob(crypto, detail));
    const std::uint64_t issued = job.command.issued_at_ms();
    if (found.empty()) rollout.issued_ms = issued;
    if (issued != rollout.issued_ms) break;  // an earlier one's
    found.emplace_back(std::move(job), std::move(detail));
  }
  if (found.empty()) {
    return Error{Code::kNotFound,
                 "no update was ordered lately; to order one: holdfast update start"};
  }
  rollout.version = VersionOf(found.front().first.command.update());
  // As they were accepted: those before first.
  std::reverse(found.begin(), found.end());
  std::map<std::string, std::size_t> ring_of;
  for (auto& [job, detail] : found) {
    std::size_t ring = 0;
    for (const std::string& before : job.command.update().after()) {
      const auto at = ring_of.find(before);
      if (at != ring_of.end()) ring = std::max(ring, at->second + 1);
    }
    ring_of[job.digest.str()] = ring;
    rollout.rings.resize(std::max(rollout.rings.size(), ring + 1));
    const std::uint64_t silent_ms = job.command.update().silent_ms();
    RolloutJob entry{std::move(job), ring, {}};
    for (const auto& delivery : detail.deliveries()) {
      Count(delivery, silent_ms == 0 ? kDefaultSilentMs : silent_ms, now, rollout.rings[ring]);
      const auto id = AgentId::From(delivery.agent_id());
      if (id && delivery.state() != api::DELIVERY_STATE_ENDED) {
        entry.open.push_back({*id, delivery.hostname(), delivery.waiting().online()});
      }
    }
    rollout.jobs.push_back(std::move(entry));
  }
  return rollout;
}

}  // namespace holdfast::cli
