// AuditChain: checks that the records of an audit follow one another without a change, cut or addition.
//
//   hash = SHA-256("HOLDFAST-AUDIT-v1" 0x00 | prev_hash | u64be seq | u64be at_ms |
//                  u32be-length-prefixed actor, action, digest, agent_id, detail)
//
// Threading: thread-compatible.
// Errors:    OnRecord(): kCorrupt, and names the record and what is wrong with it.
// Design:    docs/protocol.md section 9
#pragma once

#include <cstdint>
#include <string>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/sign/crypto.h"
#include "holdfast/api/v1/api.pb.h"

namespace holdfast::sdk {

Digest AuditHash(const sign::Crypto& crypto, const ::holdfast::api::v1::AuditRecord& record);

class AuditChain {
 public:
  explicit AuditChain(const sign::Crypto& crypto) : crypto_(crypto) {}
  // All records in order, from seq 1.
  Status OnRecord(const ::holdfast::api::v1::AuditRecord& record);
  std::uint64_t count() const { return last_seq_; }
  const Digest& head() const { return head_; }  // of the last record: note it, compare it later

 private:
  const sign::Crypto& crypto_;
  std::uint64_t last_seq_ = 0;
  Digest head_;  // 32 zero bytes before the first record
};

}  // namespace holdfast::sdk
