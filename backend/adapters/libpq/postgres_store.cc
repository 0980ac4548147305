#include "backend/adapters/libpq/postgres_store.h"

#include <cstdint>
#include <iterator>
#include <utility>
#include <vector>

#include "backend/adapters/libpq/postgres_connection.h"
#include "backend/adapters/libpq/postgres_schema.h"
#include "backend/core/store_columns.h"

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
    "SELECT " HF_AGENT_COLUMNS " FROM agents",
    // LoadCommands
    "SELECT " HF_COMMAND_COLUMNS " FROM commands WHERE ended < targets ORDER BY ordinal",
    // LoadDeliveries
    "SELECT " HF_DELIVERY_COLUMNS " FROM deliveries WHERE state != 5 ORDER BY accepted_ms",
    // LastAudit
    "SELECT " HF_AUDIT_COLUMNS " FROM audit ORDER BY seq DESC LIMIT 1",
    // Incoming
    "SELECT output_name FROM deliveries WHERE place = 2",
    // FindCommand
    "SELECT " HF_COMMAND_COLUMNS " FROM commands WHERE digest = $1",
    // FindById
    "SELECT " HF_COMMAND_COLUMNS " FROM commands WHERE command_id = $1",
    // FindPrefix
    "SELECT " HF_COMMAND_COLUMNS " FROM commands WHERE digest BETWEEN $1 AND $2 LIMIT 2",
    // ListCommands
    "SELECT " HF_COMMAND_COLUMNS
    " FROM commands WHERE accepted_ms < $1 ORDER BY accepted_ms DESC, ordinal DESC LIMIT $2",
    // ListOpenCommands
    "SELECT " HF_COMMAND_COLUMNS
    " FROM commands WHERE ended < targets AND accepted_ms < $1 ORDER BY accepted_ms DESC, ordinal "
    "DESC LIMIT $2",
    // FindDelivery
    "SELECT " HF_DELIVERY_COLUMNS " FROM deliveries WHERE digest = $1 AND agent_id = $2",
    // DeliveriesOf
    "SELECT " HF_DELIVERY_COLUMNS " FROM deliveries WHERE digest = $1 ORDER BY agent_id",
    // FindToken
    "SELECT " HF_TOKEN_COLUMNS " FROM tokens WHERE hash = $1",
    // ListAudit
    "SELECT " HF_AUDIT_COLUMNS " FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2",
    // ListAuditOf
    "SELECT " HF_AUDIT_COLUMNS
    " FROM audit WHERE digest = $1 AND digest != ''::bytea AND seq > $2 ORDER BY seq LIMIT $3",
    // ReadInline
    "SELECT at, bytes FROM outputs WHERE digest = $1 AND agent_id = $2 AND at >= coalesce((SELECT "
    "max(at) FROM outputs WHERE digest = $1 AND agent_id = $2 AND at <= $3), 0) AND at < $4 ORDER "
    "BY at",
    // PutAgent
    "INSERT INTO agents (" HF_AGENT_COLUMNS
    ") VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15) ON CONFLICT (id) DO UPDATE SET "
    "pubkey = excluded.pubkey, facts = excluded.facts, labels = excluded.labels, address = "
    "excluded.address, enrolled_ms = excluded.enrolled_ms, last_seen_ms = excluded.last_seen_ms, "
    "epoch = excluded.epoch, instance_nonce = excluded.instance_nonce, fingerprint = "
    "excluded.fingerprint, incarnation = excluded.incarnation, contact = excluded.contact, "
    "prev_contact = excluded.prev_contact, clone_suspected = excluded.clone_suspected, removed = "
    "excluded.removed",
    // InsertCommand
    "INSERT INTO commands (" HF_COMMAND_COLUMNS ") VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12)",
    // PutCounts
    "UPDATE commands SET ended = $1, succeeded = $2 WHERE digest = $3",
    // PutDelivery
    "INSERT INTO deliveries (" HF_DELIVERY_COLUMNS
    ") VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22) ON "
    "CONFLICT (digest, agent_id) DO UPDATE SET state = excluded.state, accepted_ms = "
    "excluded.accepted_ms, sent_ms = excluded.sent_ms, received_ms = excluded.received_ms, "
    "started_ms = excluded.started_ms, ended_ms = excluded.ended_ms, sends = excluded.sends, "
    "attempt = excluded.attempt, next_seq = excluded.next_seq, output_attempt = "
    "excluded.output_attempt, stored_bytes = excluded.stored_bytes, chunk_count = "
    "excluded.chunk_count, stream_complete = excluded.stream_complete, place = excluded.place, "
    "output_name = excluded.output_name, output_sha256 = excluded.output_sha256, outcome = "
    "excluded.outcome, failure = excluded.failure, message = excluded.message, result_envelope = "
    "excluded.result_envelope",
    // PutToken
    "INSERT INTO tokens (" HF_TOKEN_COLUMNS
    ") VALUES ($1,$2,$3,$4,$5) ON CONFLICT (hash) DO UPDATE SET uses_left = excluded.uses_left, "
    "expires_ms = excluded.expires_ms, labels = excluded.labels, operator_id = "
    "excluded.operator_id",
    // DropToken
    "DELETE FROM tokens WHERE hash = $1",
    // AppendAudit
    "INSERT INTO audit (" HF_AUDIT_COLUMNS ") VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9)",
    // AppendInline
    "INSERT INTO outputs (digest, agent_id, at, bytes) VALUES ($1,$2,$3,$4) ON CONFLICT (digest, "
    "agent_id, at) DO UPDATE SET bytes = excluded.bytes",
    // DropInline
    "DELETE FROM outputs WHERE digest = $1 AND agent_id = $2"};
static_assert(std::size(kStatements) == static_cast<std::size_t>(Sql::kCount));

class PostgresStore final : public PostgresRecord {
 private:
  // Values into a statement that writes.
  auto Into(Sql sql) {
    return [this, sql](const auto&... values) { return Write(sql, PostgresValues(values...)); };
  }

 public:
  explicit PostgresStore(std::unique_ptr<PostgresConnection> db) : db_(std::move(db)) {}

  std::uint64_t epoch() const override { return db_->epoch(); }
  Result<std::vector<AgentRow>> LoadAgents() override {
    return Long<AgentRow>(Sql::kLoadAgents, ReadAgent<PostgresRow>);
  }
  Result<std::vector<CommandRow>> LoadOpenCommands() override {
    return Long<CommandRow>(Sql::kLoadCommands, ReadCommand<PostgresRow>);
  }
  Result<std::vector<DeliveryRow>> LoadOpenDeliveries() override {
    return Long<DeliveryRow>(Sql::kLoadDeliveries, ReadDelivery<PostgresRow>);
  }
  Result<std::optional<AuditRow>> LastAudit() override {
    return One(Sql::kLastAudit, PostgresValues(), ReadAudit<PostgresRow>);
  }
  Result<std::vector<Nonce16>> IncomingFiles() override {
    return Long<Nonce16>(Sql::kIncoming,
                         [](const PostgresRow& row) { return row.FixedAt<Nonce16>(0); });
  }
  Result<std::optional<CommandRow>> FindCommand(const Digest& digest) override {
    return One(Sql::kFindCommand, PostgresValues(digest), ReadCommand<PostgresRow>);
  }
  Result<std::optional<CommandRow>> FindCommandById(const CommandId& id) override {
    return One(Sql::kFindById, PostgresValues(id), ReadCommand<PostgresRow>);
  }
  Result<std::vector<CommandRow>> FindCommandsByPrefix(std::string_view prefix) override;
  Result<std::vector<CommandRow>> ListCommands(std::uint64_t before_ms, std::size_t limit,
                                               bool open_only) override;
  Result<std::optional<DeliveryRow>> FindDelivery(const Digest& digest,
                                                  const AgentId& agent) override {
    return One(Sql::kFindDelivery, PostgresValues(digest, agent), ReadDelivery<PostgresRow>);
  }
  Result<std::vector<DeliveryRow>> DeliveriesOf(const Digest& digest) override {
    return All(Sql::kDeliveriesOf, PostgresValues(digest), ReadDelivery<PostgresRow>);
  }
  Result<std::optional<TokenRow>> FindToken(const Digest& hash) override {
    return One(Sql::kFindToken, PostgresValues(hash), ReadToken<PostgresRow>);
  }
  Result<std::vector<AuditRow>> ListAudit(std::uint64_t after_seq, std::size_t limit,
                                          std::string_view digest) override {
    const std::uint64_t count = limit;
    if (digest.empty())
      return All(Sql::kListAudit, PostgresValues(after_seq, count), ReadAudit<PostgresRow>);
    return All(Sql::kListAuditOf, PostgresValues(digest, after_seq, count), ReadAudit<PostgresRow>);
  }
  Result<std::string> ReadInline(const Digest& digest, const AgentId& agent, std::uint64_t offset,
                                 std::size_t max_bytes) override;

  Status PutAgent(const AgentRow& row) override { return WithAgent(row, Into(Sql::kPutAgent)); }
  Status InsertCommand(const CommandRow& row) override {
    return WithCommand(row, Into(Sql::kInsertCommand));
  }
  Status PutCommandCounts(const Digest& digest, std::uint32_t ended,
                          std::uint32_t succeeded) override {
    return Write(Sql::kPutCounts, PostgresValues(ended, succeeded, digest));
  }
  Status PutDelivery(const DeliveryRow& row) override {
    return WithDelivery(row, Into(Sql::kPutDelivery));
  }
  Status PutToken(const TokenRow& row) override {
    if (row.uses_left == 0) return Write(Sql::kDropToken, PostgresValues(row.hash));
    return WithToken(row, Into(Sql::kPutToken));
  }
  Status AppendAudit(const AuditRow& row) override {
    return WithAudit(row, Into(Sql::kAppendAudit));
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
  const auto [low, high] = DigestsWithPrefix(prefix);
  return All(Sql::kFindPrefix, PostgresValues(low, high), ReadCommand<PostgresRow>);
}

Result<std::vector<CommandRow>> PostgresStore::ListCommands(std::uint64_t before_ms,
                                                            std::size_t limit, bool open_only) {
  return All(open_only ? Sql::kListOpenCommands : Sql::kListCommands,
             PostgresValues(BeforeOrAll(before_ms), std::uint64_t{limit}),
             ReadCommand<PostgresRow>);
}

Result<std::string> PostgresStore::ReadInline(const Digest& digest, const AgentId& agent,
                                              std::uint64_t offset, std::size_t max_bytes) {
  InlineOutput out(offset, max_bytes);
  HF_TRY(db_->Read(static_cast<std::size_t>(Sql::kReadInline),
                   PostgresValues(digest, agent, offset, offset + max_bytes),
                   [&](const PostgresRow& row) { out.Take(row.Number(0), row.View(1)); }));
  return std::move(out.bytes());
}

}  // namespace

Result<std::unique_ptr<PostgresRecord>> OpenPostgresStore(const std::string& url,
                                                          const std::string& name,
                                                          std::function<void()> on_progress,
                                                          std::uint64_t last_epoch) {
  PostgresConnection::Options options;
  options.url = url;
  options.name = name;
  options.on_progress = std::move(on_progress);
  options.last_epoch = last_epoch;
  HF_ASSIGN_OR_RETURN(
      std::unique_ptr<PostgresConnection> db,
      PostgresConnection::Open(std::move(options), kPostgresSchemaSteps, kStatements));
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
