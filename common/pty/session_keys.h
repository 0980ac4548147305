// SessionKeys: the two keys of one terminal, from the secret that only operator and agent share.
//
//   PRK = HMAC-SHA256(command digest, x of the common point)                           HKDF, RFC 5869
//   input | output = HMAC-SHA256(PRK, "holdfast pty v1" 0x00 | agent id | operator key | agent key | 0x01)
//
// The digest binds them to the signed command and all it says; both halves of the secret are signed, the
// operator's inside the command, the agent's in a holdfast.ptykey.v1.
//
// Threading: pure function.
// Design:    docs/decisions/0110-terminals-are-sealed.md
#pragma once

#include "common/base/ids.h"
#include "common/sign/crypto.h"
#include "common/sign/sealing.h"

namespace holdfast::pty {

struct SessionNames {
  Digest command;
  AgentId agent;
  PublicKey operator_key;
  PublicKey agent_key;
};

struct SessionKeys {
  sign::SealKey input;   // operator to agent
  sign::SealKey output;  // agent to operator
};

SessionKeys DeriveSessionKeys(const sign::Crypto& crypto, const sign::SharedSecret& secret,
                              const SessionNames& names);

}  // namespace holdfast::pty
