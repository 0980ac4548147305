#include "backend/adapters/sqlite/sqlite_rows.h"

#include "backend/core/packed_labels.h"

namespace holdfast::backend {
namespace {

std::uint32_t Small(const SqliteStatement& row, int column) {
  return static_cast<std::uint32_t>(row.Number(column));
}

}  // namespace

AgentRow ReadAgent(const SqliteStatement& row) {
  AgentRow out;
  int at = 0;
  out.id = row.FixedAt<AgentId>(at++);
  out.pubkey = row.FixedAt<PublicKey>(at++);
  out.facts = row.Bytes(at++);
  out.labels = UnpackLabels(row.Bytes(at++));
  out.address = row.Bytes(at++);
  out.enrolled_ms = row.Number(at++);
  out.last_seen_ms = row.Number(at++);
  out.epoch = row.Number(at++);
  out.instance_nonce = row.FixedAt<Nonce16>(at++);
  out.fingerprint = row.FixedAt<Nonce32>(at++);
  out.incarnation = row.FixedAt<Nonce16>(at++);
  out.contact = row.FixedAt<Nonce16>(at++);
  out.prev_contact = row.FixedAt<Nonce16>(at++);
  out.clone_suspected = row.Number(at++) != 0;
  out.removed = row.Number(at++) != 0;
  return out;
}

CommandRow ReadCommand(const SqliteStatement& row) {
  CommandRow out;
  int at = 0;
  out.digest = row.FixedAt<Digest>(at++);
  out.command_id = row.FixedAt<CommandId>(at++);
  out.envelope = row.Bytes(at++);
  out.cert_envelope = row.Bytes(at++);
  out.verb = row.Bytes(at++);
  out.operator_id = row.Bytes(at++);
  out.detail = row.Bytes(at++);
  out.accepted_ms = row.Number(at++);
  out.not_after_ms = row.Number(at++);
  out.targets = Small(row, at++);
  out.ended = Small(row, at++);
  out.succeeded = Small(row, at++);
  return out;
}

DeliveryRow ReadDelivery(const SqliteStatement& row) {
  DeliveryRow out;
  int at = 0;
  out.digest = row.FixedAt<Digest>(at++);
  out.agent_id = row.FixedAt<AgentId>(at++);
  out.state = static_cast<DeliveryState>(row.Number(at++));
  out.accepted_ms = row.Number(at++);
  out.sent_ms = row.Number(at++);
  out.received_ms = row.Number(at++);
  out.started_ms = row.Number(at++);
  out.ended_ms = row.Number(at++);
  out.sends = Small(row, at++);
  out.attempt = Small(row, at++);
  out.next_seq = row.Number(at++);
  out.output_attempt = Small(row, at++);
  out.stored_bytes = row.Number(at++);
  out.chunk_count = row.Number(at++);
  out.stream_complete = row.Number(at++) != 0;
  out.place = static_cast<OutputPlace>(row.Number(at++));
  out.output_name = row.FixedAt<Nonce16>(at++);
  out.output_sha256 = row.FixedAt<Digest>(at++);
  out.outcome = static_cast<Outcome>(row.Number(at++));
  out.failure = static_cast<CommandFailure>(row.Number(at++));
  out.message = row.Bytes(at++);
  out.result_envelope = row.Bytes(at++);
  return out;
}

TokenRow ReadToken(const SqliteStatement& row) {
  TokenRow out;
  out.hash = row.FixedAt<Digest>(0);
  out.uses_left = Small(row, 1);
  out.expires_ms = row.Number(2);
  out.labels = UnpackLabels(row.Bytes(3));
  out.operator_id = row.Bytes(4);
  return out;
}

AuditRow ReadAudit(const SqliteStatement& row) {
  AuditRow out;
  int at = 0;
  out.seq = row.Number(at++);
  out.at_ms = row.Number(at++);
  out.actor = row.Bytes(at++);
  out.action = row.Bytes(at++);
  out.digest = row.Bytes(at++);
  out.agent_id = row.Bytes(at++);
  out.detail = row.Bytes(at++);
  out.prev_hash = row.FixedAt<Digest>(at++);
  out.hash = row.FixedAt<Digest>(at++);
  return out;
}

}  // namespace holdfast::backend
