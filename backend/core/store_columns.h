// How rows of the store stand in columns: which, in which order, and what each holds. For every database behind the store.
//
//   HF_..._COLUMNS       the columns of a table, in the order in which rows are read and written
//   Read...(row)         a row of them; `Row` has Number(column), Bytes(column), FixedAt<Fixed>(column)
//   With...(row, use)    use(value, value, ...) in that order; the values live until it returns
//
// Threading: pure functions.
// Design:    docs/decisions/0021-store-layout.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "backend/core/packed_labels.h"
#include "backend/core/store.h"

#define HF_AGENT_COLUMNS                                                                   \
  "id, pubkey, facts, labels, address, enrolled_ms, last_seen_ms, epoch, instance_nonce, " \
  "fingerprint, incarnation, contact, prev_contact, clone_suspected, removed"
#define HF_COMMAND_COLUMNS                                                                \
  "digest, command_id, envelope, cert_envelope, verb, operator_id, detail, accepted_ms, " \
  "not_after_ms, targets, ended, succeeded"
#define HF_DELIVERY_COLUMNS                                                                   \
  "digest, agent_id, state, accepted_ms, sent_ms, received_ms, started_ms, ended_ms, sends, " \
  "attempt, next_seq, output_attempt, stored_bytes, chunk_count, stream_complete, place, "    \
  "output_name, output_sha256, outcome, failure, message, result_envelope"
#define HF_TOKEN_COLUMNS "hash, uses_left, expires_ms, labels, operator_id"
#define HF_AUDIT_COLUMNS "seq, at_ms, actor, action, digest, agent_id, detail, prev_hash, hash"

namespace holdfast::backend {

template <typename Row>
std::uint32_t SmallAt(const Row& row, int column) {
  return static_cast<std::uint32_t>(row.Number(column));
}

template <typename Row>
AgentRow ReadAgent(const Row& row) {
  AgentRow out;
  int at = 0;
  out.id = row.template FixedAt<AgentId>(at++);
  out.pubkey = row.template FixedAt<PublicKey>(at++);
  out.facts = row.Bytes(at++);
  out.labels = UnpackLabels(row.Bytes(at++));
  out.address = row.Bytes(at++);
  out.enrolled_ms = row.Number(at++);
  out.last_seen_ms = row.Number(at++);
  out.epoch = row.Number(at++);
  out.instance_nonce = row.template FixedAt<Nonce16>(at++);
  out.fingerprint = row.template FixedAt<Nonce32>(at++);
  out.incarnation = row.template FixedAt<Nonce16>(at++);
  out.contact = row.template FixedAt<Nonce16>(at++);
  out.prev_contact = row.template FixedAt<Nonce16>(at++);
  out.clone_suspected = row.Number(at++) != 0;
  out.removed = row.Number(at++) != 0;
  return out;
}

template <typename Row>
CommandRow ReadCommand(const Row& row) {
  CommandRow out;
  int at = 0;
  out.digest = row.template FixedAt<Digest>(at++);
  out.command_id = row.template FixedAt<CommandId>(at++);
  out.envelope = row.Bytes(at++);
  out.cert_envelope = row.Bytes(at++);
  out.verb = row.Bytes(at++);
  out.operator_id = row.Bytes(at++);
  out.detail = row.Bytes(at++);
  out.accepted_ms = row.Number(at++);
  out.not_after_ms = row.Number(at++);
  out.targets = SmallAt(row, at++);
  out.ended = SmallAt(row, at++);
  out.succeeded = SmallAt(row, at++);
  return out;
}

template <typename Row>
DeliveryRow ReadDelivery(const Row& row) {
  DeliveryRow out;
  int at = 0;
  out.digest = row.template FixedAt<Digest>(at++);
  out.agent_id = row.template FixedAt<AgentId>(at++);
  out.state = static_cast<DeliveryState>(row.Number(at++));
  out.accepted_ms = row.Number(at++);
  out.sent_ms = row.Number(at++);
  out.received_ms = row.Number(at++);
  out.started_ms = row.Number(at++);
  out.ended_ms = row.Number(at++);
  out.sends = SmallAt(row, at++);
  out.attempt = SmallAt(row, at++);
  out.next_seq = row.Number(at++);
  out.output_attempt = SmallAt(row, at++);
  out.stored_bytes = row.Number(at++);
  out.chunk_count = row.Number(at++);
  out.stream_complete = row.Number(at++) != 0;
  out.place = static_cast<OutputPlace>(row.Number(at++));
  out.output_name = row.template FixedAt<Nonce16>(at++);
  out.output_sha256 = row.template FixedAt<Digest>(at++);
  out.outcome = static_cast<Outcome>(row.Number(at++));
  out.failure = static_cast<CommandFailure>(row.Number(at++));
  out.message = row.Bytes(at++);
  out.result_envelope = row.Bytes(at++);
  return out;
}

template <typename Row>
TokenRow ReadToken(const Row& row) {
  TokenRow out;
  out.hash = row.template FixedAt<Digest>(0);
  out.uses_left = SmallAt(row, 1);
  out.expires_ms = row.Number(2);
  out.labels = UnpackLabels(row.Bytes(3));
  out.operator_id = row.Bytes(4);
  return out;
}

template <typename Row>
AuditRow ReadAudit(const Row& row) {
  AuditRow out;
  int at = 0;
  out.seq = row.Number(at++);
  out.at_ms = row.Number(at++);
  out.actor = row.Bytes(at++);
  out.action = row.Bytes(at++);
  out.digest = row.Bytes(at++);
  out.agent_id = row.Bytes(at++);
  out.detail = row.Bytes(at++);
  out.prev_hash = row.template FixedAt<Digest>(at++);
  out.hash = row.template FixedAt<Digest>(at++);
  return out;
}

template <typename Use>
auto WithAgent(const AgentRow& row, Use&& use) {
  return use(row.id, row.pubkey, row.facts.view(), PackLabels(row.labels), row.address.view(),
             row.enrolled_ms, row.last_seen_ms, row.epoch, row.instance_nonce, row.fingerprint,
             row.incarnation, row.contact, row.prev_contact, row.clone_suspected, row.removed);
}

template <typename Use>
auto WithCommand(const CommandRow& row, Use&& use) {
  return use(row.digest, row.command_id, row.envelope, row.cert_envelope, row.verb, row.operator_id,
             row.detail, row.accepted_ms, row.not_after_ms, row.targets, row.ended, row.succeeded);
}

template <typename Use>
auto WithDelivery(const DeliveryRow& row, Use&& use) {
  return use(row.digest, row.agent_id, std::uint32_t{static_cast<std::uint8_t>(row.state)},
             row.accepted_ms, row.sent_ms, row.received_ms, row.started_ms, row.ended_ms, row.sends,
             row.attempt, row.next_seq, row.output_attempt, row.stored_bytes, row.chunk_count,
             row.stream_complete, std::uint32_t{static_cast<std::uint8_t>(row.place)},
             row.output_name, row.output_sha256, static_cast<std::uint32_t>(row.outcome),
             static_cast<std::uint32_t>(row.failure), row.message, row.result_envelope);
}

template <typename Use>
auto WithToken(const TokenRow& row, Use&& use) {
  return use(row.hash, row.uses_left, row.expires_ms, PackLabels(row.labels), row.operator_id);
}

template <typename Use>
auto WithAudit(const AuditRow& row, Use&& use) {
  return use(row.seq, row.at_ms, row.actor, row.action, row.digest, row.agent_id, row.detail,
             row.prev_hash, row.hash);
}

// Every digest that begins with the prefix lies between the first and the second.
inline std::pair<std::string, std::string> DigestsWithPrefix(std::string_view prefix) {
  const std::string low(prefix.substr(0, Digest::kSize));
  std::string high = low;
  high.resize(Digest::kSize, '\xff');
  return {low, high};
}

// What Store::ListCommands() compares with: 0 and what no database's integers reach mean "all".
inline std::uint64_t BeforeOrAll(std::uint64_t before_ms) {
  constexpr std::uint64_t kEndOfTime = INT64_MAX;
  return before_ms == 0 || before_ms > kEndOfTime ? kEndOfTime : before_ms;
}

// An inline output out of its pieces, which come in order, from the one that holds `offset` or lies before it.
class InlineOutput {
 public:
  InlineOutput(std::uint64_t offset, std::size_t max_bytes)
      : next_(offset), max_bytes_(max_bytes) {}
  // False: what comes behind it is not wanted; there is enough, a hole, or the end lies before `offset`.
  bool Take(std::uint64_t at, std::string_view bytes) {
    if (ended_ || at > next_ || at + bytes.size() <= next_) {
      ended_ = true;
      return false;
    }
    out_.append(bytes.substr(static_cast<std::size_t>(next_ - at), max_bytes_ - out_.size()));
    next_ = at + bytes.size();
    ended_ = out_.size() >= max_bytes_;
    return !ended_;
  }
  std::string& bytes() { return out_; }

 private:
  std::uint64_t next_;
  const std::size_t max_bytes_;
  std::string out_;
  bool ended_ = max_bytes_ == 0;
};

}  // namespace holdfast::backend
