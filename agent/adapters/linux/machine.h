// What this machine is, and its clocks: facts for AgentHello, read once.
//
// Threading: pure functions over the machine.
#pragma once

#include <string>

#include "agent/core/moment.h"
#include "common/base/ids.h"
#include "common/sign/crypto.h"
#include "holdfast/command/v1/trust.pb.h"

namespace holdfast::agent {

Moment ReadClocks();
// Text is valid UTF-8 and within trust.proto's limits.
::holdfast::command::v1::AgentFacts ReadMachineFacts(std::string_view version);
// Over machine-id, architecture and the hardware's own ids where they can be read. A copied state
// directory on another machine has another one.
Digest MachineFingerprint(const sign::Crypto& crypto);

}  // namespace holdfast::agent
