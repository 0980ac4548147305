#include "backend/adapters/sqlite/sqlite_store.h"

#include <cstdint>
#include <iterator>
#include <utility>

#include <sqlite3.h>

#include "backend/adapters/sqlite/sqlite_connection.h"
#include "backend/adapters/sqlite/sqlite_schema.h"
#include "backend/core/store_columns.h"

namespace holdfast::backend {
namespace {

// Runs a bound query and makes a row of each line.
template <typename Row>
Result<std::vector<Row>> All(SqliteStatement& query, Row (*read)(const SqliteStatement&)) {
  std::vector<Row> out;
  for (;;) {
    HF_ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) break;
    out.push_back(read(query));
  }
  query.Reset();
  return out;
}

template <typename Row>
Result<std::optional<Row>> One(SqliteStatement& query, Row (*read)(const SqliteStatement&)) {
  HF_ASSIGN_OR_RETURN(const bool row, query.Step());
  std::optional<Row> out;
  if (row) out = read(query);
  query.Reset();
  return out;
}

class SqliteStore final : public SqliteLedger {
 private:
  // Values into a statement that writes.
  auto Into(SqliteStatement& statement) {
    return
        [this, &statement](const auto&... values) { return db_.Write(statement.Bind(values...)); };
  }

 public:
  explicit SqliteStore(SqliteConnection connection) : db_(std::move(connection)) {}
  Status Prepare();

  Result<std::vector<AgentRow>> LoadAgents() override {
    return All(load_agents_.Bind(), ReadAgent<SqliteStatement>);
  }
  Result<std::vector<CommandRow>> LoadOpenCommands() override {
    return All(load_commands_.Bind(), ReadCommand<SqliteStatement>);
  }
  Result<std::vector<DeliveryRow>> LoadOpenDeliveries() override {
    return All(load_deliveries_.Bind(), ReadDelivery<SqliteStatement>);
  }
  Result<std::optional<AuditRow>> LastAudit() override {
    return One(last_audit_.Bind(), ReadAudit<SqliteStatement>);
  }
  Result<std::vector<Nonce16>> IncomingFiles() override {
    return All<Nonce16>(incoming_.Bind(),
                        [](const SqliteStatement& row) { return row.FixedAt<Nonce16>(0); });
  }
  Result<std::optional<CommandRow>> FindCommand(const Digest& digest) override {
    return One(find_command_.Bind(digest), ReadCommand<SqliteStatement>);
  }
  Result<std::optional<CommandRow>> FindCommandById(const CommandId& id) override {
    return One(find_by_id_.Bind(id), ReadCommand<SqliteStatement>);
  }
  Result<std::vector<CommandRow>> FindCommandsByPrefix(std::string_view prefix) override;
  Result<std::vector<CommandRow>> ListCommands(std::uint64_t before_ms, std::size_t limit,
                                               bool open_only) override;
  Result<std::optional<DeliveryRow>> FindDelivery(const Digest& digest,
                                                  const AgentId& agent) override {
    return One(find_delivery_.Bind(digest, agent), ReadDelivery<SqliteStatement>);
  }
  Result<std::vector<DeliveryRow>> DeliveriesOf(const Digest& digest) override {
    return All(deliveries_of_.Bind(digest), ReadDelivery<SqliteStatement>);
  }
  Result<std::optional<TokenRow>> FindToken(const Digest& hash) override {
    return One(find_token_.Bind(hash), ReadToken<SqliteStatement>);
  }
  Result<std::vector<AuditRow>> ListAudit(std::uint64_t after_seq, std::size_t limit,
                                          std::string_view digest) override {
    const std::uint64_t count = limit;
    if (digest.empty()) return All(list_audit_.Bind(after_seq, count), ReadAudit<SqliteStatement>);
    return All(list_audit_of_.Bind(digest, after_seq, count), ReadAudit<SqliteStatement>);
  }
  Result<std::string> ReadInline(const Digest& digest, const AgentId& agent, std::uint64_t offset,
                                 std::size_t max_bytes) override;

  Status PutAgent(const AgentRow& row) override { return WithAgent(row, Into(put_agent_)); }
  Status InsertCommand(const CommandRow& row) override {
    return WithCommand(row, Into(insert_command_));
  }
  Status PutCommandCounts(const Digest& digest, std::uint32_t ended,
                          std::uint32_t succeeded) override {
    return db_.Write(put_counts_.Bind(ended, succeeded, digest));
  }
  Status PutDelivery(const DeliveryRow& row) override {
    return WithDelivery(row, Into(put_delivery_));
  }
  Status PutToken(const TokenRow& row) override {
    if (row.uses_left == 0) return db_.Write(drop_token_.Bind(row.hash));
    return WithToken(row, Into(put_token_));
  }
  Status DropTokens() override { return db_.Write(drop_tokens_.Bind()); }
  Status AppendAudit(const AuditRow& row) override { return WithAudit(row, Into(append_audit_)); }
  Status AppendInline(const Digest& digest, const AgentId& agent, std::uint64_t offset,
                      std::string_view bytes) override {
    return db_.Write(append_inline_.Bind(digest, agent, offset, bytes));
  }
  Status DropInline(const Digest& digest, const AgentId& agent) override {
    return db_.Write(drop_inline_.Bind(digest, agent));
  }
  Status Commit() override { return db_.Commit(); }
  void Rollback() override { db_.Rollback(); }
  Result<std::unique_ptr<SqliteCopy>> Copy(const std::string& path) override {
    return SqliteCopy::Begin(db_.get(), path);
  }

 private:
  SqliteConnection db_;  // outlives the statements below
  SqliteStatement load_agents_, load_commands_, load_deliveries_, last_audit_, incoming_;
  SqliteStatement find_command_, find_by_id_, find_prefix_, list_commands_, list_open_commands_;
  SqliteStatement find_delivery_, deliveries_of_, find_token_, list_audit_, list_audit_of_;
  SqliteStatement read_inline_, put_agent_, insert_command_, put_counts_, put_delivery_;
  SqliteStatement put_token_, drop_token_, drop_tokens_, append_audit_, append_inline_,
      drop_inline_;
};

Status SqliteStore::Prepare() {
  const std::pair<SqliteStatement*, const char*> statements[] = {
      {&load_agents_, "SELECT " HF_AGENT_COLUMNS " FROM agents"},
      {&load_commands_,
       "SELECT " HF_COMMAND_COLUMNS " FROM commands WHERE ended < targets ORDER BY rowid"},
      {&load_deliveries_, "SELECT " HF_DELIVERY_COLUMNS " FROM deliveries WHERE state != 5"},
      {&last_audit_, "SELECT " HF_AUDIT_COLUMNS " FROM audit ORDER BY seq DESC LIMIT 1"},
      {&incoming_, "SELECT output_name FROM deliveries WHERE place = 2"},
      {&find_command_, "SELECT " HF_COMMAND_COLUMNS " FROM commands WHERE digest = ?"},
      {&find_by_id_, "SELECT " HF_COMMAND_COLUMNS " FROM commands WHERE command_id = ?"},
      {&find_prefix_,
       "SELECT " HF_COMMAND_COLUMNS " FROM commands WHERE digest BETWEEN ? AND ? LIMIT 2"},
      {&list_commands_, "SELECT " HF_COMMAND_COLUMNS
                        " FROM commands WHERE accepted_ms < ? ORDER BY accepted_ms DESC, rowid DESC"
                        " LIMIT ?"},
      {&list_open_commands_,
       "SELECT " HF_COMMAND_COLUMNS " FROM commands WHERE ended < targets AND accepted_ms < ?"
       " ORDER BY accepted_ms DESC, rowid DESC LIMIT ?"},
      {&find_delivery_,
       "SELECT " HF_DELIVERY_COLUMNS " FROM deliveries WHERE digest = ? AND agent_id = ?"},
      {&deliveries_of_,
       "SELECT " HF_DELIVERY_COLUMNS " FROM deliveries WHERE digest = ? ORDER BY agent_id"},
      {&find_token_, "SELECT " HF_TOKEN_COLUMNS " FROM tokens WHERE hash = ?"},
      {&list_audit_, "SELECT " HF_AUDIT_COLUMNS " FROM audit WHERE seq > ? ORDER BY seq LIMIT ?"},
      {&list_audit_of_,
       "SELECT " HF_AUDIT_COLUMNS " FROM audit WHERE digest = ? AND digest != x'' AND seq > ?"
       " ORDER BY seq LIMIT ?"},
      {&read_inline_,
       "SELECT offset, bytes FROM outputs WHERE digest = ?1 AND agent_id = ?2"
       " AND offset >= coalesce((SELECT max(offset) FROM outputs"
       " WHERE digest = ?1 AND agent_id = ?2 AND offset <= ?3), 0) ORDER BY offset"},
      {&put_agent_, "INSERT OR REPLACE INTO agents VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"},
      {&insert_command_,
       "INSERT INTO commands (" HF_COMMAND_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"},
      {&put_counts_, "UPDATE commands SET ended = ?, succeeded = ? WHERE digest = ?"},
      {&put_delivery_, "INSERT OR REPLACE INTO deliveries (" HF_DELIVERY_COLUMNS
                       ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"},
      {&put_token_, "INSERT OR REPLACE INTO tokens VALUES (?,?,?,?,?)"},
      {&drop_token_, "DELETE FROM tokens WHERE hash = ?"},
      {&drop_tokens_, "DELETE FROM tokens"},
      {&append_audit_, "INSERT INTO audit VALUES (?,?,?,?,?,?,?,?,?)"},
      {&append_inline_, "INSERT OR REPLACE INTO outputs VALUES (?,?,?,?)"},
      {&drop_inline_, "DELETE FROM outputs WHERE digest = ? AND agent_id = ?"},
  };
  for (const auto& [statement, sql] : statements) {
    HF_ASSIGN_OR_RETURN(*statement, SqliteStatement::Prepare(db_.get(), sql));
  }
  return Ok();
}

Result<std::vector<CommandRow>> SqliteStore::FindCommandsByPrefix(std::string_view prefix) {
  const auto [low, high] = DigestsWithPrefix(prefix);
  return All(find_prefix_.Bind(low, high), ReadCommand<SqliteStatement>);
}

Result<std::vector<CommandRow>> SqliteStore::ListCommands(std::uint64_t before_ms,
                                                          std::size_t limit, bool open_only) {
  SqliteStatement& query = open_only ? list_open_commands_ : list_commands_;
  return All(query.Bind(BeforeOrAll(before_ms), std::uint64_t{limit}),
             ReadCommand<SqliteStatement>);
}

Result<std::string> SqliteStore::ReadInline(const Digest& digest, const AgentId& agent,
                                            std::uint64_t offset, std::size_t max_bytes) {
  InlineOutput out(offset, max_bytes);
  read_inline_.Bind(digest, agent, offset);
  for (bool more = true; more;) {
    HF_ASSIGN_OR_RETURN(const bool row, read_inline_.Step());
    more = row && out.Take(read_inline_.Number(0), read_inline_.Bytes(1));
  }
  read_inline_.Reset();
  return std::move(out.bytes());
}

}  // namespace

Result<std::unique_ptr<SqliteLedger>> OpenSqliteStore(const std::string& path,
                                                      std::function<void()> on_progress) {
  HF_ASSIGN_OR_RETURN(SqliteConnection connection,
                      SqliteConnection::Open(path, std::move(on_progress)));
  HF_TRY(connection.Migrate(kSchemaSteps));
  auto store = std::make_unique<SqliteStore>(std::move(connection));
  HF_TRY(store->Prepare());
  return std::unique_ptr<SqliteLedger>(std::move(store));
}

std::uint32_t LedgerSchema() { return static_cast<std::uint32_t>(std::size(kSchemaSteps)); }

std::optional<std::uint32_t> SchemaOf(std::string_view first_bytes) {
  constexpr std::string_view kMagic{"SQLite format 3\0", 16};
  constexpr std::size_t kUserVersionAt = 60;  // https://sqlite.org/fileformat.html, 1.3
  if (first_bytes.size() < kSchemaHeaderBytes || !first_bytes.starts_with(kMagic))
    return std::nullopt;
  std::uint32_t schema = 0;
  for (const char byte : first_bytes.substr(kUserVersionAt, sizeof schema)) {
    schema = schema << 8 | static_cast<unsigned char>(byte);
  }
  return schema;
}

}  // namespace holdfast::backend
