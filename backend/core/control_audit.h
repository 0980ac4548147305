// AuditLog: the hash chain of everything that happened to agents and commands.
//
// Each record holds the hash of the one before it (docs/protocol.md 9) and is appended in the very
// transaction that changes the ledger: there is no state without its record, and none without cause.
//
//   Append --> [AuditLog] --> Write(store), then Keep | Undo
//
// Limits:    detail is cut at kMaxAuditDetailBytes, which no command's escaped arguments reach.
// Threading: thread-compatible; loop thread only.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "backend/core/control_moment.h"
#include "backend/core/store.h"
#include "common/sign/crypto.h"

namespace holdfast::backend {

// 32 KiB of SQL or argv, every byte written as \xNN, and the words around it.
inline constexpr std::size_t kMaxAuditDetailBytes = std::size_t{160} * 1024;

struct AuditEntry {
  std::string actor;  // operator id, agent id in hex, or "control"
  std::string_view action;
  std::string digest;    // 32 B or empty
  std::string agent_id;  // 16 B or empty
  std::string detail;    // already escaped where it quotes an endpoint or an analyst
};

// The hash of a record as docs/protocol.md 9 lays it out; its own `hash` is not looked at.
Digest AuditHash(const sign::Crypto& crypto, const AuditRow& row);

class AuditLog {
 public:
  explicit AuditLog(const sign::Crypto& crypto) : crypto_(crypto) {}

  Status Load(Store& store);
  void Append(AuditEntry entry, Moment now);
  Status Write(Store& store) const;
  void Keep();
  void Undo();
  bool changed() const { return !pending_.empty(); }

 private:
  const sign::Crypto& crypto_;
  std::uint64_t seq_ = 0;  // of the last record, pending ones included
  Digest hash_;            // of the last record
  std::uint64_t kept_seq_ = 0;
  Digest kept_hash_;
  std::vector<AuditRow> pending_;  // of this turn
};

}  // namespace holdfast::backend
