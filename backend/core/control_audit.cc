#include "backend/core/control_audit.h"

#include <utility>

#include "common/base/utf8.h"

namespace holdfast::backend {
namespace {

constexpr std::string_view kDomain{"HOLDFAST-AUDIT-v1\0", 18};

void AppendBigEndian(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>((value >> shift) & 0xff));
  }
}

void AppendPrefixed(std::string& out, std::string_view text) {
  AppendBigEndian(out, text.size(), 4);
  out.append(text);
}

}  // namespace

Digest AuditHash(const sign::Crypto& crypto, const AuditRow& row) {
  std::string bytes(kDomain);
  bytes.append(row.prev_hash.view());
  AppendBigEndian(bytes, row.seq, 8);
  AppendBigEndian(bytes, row.at_ms, 8);
  AppendPrefixed(bytes, row.actor);
  AppendPrefixed(bytes, row.action);
  AppendPrefixed(bytes, row.digest);
  AppendPrefixed(bytes, row.agent_id);
  AppendPrefixed(bytes, row.detail);
  return crypto.Sha256(bytes);
}

Status AuditLog::Load(Store& store) {
  HF_ASSIGN_OR_RETURN(const std::optional<AuditRow> last, store.LastAudit());
  seq_ = last ? last->seq : 0;
  hash_ = last ? last->hash : Digest{};
  Keep();
  return Ok();
}

void AuditLog::Append(AuditEntry entry, Moment now) {
  AuditRow row;
  row.seq = ++seq_;
  row.at_ms = now.wall_ms();
  row.actor = std::move(entry.actor);
  row.action = entry.action;
  row.digest = std::move(entry.digest);
  row.agent_id = std::move(entry.agent_id);
  row.detail = Utf8Prefix(entry.detail, kMaxAuditDetailBytes);
  row.prev_hash = hash_;
  row.hash = AuditHash(crypto_, row);
  hash_ = row.hash;
  pending_.push_back(std::move(row));
}

Status AuditLog::Write(Store& store) const {
  for (const AuditRow& row : pending_) HF_TRY(store.AppendAudit(row));
  return Ok();
}

void AuditLog::Keep() {
  kept_seq_ = seq_;
  kept_hash_ = hash_;
  pending_.clear();
}

void AuditLog::Undo() {
  seq_ = kept_seq_;
  hash_ = kept_hash_;
  pending_.clear();
}

}  // namespace holdfast::backend
