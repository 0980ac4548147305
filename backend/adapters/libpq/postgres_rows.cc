#include "backend/adapters/libpq/postgres_rows.h"

#include <utility>
#include <vector>

#include "backend/adapters/libpq/postgres_connection.h"
#include "backend/adapters/libpq/postgres_schema.h"
#include "backend/core/store_columns.h"

namespace holdfast::backend {
namespace {

// A large table may be sorted, a large transaction synced, before the server says anything.
constexpr std::chrono::milliseconds kLongAnswerWait{300'000};
// What the session may have in flight before its answers are taken.
constexpr std::size_t kRowsInFlight = 1000;

class PostgresRows final : public RecordRows {
 public:
  // Statements by number: kPatience, kNothing, and then a page and an insert for each table.
  enum : std::size_t { kPatience, kNothing, kFirstTable };

  PostgresRows() {
    statements_ = {"SET LOCAL statement_timeout = 0", "SELECT 1"};
    for (const RecordSql& sql : sqls_) {
      statements_.push_back(sql.Page('$'));
      statements_.push_back(sql.Insert('$'));
    }
  }

  Status Open(const std::string& url, const std::string& name, std::function<bool()> stop) {
    for (const std::string& statement : statements_) texts_.push_back(statement.c_str());
    PostgresConnection::Options options;
    options.url = url;
    options.name = name;
    options.stop = std::move(stop);
    options.answer_wait = kLongAnswerWait;
    options.idle_in_transaction = "10min";  // the other side may be slow
    HF_ASSIGN_OR_RETURN(db_,
                        PostgresConnection::Open(std::move(options), kPostgresSchemaSteps, texts_));
    return db_->Write(kPatience, PostgresValues());  // begins the transaction
  }

  Status Rewind(RecordTable table) override {
    at_ = static_cast<std::size_t>(table);
    last_ = sqls_[at_].before;
    return Ok();
  }

  Result<std::vector<RecordRow>> Next() override {
    in_flight_ = 0;
    RecordRow bound = last_;
    bound.emplace_back(std::uint64_t{kRowsAtOnce});
    std::vector<RecordRow> out;
    HF_TRY(
        db_->Read(kFirstTable + 2 * at_, PostgresValues::Of(bound), [&](const PostgresRow& cells) {
          RecordRow row = cells.Row();
          const auto keys = static_cast<std::ptrdiff_t>(sqls_[at_].keys());
          last_.assign(row.begin(), row.begin() + keys);
          row.erase(row.begin(), row.begin() + keys);
          out.push_back(std::move(row));
        }));
    return out;
  }

  Status Insert(RecordTable table, const RecordRow& row) override {
    HF_TRY(
        db_->Write(kFirstTable + 2 * static_cast<std::size_t>(table) + 1, PostgresValues::Of(row)));
    if (++in_flight_ < kRowsInFlight) return Ok();
    in_flight_ = 0;
    return db_->Read(kNothing, PostgresValues(), [](const PostgresRow&) {});
  }

  Status Commit() override { return db_->Commit(); }

 private:
  const std::vector<RecordSql> sqls_ = RecordSqls("ordinal", "at", "digest, agent_id, at, bytes");
  std::vector<std::string> statements_;
  std::vector<const char*> texts_;  // of statements_, for db_
  std::unique_ptr<PostgresConnection> db_;
  std::size_t at_ = 0;
  RecordRow last_;
  std::size_t in_flight_ = 0;
};

}  // namespace

Result<std::unique_ptr<RecordRows>> OpenPostgresRows(const std::string& url,
                                                     const std::string& name,
                                                     std::function<bool()> stop) {
  auto rows = std::make_unique<PostgresRows>();
  HF_TRY(rows->Open(url, name, std::move(stop)));
  return std::unique_ptr<RecordRows>(std::move(rows));
}

}  // namespace holdfast::backend
