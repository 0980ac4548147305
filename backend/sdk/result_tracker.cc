#include "backend/sdk/result_tracker.h"

#include <utility>

#include "common/sign/envelope.h"
#include "common/sign/strict.h"

namespace holdfast::sdk {
namespace {

namespace api = ::holdfast::api::v1;
namespace pb = ::holdfast::command::v1;

Error Breach(const std::string& what) {
  return {Code::kCorrupt, "the server breaks the protocol: " + what};
}

}  // namespace

struct ResultTracker::Target {
  AgentId agent;
  api::Delivery delivery;
  std::uint32_t attempt = 0;  // whose output we hold; 0: none yet
  std::uint64_t offset = 0;   // bytes of it so far
  std::unique_ptr<sign::Hasher> hasher;
  TargetEnd end;
  bool result_read = false;
  bool ended = false;
};

pb::Outcome TargetEnd::outcome() const { return result ? result->outcome() : delivery.outcome(); }

pb::CommandFailure TargetEnd::failure() const {
  return result ? result->failure() : delivery.failure();
}

const std::string& TargetEnd::message() const {
  return result ? result->message() : delivery.message();
}

bool MayEndUnsigned(pb::Outcome outcome) {
  return outcome == pb::OUTCOME_EXPIRED || outcome == pb::OUTCOME_CANCELLED ||
         outcome == pb::OUTCOME_INTERRUPTED;
}

bool TargetEnd::succeeded() const {
  return problem.empty() && result && result->outcome() == pb::OUTCOME_DONE;
}

Result<pb::Result> VerifyResult(const sign::Crypto& crypto, const Digest& command,
                                const api::Delivery& delivery) {
  const auto key = PublicKey::From(delivery.agent_pubkey());
  if (!key || sign::AgentIdOf(crypto, *key).view() != delivery.agent_id()) {
    return Error{Code::kDenied, "the key that came with the result is not this agent's"};
  }
  HF_ASSIGN_OR_RETURN(const auto envelope,
                      sign::ParseEnvelope(delivery.result_envelope(), sign::kResultType));
  HF_TRY(sign::VerifySignedBy(crypto, envelope, *key));
  HF_ASSIGN_OR_RETURN(pb::Result result, sign::ParseResult(envelope.payload()));
  if (result.command_digest() != command.view()) {
    return Error{Code::kDenied, "the result is about another command"};
  }
  if (result.agent_id() != delivery.agent_id()) {
    return Error{Code::kDenied, "the result is about another agent"};
  }
  if (result.outcome() != delivery.outcome()) {
    return Error{Code::kDenied, "the agent signed another outcome than the backend tells"};
  }
  return result;
}

ResultTracker::ResultTracker(const sign::Crypto& crypto, const Digest& command,
                             const std::vector<AgentId>& targets, Output output)
    : crypto_(crypto), command_(command), output_(output) {
  for (const AgentId& agent : targets) {
    auto target = std::make_unique<Target>();
    target->agent = agent;
    target->hasher = crypto_.NewSha256();
    targets_.emplace(agent.str(), std::move(target));
  }
}

ResultTracker::~ResultTracker() = default;

ResultTracker::Target* ResultTracker::Find(const std::string& agent_id) {
  const auto found = targets_.find(agent_id);
  return found == targets_.end() ? nullptr : found->second.get();
}

Status ResultTracker::OnEvent(const api::WatchEvent& event, FollowSink& sink) {
  if (finished_) return Breach("an event after the last");
  ++events_;
  if (event.has_delivery()) return OnDelivery(event.delivery(), sink);
  if (event.has_output()) return OnOutput(event.output(), sink);
  if (event.has_finished()) return OnFinished(sink);
  return Ok();  // of a newer server; nothing that we need
}

Status ResultTracker::OnDelivery(const api::Delivery& delivery, FollowSink& sink) {
  Target* target = Find(delivery.agent_id());
  if (target == nullptr) return Breach("an answer of an agent that the command does not name");
  if (target->result_read) return Ok();  // told again after a reconnect, or told otherwise
  target->delivery = delivery;
  sink.OnState(delivery);
  if (delivery.state() != api::DELIVERY_STATE_ENDED) return Ok();
  ReadResult(*target);
  return EndIfComplete(*target, sink);
}

Status ResultTracker::OnOutput(const api::Output& output, FollowSink& sink) {
  if (output_ == Output::kUnwanted) return Breach("output that nobody asked for");
  Target* target = Find(output.agent_id());
  if (target == nullptr) return Breach("output of an agent that the command does not name");
  if (output.attempt() == 0) return Breach("output of no attempt");
  if (target->ended || output.attempt() < target->attempt) return Ok();
  if (output.attempt() > target->attempt) {
    if (target->offset > 0) HF_TRY(sink.OnRestart(target->agent));
    target->attempt = output.attempt();
    target->offset = 0;
    target->hasher = crypto_.NewSha256();
  }
  if (output.offset() != target->offset) {
    return Breach("output at byte " + std::to_string(output.offset()) + " where byte " +
                  std::to_string(target->offset) + " was due");
  }
  target->hasher->Update(output.data());
  target->offset += output.data().size();
  HF_TRY(sink.OnOutput(target->agent, output.data()));
  return EndIfComplete(*target, sink);
}

// What the agent signed, or why that does not hold.
void ResultTracker::ReadResult(Target& target) const {
  target.result_read = true;
  const api::Delivery& delivery = target.delivery;
  if (delivery.result_envelope().empty()) {
    if (!MayEndUnsigned(delivery.outcome())) {
      target.end.problem = "the backend tells an outcome that no agent signed";
    }
    return;
  }
  auto result = VerifyResult(crypto_, command_, delivery);
  if (result.ok()) {
    target.end.result = std::move(result).value();
  } else {
    target.end.problem = result.error().message;
  }
}

// Whether all output that the result speaks of is here; a later attempt may have had none at all.
Status ResultTracker::EndIfComplete(Target& target, FollowSink& sink) {
  if (!target.result_read || target.ended) return Ok();
  if (output_ == Output::kUnwanted || !target.end.result) return Ok();  // at Finished
  const pb::Result& result = *target.end.result;
  if (result.output_bytes() == 0 && result.attempt() > target.attempt &&
      result.outcome() != pb::OUTCOME_INTERRUPTED) {
    if (target.offset > 0) HF_TRY(sink.OnRestart(target.agent));
    target.attempt = result.attempt();
    target.offset = 0;
    target.hasher = crypto_.NewSha256();
  }
  if (target.attempt != result.attempt() || target.offset < result.output_bytes()) return Ok();
  return End(target, sink);
}

Status ResultTracker::OnFinished(FollowSink& sink) {
  for (auto& [id, target] : targets_) {
    if (target->ended) continue;
    if (target->delivery.state() != api::DELIVERY_STATE_ENDED) {
      return Breach("the end, before every target has ended");
    }
    HF_TRY(End(*target, sink));
  }
  finished_ = true;
  return Ok();
}

Status ResultTracker::End(Target& target, FollowSink& sink) {
  target.ended = true;
  TargetEnd& end = target.end;
  end.agent = target.agent;
  end.hostname = target.delivery.hostname();
  end.delivery = target.delivery;
  if (output_ == Output::kWanted && end.result && end.problem.empty()) {
    const pb::Result& result = *end.result;
    const std::string sha256 = std::exchange(target.hasher, nullptr)->Finish().str();
    const bool whole = (target.attempt == result.attempt() || target.offset == 0) &&
                       target.offset == result.output_bytes() && sha256 == result.output_sha256();
    // Without a run, or without its end, there is nothing that was signed over the output.
    const bool unsigned_output = result.outcome() == pb::OUTCOME_INTERRUPTED ||
                                 (result.output_bytes() == 0 && target.offset == 0);
    end.output_verified = whole;
    if (!whole && !unsigned_output) {
      end.problem = "the output that came (" + std::to_string(target.offset) +
                    " bytes) is not what the agent signed (" +
                    std::to_string(result.output_bytes()) + " bytes)";
    }
  }
  target.hasher.reset();
  return sink.OnEnd(end);
}

std::vector<api::OutputPosition> ResultTracker::Positions() const {
  std::vector<api::OutputPosition> positions;
  for (const auto& [id, target] : targets_) {
    if (target->attempt == 0) continue;
    auto& position = positions.emplace_back();
    position.set_agent_id(id);
    position.set_attempt(target->attempt);
    position.set_offset(target->offset);
  }
  return positions;
}

}  // namespace holdfast::sdk
