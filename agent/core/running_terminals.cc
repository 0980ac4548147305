// Running, second part: what is particular to terminals: their key, what is typed into them, their places.
#include <algorithm>
#include <string>

#include "agent/core/running.h"
#include "common/base/little_endian.h"
#include "common/pty/records.h"
#include "common/sign/envelope.h"

namespace holdfast::agent {

namespace v1 = ::holdfast::command::v1;

// Signed, it becomes the first of the output: who has the other half can tell that it is this agent's.
void Running::TakeSessionKey(OpenCommand& command, std::string_view key, Moment at) {
  if (!command.is_pty || key.size() != PublicKey::kSize || command.stream->output_bytes() > 0) {
    return Stop(command, {v1::OUTCOME_FAILED, v1::COMMAND_FAILURE_WORKER_DIED,
                          "a key that nobody asked for"});
  }
  v1::PtyKey binding;
  binding.set_command_digest(command.digest.str());
  binding.set_agent_id(identity_.id.str());
  binding.set_pubkey(parts_.key.public_key().str());
  binding.set_agent_key(std::string(key));
  const auto envelope =
      sign::SignEnvelope(parts_.crypto, parts_.key, sign::kPtyKeyType, binding.SerializeAsString());
  HF_CHECK(envelope.ok());  // as the result's
  std::string frame;
  pty::AppendFrame(frame, pty::FrameType::kKey, envelope.value());
  TakeOutput(command, frame, at);
}

void Running::OnPtyInput(const ::holdfast::link::v1::PtyInput& input) {
  const auto digest = Digest::From(input.digest());
  OpenCommand* command = digest ? FindCommand(table_, *digest) : nullptr;
  if (command == nullptr || !command->is_pty || command->phase != OpenCommand::Phase::kRunning)
    return;
  std::string frame;
  const std::size_t size = kInputFrameHeaderBytes - 4 + input.sealed().size();
  AppendLittle(frame, size, 4);
  AppendLittle(frame, input.seq(), 8);
  frame += input.sealed();
  static_cast<void>(parts_.workers.Input(*command->worker, frame));
}

std::size_t Running::CountTerminals() const {
  return static_cast<std::size_t>(std::count_if(table_.begin(), table_.end(), [](const auto& c) {
    return c->worker.has_value() && c->is_pty;
  }));
}

}  // namespace holdfast::agent
