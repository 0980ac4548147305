#include "backend/adapters/libpq/postgres_store.h"

#include <cstdint>
#include <iterator>
#include <utility>
#include <vector>

#include "backend/adapters/libpq/postgres_connection.h"
#include "backend/adapters/libpq/postgres_schema.h"
#include "backend/core/packed_labels.h"

namespace holdfast::backend {
namespace {

enum class Sql : std::uint8_t {
  kLongLoad,
  kShortAgain,
  kLoadAgents,
  kLoadCommands,
  kLoadDeliveries,
  kLastAudit,
  kIncoming,
  kFindCommand,
  kFindById,
  kFindPrefix,
  kListCommands,
  kListOpenCommands,
  kFindDelivery,
  kDeliveriesOf,
  kFindToken,
  kListAudit,
  kListAuditOf,
  kReadInline,
  kPutAgent,
  kInsertCommand,
  kPutCounts,
  kPutDelivery,
  kPutToken,
  kDropToken,
  kAppendAudit,
  kAppendInline,
  kDropInline,
  kCount
};

// By Sql, in its order. A key that is there already is replaced as a whole, as INSERT OR REPLACE does.
constexpr const char* kStatements[] = {
    // LongLoad
    "SET statement_timeout = 0",
    // ShortAgain
    "SET statement_timeout = '4s'",
    // LoadAgents
    "SELECT id, pubkey, facts, labels, address, enrolled_ms, last_seen_ms, epoch, "
    "instance_nonce, fingerprint, incarnation, contact, prev_contact, "
    "clone_suspected, removed FROM agents",
    // LoadCommands
    "SELECT digest, command_id, envelope, cert_envelope, verb, operator_id, detail, "
    "accepted_ms, not_after_ms, targets, ended, succeeded FROM commands WHERE ended < "
    "targets ORDER BY ordinal",
    // LoadDeliveries
    "SELECT digest, agent_id, state, accepted_ms, sent_ms, received_ms, started_ms, "
    "ended_ms, sends, attempt, next_seq, output_attempt, stored_bytes, chunk_count, "
    "stream_complete, place, output_name, output_sha256, outcome, failure, message, "
    "result_envelope FROM deliveries WHERE state != 5 ORDER BY accepted_ms",
    // LastAudit
    "SELECT seq, at_ms, actor, action, digest, agent_id, detail, prev_hash, hash FROM "
    "audit ORDER BY seq DESC LIMIT 1",
    // Incoming
    "SELECT output_name FROM deliveries WHERE place = 2",
    // FindCommand
    "SELECT digest, command_id, envelope, cert_envelope, verb, operator_id, detail, "
    "accepted_ms, not_after_ms, targets, ended, succeeded FROM commands WHERE digest "
    "= $1",
    // FindById
    "SELECT digest, command_id, envelope, cert_envelope, verb, operator_id, detail, "
    "accepted_ms, not_after_ms, targets, ended, succeeded FROM commands WHERE "
    "command_id = $1",
    // FindPrefix
    "SELECT digest, command_id, envelope, cert_envelope, verb, operator_id, detail, "
    "accepted_ms, not_after_ms, targets, ended, succeeded FROM commands WHERE digest "
    "BETWEEN $1 AND $2 LIMIT 2",
    // ListCommands
    "SELECT digest, command_id, envelope, cert_envelope, verb, operator_id, detail, "
    "accepted_ms, not_after_ms, targets, ended, succeeded FROM commands WHERE "
    "accepted_ms < $1 ORDER BY accepted_ms DESC, ordinal DESC LIMIT $2",
    // ListOpenCommands
    "SELECT digest, command_id, envelope, cert_envelope, verb, operator_id, detail, "
    "accepted_ms, not_after_ms, targets, ended, succeeded FROM commands WHERE ended < "
    "targets AND accepted_ms < $1 ORDER BY accepted_ms DESC, ordinal DESC LIMIT $2",
    // FindDelivery
    "SELECT digest, agent_id, state, accepted_ms, sent_ms, received_ms, started_ms, "
    "ended_ms, sends, attempt, next_seq, output_attempt, stored_bytes, chunk_count, "
    "stream_complete, place, output_name, output_sha256, outcome, failure, message, "
    "result_envelope FROM deliveries WHERE digest = $1 AND agent_id = $2",
    // DeliveriesOf
    "SELECT digest, agent_id, state, accepted_ms, sent_ms, received_ms, started_ms, "
    "ended_ms, sends, attempt, next_seq, output_attempt, stored_bytes, chunk_count, "
    "stream_complete, place, output_name, output_sha256, outcome, failure, message, "
    "result_envelope FROM deliveries WHERE digest = $1 ORDER BY agent_id",
    // FindToken
    "SELECT hash, uses_left, expires_ms, labels, operator_id FROM tokens WHERE hash = "
    "$1",
    // ListAudit
    "SELECT seq, at_ms, actor, action, digest, agent_id, detail, prev_hash, hash FROM "
    "audit WHERE seq > $1 ORDER BY seq LIMIT $2",
    // ListAuditOf
    "SELECT seq, at_ms, actor, action, digest, agent_id, detail, prev_hash, hash FROM "
    "audit WHERE digest = $1 AND digest != ''::bytea AND seq > $2 ORDER BY seq LIMIT "
    "$3",
    // ReadInline
    "SELECT at, bytes FROM outputs WHERE digest = $1 AND agent_id = $2 AND at >= "
    "coalesce((SELECT max(at) FROM outputs WHERE digest = $1 AND agent_id = $2 AND at "
    "<= $3), 0) AND at < $4 ORDER BY at",
    // PutAgent
    "INSERT INTO agents (id, pubkey, facts, labels, address, enrolled_ms, "
    "last_seen_ms, epoch, instance_nonce, fingerprint, incarnation, contact, "
    "prev_contact, clone_suspected, removed) VALUES "
    "($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15) ON CONFLICT (id) DO UPDATE "
    "SET pubkey = excluded.pubkey, facts = excluded.facts, labels = excluded.labels, "
    "address = excluded.address, enrolled_ms = excluded.enrolled_ms, last_seen_ms = "
    "excluded.last_seen_ms, epoch = excluded.epoch, instance_nonce = "
    "excluded.instance_nonce, fingerprint = excluded.fingerprint, incarnation = "
    "excluded.incarnation, contact = excluded.contact, prev_contact = "
    "excluded.prev_contact, clone_suspected = excluded.clone_suspected, removed = "
    "excluded.removed",
    // InsertCommand
    "INSERT INTO commands (digest, command_id, envelope, cert_envelope, verb, "
    "operator_id, detail, accepted_ms, not_after_ms, targets, ended, succeeded) "
    "VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12)",
    // PutCounts
    "UPDATE commands SET ended = $1, succeeded = $2 WHERE digest = $3",
    // PutDelivery
    "INSERT INTO deliveries (digest, agent_id, state, accepted_ms, sent_ms, "
    "received_ms, started_ms, ended_ms, sends, attempt, next_seq, output_attempt, "
    "stored_bytes, chunk_count, stream_complete, place, output_name, output_sha256, "
    "outcome, failure, message, result_envelope) VALUES "
    "($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22) "
    "ON CONFLICT (digest, agent_id) DO UPDATE SET state = excluded.state, accepted_ms "
    "= excluded.accepted_ms, sent_ms = excluded.sent_ms, received_ms = "
    "excluded.received_ms, started_ms = excluded.started_ms, ended_ms = "
    "excluded.ended_ms, sends = excluded.sends, attempt = excluded.attempt, next_seq "
    "= excluded.next_seq, output_attempt = excluded.output_attempt, stored_bytes = "
    "excluded.stored_bytes, chunk_count = excluded.chunk_count, stream_complete = "
    "excluded.stream_complete, place = excluded.place, output_name = "
    "excluded.output_name, output_sha256 = excluded.output_sha256, outcome = "
    "excluded.outcome, failure = excluded.failure, message = excluded.message, "
    "result_envelope = excluded.result_envelope",
    // PutToken
    "INSERT INTO tokens (hash, uses_left, expires_ms, labels, operator_id) VALUES "
    "($1,$2,$3,$4,$5) ON CONFLICT (hash) DO UPDATE SET uses_left = "
    "excluded.uses_left, expires_ms = excluded.expires_ms, labels = excluded.labels, "
    "operator_id = excluded.operator_id",
    // DropToken
    "DELETE FROM tokens WHERE hash = $1",
    // AppendAudit
    "INSERT INTO audit (seq, at_ms, actor, action, digest, agent_id, detail, "
    "prev_hash, hash) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9)",
    // AppendInline
    "INSERT INTO outputs (digest, agent_id, at, bytes) VALUES ($1,$2,$3,$4) ON "
    "CONFLICT (digest, agent_id, at) DO UPDATE SET bytes = excluded.bytes",
    // DropInline
    "DELETE FROM outputs WHERE digest = $1 AND agent_id = $2"};
static_assert(std::size(kStatements) == static_cast<std::size_t>(Sql::kCount));

std::uint32_t SmallAt(const PostgresRow& row, int column) {
  return static_cast<std::uint32_t>(row.Number(column));
}

AgentRow AgentIn(const PostgresRow& row) {
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

CommandRow CommandIn(const PostgresRow& row) {
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
  out.targets = SmallAt(row, at++);
  out.ended = SmallAt(row, at++);
  out.succeeded = SmallAt(row, at++);
  return out;
}

DeliveryRow DeliveryIn(const PostgresRow& row) {
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
  out.sends = SmallAt(row, at++);
  out.attempt = SmallAt(row, at++);
  out.next_seq = row.Number(at++);
  out.output_attempt = SmallAt(row, at++);
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

TokenRow TokenIn(const PostgresRow& row) {
  TokenRow out;
  out.hash = row.FixedAt<Digest>(0);
  out.uses_left = SmallAt(row, 1);
  out.expires_ms = row.Number(2);
  out.labels = UnpackLabels(row.Bytes(3));
  out.operator_id = row.Bytes(4);
  return out;
}

AuditRow AuditIn(const PostgresRow& row) {
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

class PostgresStore final : public PostgresRecord {
 public:
  explicit PostgresStore(std::unique_ptr<PostgresConnection> db) : db_(std::move(db)) {}

  Result<std::vector<AgentRow>> LoadAgents() override {
    return Long<AgentRow>(Sql::kLoadAgents, AgentIn);
  }
  Result<std::vector<CommandRow>> LoadOpenCommands() override {
    return Long<CommandRow>(Sql::kLoadCommands, CommandIn);
  }
  Result<std::vector<DeliveryRow>> LoadOpenDeliveries() override {
    return Long<DeliveryRow>(Sql::kLoadDeliveries, DeliveryIn);
  }
  Result<std::optional<AuditRow>> LastAudit() override {
    return One(Sql::kLastAudit, PostgresValues(), AuditIn);
  }
  Result<std::vector<Nonce16>> IncomingFiles() override {
    return Long<Nonce16>(Sql::kIncoming,
                         [](const PostgresRow& row) { return row.FixedAt<Nonce16>(0); });
  }
  Result<std::optional<CommandRow>> FindCommand(const Digest& digest) override {
    return One(Sql::kFindCommand, PostgresValues(digest), CommandIn);
  }
  Result<std::optional<CommandRow>> FindCommandById(const CommandId& id) override {
    return One(Sql::kFindById, PostgresValues(id), CommandIn);
  }
  Result<std::vector<CommandRow>> FindCommandsByPrefix(std::string_view prefix) override;
  Result<std::vector<CommandRow>> ListCommands(std::uint64_t before_ms, std::size_t limit,
                                               bool open_only) override;
  Result<std::optional<DeliveryRow>> FindDelivery(const Digest& digest,
                                                  const AgentId& agent) override {
    return One(Sql::kFindDelivery, PostgresValues(digest, agent), DeliveryIn);
  }
  Result<std::vector<DeliveryRow>> DeliveriesOf(const Digest& digest) override {
    return All(Sql::kDeliveriesOf, PostgresValues(digest), DeliveryIn);
  }
  Result<std::optional<TokenRow>> FindToken(const Digest& hash) override {
    return One(Sql::kFindToken, PostgresValues(hash), TokenIn);
  }
  Result<std::vector<AuditRow>> ListAudit(std::uint64_t after_seq, std::size_t limit,
                                          std::string_view digest) override {
    const std::uint64_t count = limit;
    if (digest.empty()) return All(Sql::kListAudit, PostgresValues(after_seq, count), AuditIn);
    return All(Sql::kListAuditOf, PostgresValues(digest, after_seq, count), AuditIn);
  }
  Result<std::string> ReadInline(const Digest& digest, const AgentId& agent, std::uint64_t offset,
                                 std::size_t max_bytes) override;

  Status PutAgent(const AgentRow& row) override;
  Status InsertCommand(const CommandRow& row) override;
  Status PutCommandCounts(const Digest& digest, std::uint32_t ended,
                          std::uint32_t succeeded) override {
    return Write(Sql::kPutCounts, PostgresValues(ended, succeeded, digest));
  }
  Status PutDelivery(const DeliveryRow& row) override;
  Status PutToken(const TokenRow& row) override;
  Status AppendAudit(const AuditRow& row) override {
    return Write(Sql::kAppendAudit,
                 PostgresValues(row.seq, row.at_ms, row.actor, row.action, row.digest, row.agent_id,
                                row.detail, row.prev_hash, row.hash));
  }
  Status AppendInline(const Digest& digest, const AgentId& agent, std::uint64_t offset,
                      std::string_view bytes) override {
    return Write(Sql::kAppendInline, PostgresValues(digest, agent, offset, bytes));
  }
  Status DropInline(const Digest& digest, const AgentId& agent) override {
    return Write(Sql::kDropInline, PostgresValues(digest, agent));
  }
  Status Commit() override { return db_->Commit(); }
  void Rollback() override { db_->Rollback(); }
  void Keep() override { db_->Keep(); }
  std::optional<Error> must_reload() const override { return db_->must_reload(); }

 private:
  Status Write(Sql sql, const PostgresValues& values) {
    return db_->Write(static_cast<std::size_t>(sql), values);
  }
  template <typename Row>
  Result<std::vector<Row>> All(Sql sql, const PostgresValues& values,
                               Row (*read)(const PostgresRow&)) {
    std::vector<Row> out;
    HF_TRY(db_->Read(static_cast<std::size_t>(sql), values,
                     [&](const PostgresRow& row) { out.push_back(read(row)); }));
    return out;
  }
  template <typename Row>
  Result<std::optional<Row>> One(Sql sql, const PostgresValues& values,
                                 Row (*read)(const PostgresRow&)) {
    std::optional<Row> out;
    HF_TRY(db_->Read(static_cast<std::size_t>(sql), values,
                     [&](const PostgresRow& row) { out = read(row); }));
    return out;
  }
  // What a start loads may be long: as long as rows come, it goes on.
  template <typename Row>
  Result<std::vector<Row>> Long(Sql sql, Row (*read)(const PostgresRow&)) {
    HF_TRY(db_->Read(static_cast<std::size_t>(Sql::kLongLoad), PostgresValues(),
                     [](const PostgresRow&) {}));
    auto out = All(sql, PostgresValues(), read);
    HF_TRY(db_->Read(static_cast<std::size_t>(Sql::kShortAgain), PostgresValues(),
                     [](const PostgresRow&) {}));
    return out;
  }

  std::unique_ptr<PostgresConnection> db_;
};

Result<std::vector<CommandRow>> PostgresStore::FindCommandsByPrefix(std::string_view prefix) {
  // Every digest that begins with the prefix lies between it and it filled up with 0xff.
  const std::string low(prefix.substr(0, Digest::kSize));
  std::string high = low;
  high.resize(Digest::kSize, '\xff');
  return All(Sql::kFindPrefix, PostgresValues(low, high), CommandIn);
}

Result<std::vector<CommandRow>> PostgresStore::ListCommands(std::uint64_t before_ms,
                                                            std::size_t limit, bool open_only) {
  constexpr std::uint64_t kEndOfTime = INT64_MAX;  // what a bigint reaches
  const std::uint64_t before = before_ms == 0 || before_ms > kEndOfTime ? kEndOfTime : before_ms;
  return All(open_only ? Sql::kListOpenCommands : Sql::kListCommands,
             PostgresValues(before, std::uint64_t{limit}), CommandIn);
}

Result<std::string> PostgresStore::ReadInline(const Digest& digest, const AgentId& agent,
                                              std::uint64_t offset, std::size_t max_bytes) {
  std::string out;
  std::uint64_t next = offset;
  bool more = true;
  HF_TRY(db_->Read(
      static_cast<std::size_t>(Sql::kReadInline),
      PostgresValues(digest, agent, offset, offset + max_bytes), [&](const PostgresRow& row) {
        const std::uint64_t at = row.Number(0);
        const std::string_view bytes = row.View(1);
        // A hole, or the end lies before `offset`.
        more = more && out.size() < max_bytes && at <= next && at + bytes.size() > next;
        if (!more) return;
        out.append(bytes.substr(static_cast<std::size_t>(next - at), max_bytes - out.size()));
        next = at + bytes.size();
      }));
  return out;
}

Status PostgresStore::PutAgent(const AgentRow& row) {
  return Write(Sql::kPutAgent,
               PostgresValues(row.id, row.pubkey, row.facts.view(), PackLabels(row.labels),
                              row.address.view(), row.enrolled_ms, row.last_seen_ms, row.epoch,
                              row.instance_nonce, row.fingerprint, row.incarnation, row.contact,
                              row.prev_contact, row.clone_suspected, row.removed));
}

Status PostgresStore::InsertCommand(const CommandRow& row) {
  return Write(Sql::kInsertCommand,
               PostgresValues(row.digest, row.command_id, row.envelope, row.cert_envelope, row.verb,
                              row.operator_id, row.detail, row.accepted_ms, row.not_after_ms,
                              row.targets, row.ended, row.succeeded));
}

Status PostgresStore::PutDelivery(const DeliveryRow& row) {
  return Write(
      Sql::kPutDelivery,
      PostgresValues(row.digest, row.agent_id, std::uint32_t{static_cast<std::uint8_t>(row.state)},
                     row.accepted_ms, row.sent_ms, row.received_ms, row.started_ms, row.ended_ms,
                     row.sends, row.attempt, row.next_seq, row.output_attempt, row.stored_bytes,
                     row.chunk_count, row.stream_complete,
                     std::uint32_t{static_cast<std::uint8_t>(row.place)}, row.output_name,
                     row.output_sha256, static_cast<std::uint32_t>(row.outcome),
                     static_cast<std::uint32_t>(row.failure), row.message, row.result_envelope));
}

Status PostgresStore::PutToken(const TokenRow& row) {
  if (row.uses_left == 0) return Write(Sql::kDropToken, PostgresValues(row.hash));
  return Write(Sql::kPutToken, PostgresValues(row.hash, row.uses_left, row.expires_ms,
                                              PackLabels(row.labels), row.operator_id));
}

}  // namespace

Result<std::unique_ptr<PostgresRecord>> OpenPostgresStore(const std::string& url,
                                                          const std::string& name,
                                                          std::function<void()> on_progress) {
  HF_ASSIGN_OR_RETURN(std::unique_ptr<PostgresConnection> db,
                      PostgresConnection::Open({url, name, std::move(on_progress)},
                                               kPostgresSchemaSteps, kStatements));
  return std::unique_ptr<PostgresRecord>(std::make_unique<PostgresStore>(std::move(db)));
}

Status CheckPostgres(const std::string& url, bool must_be_free) {
  HF_ASSIGN_OR_RETURN(const PostgresState state,
                      LookAtPostgres(url, std::size(kPostgresSchemaSteps)));
  if (must_be_free && state.held) {
    return Error{Code::kUnavailable,
                 "another holdfastd has this record open; one fleet, one running holdfastd"};
  }
  return Ok();
}

}  // namespace holdfast::backend
