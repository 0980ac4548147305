// CommandCache: checks each distinct command once, for all agents of the process.
//
// A command for 1,000 agents is 1,000 times the same bytes: the signatures are verified for real the
// first time, and the verdict is kept under the hash of those bytes. Whether an agent is among the
// targets, and the times, are asked every time.
//
// Limits:    kMaxEntries verdicts; the oldest goes first.
// Ownership: borrows crypto and policy.
// Threading: thread-compatible.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <variant>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/sign/chain.h"

namespace holdfast::fleet {

struct KnownCommand {
  sign::VerifiedCommand verified;
  std::unordered_set<AgentId, FixedBytesHash> targets;
};

class CommandCache {
 public:
  static constexpr std::size_t kMaxEntries = 1024;
  using Verdict = std::variant<std::shared_ptr<const KnownCommand>, sign::Refusal>;

  CommandCache(const sign::Crypto& crypto, const sign::TrustedPolicy& trust)
      : crypto_(crypto), trust_(trust) {}

  Verdict Check(std::string_view envelope, std::string_view cert_envelope, const AgentId& self,
                WallTime now);
  std::size_t verified() const { return verified_; }  // how often signatures were really checked

 private:
  const sign::Crypto& crypto_;
  const sign::TrustedPolicy& trust_;
  std::unordered_map<Digest, Verdict, FixedBytesHash> verdicts_;  // by SHA-256 of what was sent
  std::deque<Digest> by_age_;
  std::size_t verified_ = 0;
};

}  // namespace holdfast::fleet
