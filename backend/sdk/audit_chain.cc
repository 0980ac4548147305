#include "backend/sdk/audit_chain.h"

#include <string_view>

namespace holdfast::sdk {
namespace {

constexpr std::string_view kMagic("HOLDFAST-AUDIT-v1\0", 18);

void AppendBigEndian(std::string& out, std::uint64_t value, unsigned bytes) {
  for (unsigned i = bytes; i-- > 0;) out += static_cast<char>((value >> (8 * i)) & 0xFFU);
}

void AppendPrefixed(std::string& out, const std::string& text) {
  AppendBigEndian(out, text.size(), 4);
  out += text;
}

}  // namespace

Digest AuditHash(const sign::Crypto& crypto, const ::holdfast::api::v1::AuditRecord& record) {
  std::string bytes(kMagic);
  bytes += record.prev_hash();
  AppendBigEndian(bytes, record.seq(), 8);
  AppendBigEndian(bytes, record.at_ms(), 8);
  AppendPrefixed(bytes, record.actor());
  AppendPrefixed(bytes, record.action());
  AppendPrefixed(bytes, record.digest());
  AppendPrefixed(bytes, record.agent_id());
  AppendPrefixed(bytes, record.detail());
  return crypto.Sha256(bytes);
}

Status AuditChain::OnRecord(const ::holdfast::api::v1::AuditRecord& record) {
  const std::string which = "audit record " + std::to_string(record.seq());
  if (record.seq() != last_seq_ + 1) {
    return Error{Code::kCorrupt, which + " follows record " + std::to_string(last_seq_) +
                                     ": records are missing or out of order"};
  }
  if (record.prev_hash() != head_.view()) {
    return Error{Code::kCorrupt,
                 which + " does not follow the one before: one of them was changed"};
  }
  const Digest hash = AuditHash(crypto_, record);
  if (record.hash() != hash.view()) {
    return Error{Code::kCorrupt, which + " was changed: its content does not have its hash"};
  }
  last_seq_ = record.seq();
  head_ = hash;
  return Ok();
}

}  // namespace holdfast::sdk
