#include "backend/sdk/sign_command.h"

#include <algorithm>

#include "common/sign/class_limits.h"
#include "common/sign/envelope.h"

namespace holdfast::sdk {
namespace {

constexpr std::size_t kMaxCaseBytes = 128;     // command.proto
constexpr std::size_t kMaxReasonBytes = 1024;  // command.proto

// A command that its class would refuse at the endpoint is not even signed.
Status SignLimits(const Operator& who, ::holdfast::command::v1::Command& command) {
  for (const auto& verb_class : who.classes) {
    if (verb_class.class_id() != command.class_id()) continue;
    sign::SignLimits(verb_class, *command.mutable_limits());
    if (auto above = sign::LimitAbove(verb_class, command.limits())) {
      return Error{Code::kInvalid, *std::move(above)};
    }
  }
  return Ok();
}

}  // namespace

Result<SignedCommand> SignCommand(const sign::Crypto& crypto, const Operator& who, const Verb& verb,
                                  const SignRequest& request) {
  if (request.targets.empty()) return Error{Code::kInvalid, "no targets"};
  if (request.targets.size() > kMaxTargets) {
    return Error{Code::kInvalid, "more than 1000 targets; split them, by label for example"};
  }
  if (request.case_id.size() > kMaxCaseBytes || request.reason.size() > kMaxReasonBytes) {
    return Error{Code::kInvalid, "--case takes 128 bytes, --reason 1 KiB"};
  }
  const Duration ttl = request.ttl.count() > 0 ? request.ttl : verb.ttl;
  ::holdfast::command::v1::Command command = verb.command;
  command.set_fleet_id(request.fleet_id.str());
  command.set_command_id(crypto.RandomBytes<CommandId>().str());
  command.set_class_id(verb.class_id);
  for (const AgentId& id : request.targets) command.mutable_target()->add_agent_ids(id.str());
  command.set_issued_at_ms(request.now.get());
  command.set_not_after_ms(std::min(request.now.get() + static_cast<std::uint64_t>(ttl.count()),
                                    who.cert.not_after_ms()));
  command.set_operator_serial(who.cert.serial());
  command.set_case_id(request.case_id);
  command.set_reason(request.reason);
  HF_TRY(SignLimits(who, command));
  const std::string payload = command.SerializeAsString();
  if (payload.size() > sign::kMaxPayloadBytes) {
    return Error{Code::kInvalid, "the command is larger than 60 KiB; fewer targets or arguments"};
  }
  HF_ASSIGN_OR_RETURN(std::string envelope,
                      sign::SignEnvelope(crypto, *who.key, sign::kCommandType, payload));
  return SignedCommand{sign::EnvelopeDigest(crypto, sign::kCommandType, payload),
                       std::move(envelope),
                       who.cert_envelope,
                       WallTime(command.not_after_ms()),
                       verb.acts(),
                       request.targets};
}

}  // namespace holdfast::sdk
