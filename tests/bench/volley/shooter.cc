#include "tests/bench/volley/shooter.h"

#include <algorithm>
#include <utility>

#include "backend/sdk/clock.h"
#include "backend/sdk/sign_command.h"

namespace holdfast::bench {
namespace {

namespace api = ::holdfast::api::v1;
constexpr Duration kPatience = std::chrono::seconds(60);  // without an answer

}  // namespace

class Shooter::Flying final : private sdk::FollowSink {
 public:
  Flying(const sign::Crypto& crypto, const sdk::SignedCommand& command, Clock::time_point began,
         Outcome& outcome)
      : tracker_(crypto, command.digest, command.targets, sdk::ResultTracker::Output::kWanted),
        left_(command.targets.size()),
        began_(began),
        outcome_(outcome) {}

  // Whether it is over.
  bool OnReply(const api::ServerMessage& reply) {
    const Status taken = reply.has_watch_event() ? tracker_.OnEvent(reply.watch_event(), *this)
                                                 : Status(sdk::FromApi(reply.error()));
    if (taken.ok()) return tracker_.finished();
    outcome_.failed += left_;
    outcome_.problem = taken.error().message;
    return true;
  }

 private:
  void OnState(const api::Delivery& /*delivery*/) override {}
  Status OnOutput(const AgentId& /*agent*/, std::string_view /*bytes*/) override { return Ok(); }
  Status OnRestart(const AgentId& /*agent*/) override { return Ok(); }
  Status OnEnd(const sdk::TargetEnd& end) override {
    --left_;
    if (end.succeeded() && end.output_verified) {
      const std::chrono::duration<double, std::milli> took = Clock::now() - began_;
      outcome_.took_ms.push_back(took.count());
    } else {
      ++outcome_.failed;
      outcome_.problem = "a command failed: " + end.problem + end.delivery.message();
    }
    return Ok();
  }

  sdk::ResultTracker tracker_;
  std::size_t left_;
  const Clock::time_point began_;
  Outcome& outcome_;
};

Shooter::Shooter(const sign::Crypto& crypto, const sdk::Operator& who, const FleetId& fleet,
                 sdk::ApiConnection& api, const fleet::Simulation& simulation, std::size_t window)
    : crypto_(crypto),
      who_(who),
      fleet_(fleet),
      api_(api),
      simulation_(simulation),
      window_(window) {}

Shooter::~Shooter() = default;

Result<std::vector<AgentId>> Shooter::Find(const Targets& targets) const {
  std::vector<AgentId> found;
  found.reserve(targets.count);
  for (std::uint32_t i = 0; i < targets.count; ++i) {
    HF_ASSIGN_OR_RETURN(const auto key, fleet::SimulatedKey(crypto_, simulation_.seed,
                                                            targets.first + i * targets.stride));
    found.push_back(sign::AgentIdOf(crypto_, key->public_key()));
  }
  return found;
}

Status Shooter::Shoot(std::vector<AgentId> targets, Clock::time_point began, Outcome& outcome) {
  HF_ASSIGN_OR_RETURN(const sdk::Verb verb, sdk::Verb::Query("SELECT hostname, number"));
  sdk::SignRequest request;
  request.fleet_id = fleet_;
  request.now = sdk::WallNow();
  request.targets = std::move(targets);
  HF_ASSIGN_OR_RETURN(const sdk::SignedCommand command,
                      sdk::SignCommand(crypto_, who_, verb, request));
  api::ClientMessage submit;
  submit.mutable_submit()->set_envelope(command.envelope);
  submit.mutable_submit()->set_cert_envelope(command.cert_envelope);
  HF_TRY(api_.Send(std::move(submit)));
  api::ClientMessage watch;
  watch.mutable_watch()->set_digest(command.digest.str());
  watch.mutable_watch()->set_output(true);
  HF_ASSIGN_OR_RETURN(const std::uint64_t id, api_.Send(std::move(watch)));
  flying_.emplace(id, std::make_unique<Flying>(crypto_, command, began, outcome));
  return Ok();
}

// A submission that is refused ends by its watch, which finds nothing; why it was, is told before.
void Shooter::OnReply(const api::ServerMessage& reply) {
  const auto found = flying_.find(reply.id());
  if (found == flying_.end() && reply.has_error()) refusal_ = reply.error().message();
  if (found != flying_.end() && found->second->OnReply(reply)) flying_.erase(found);
}

Result<bool> Shooter::Take(Clock::time_point until) {
  const auto left = std::chrono::duration_cast<Duration>(until - Clock::now());
  HF_ASSIGN_OR_RETURN(const auto reply,
                      api_.Receive(sdk::MonotonicNow() + std::max(left, Duration(0))));
  if (!reply) return false;
  OnReply(*reply);
  return true;
}

Status Shooter::TakeOne() {
  HF_ASSIGN_OR_RETURN(const bool came, Take(Clock::now() + kPatience));
  if (!came) return Error{Code::kUnavailable, "no answer for a minute"};
  return Ok();
}

Status Shooter::Drain(Outcome& outcome) {
  while (!flying_.empty()) HF_TRY(TakeOne());
  if (!refusal_.empty()) outcome.problem = std::exchange(refusal_, {});
  return Ok();
}

Result<Outcome> Shooter::Run(const std::vector<AgentId>& targets) {
  Outcome outcome;
  for (const AgentId& target : targets) {
    while (full()) HF_TRY(TakeOne());
    HF_TRY(Shoot({target}, Clock::now(), outcome));
  }
  HF_TRY(Drain(outcome));
  return outcome;
}

Result<Outcome> Shooter::Rate(const std::vector<AgentId>& targets, double per_second,
                              std::chrono::seconds length) {
  Outcome outcome;
  const auto began = Clock::now();
  const auto count = static_cast<std::size_t>(per_second * static_cast<double>(length.count()));
  for (std::size_t i = 0; i < count; ++i) {
    const auto due =
        began + std::chrono::duration_cast<Clock::duration>(
                    std::chrono::duration<double>(static_cast<double>(i) / per_second));
    while (Clock::now() < due) HF_TRY(Take(due));
    while (full()) HF_TRY(TakeOne());
    HF_TRY(Shoot({targets[i % targets.size()]}, due, outcome));
  }
  HF_TRY(Drain(outcome));
  return outcome;
}

Result<Outcome> Shooter::Hunt(const std::vector<AgentId>& targets) {
  Outcome outcome;
  const auto began = Clock::now();
  for (auto from = targets.begin(); from != targets.end();) {
    while (full()) HF_TRY(TakeOne());
    const auto to = from + std::min<std::ptrdiff_t>(sdk::kMaxTargets, targets.end() - from);
    HF_TRY(Shoot({from, to}, began, outcome));
    from = to;
  }
  HF_TRY(Drain(outcome));
  return outcome;
}

}  // namespace holdfast::bench
