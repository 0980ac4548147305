// Identity: who this agent is in what it signs, and the parts of the machine that the cores borrow.
#pragma once

#include <string>

#include "agent/core/fence.h"
#include "agent/core/journal.h"
#include "agent/core/reserve.h"
#include "agent/core/spool.h"
#include "agent/core/update_file.h"
#include "agent/core/workers.h"
#include "common/base/ids.h"
#include "common/sign/chain.h"
#include "common/sign/crypto.h"

namespace holdfast::agent {

struct Identity {
  AgentId id;
  Nonce16 instance;         // new at each start of warden
  Digest fingerprint;       // over machine-id and hardware
  std::string enrol_token;  // only while enrolling
  ::holdfast::command::v1::AgentFacts facts;
};

// All outlive the cores.
struct Parts {
  const sign::Crypto& crypto;
  const sign::SigningKey& key;
  const sign::TrustedPolicy& trust;
  Journal& journal;
  Spool& spool;
  Workers& workers;
  Reserve& reserve;
  Fence& fence;
  IsolationFile& isolation;
  UpdateFile& updates;
};

}  // namespace holdfast::agent
