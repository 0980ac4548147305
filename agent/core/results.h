// What warden signs at the end of a command: holdfast.result.v1.
//
// Threading: pure functions.
// Errors:    SignResult(): the signing key's.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/core/identity.h"
#include "agent/core/moment.h"
#include "agent/core/open_command.h"

namespace holdfast::agent {

struct EndOfCommand {
  const AgentId& agent;
  const Ending& ending;
  const Digest& output_sha256;
  WallTime at;
};
// The signed envelope for how the command ended, over its stream as it stands (its output, its attempt).
Result<std::string> SignResult(const Parts& parts, const OpenCommand& command,
                               const EndOfCommand& ended);

// A worker's last word: the fields that only a worker knows, cut to their lengths. Workers read
// hostile bytes: nullopt for one that makes no sense, and no word that could not be signed.
std::optional<::holdfast::command::v1::Result> LastWordFrom(std::string_view bytes);

// What no worker does: isolate, release.
bool IsOwn(const ::holdfast::command::v1::Command& command);

// What the signed limits come to, defaults filled in by verb.
RunLimits LimitsOf(const ::holdfast::command::v1::Command& command);

// What a command says of itself, into the table; `payload`: as signed, for its worker.
void TakeFacts(OpenCommand& command, const ::holdfast::command::v1::Command& parsed,
               std::string payload);

}  // namespace holdfast::agent
