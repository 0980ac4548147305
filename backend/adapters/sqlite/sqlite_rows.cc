#include "backend/adapters/sqlite/sqlite_rows.h"

#include <utility>
#include <vector>

#include "backend/adapters/sqlite/sqlite_connection.h"
#include "backend/adapters/sqlite/sqlite_schema.h"
#include "backend/core/store_columns.h"

namespace holdfast::backend {
namespace {

constexpr std::size_t kRowsACommit = 10'000;

class SqliteRows final : public RecordRows {
 public:
  explicit SqliteRows(SqliteConnection connection) : db_(std::move(connection)) {}

  Status Prepare() {
    for (const RecordSql& sql : sqls_) {
      HF_ASSIGN_OR_RETURN(pages_.emplace_back(),
                          SqliteStatement::Prepare(db_.get(), sql.Page('?').c_str()));
      HF_ASSIGN_OR_RETURN(inserts_.emplace_back(),
                          SqliteStatement::Prepare(db_.get(), sql.Insert('?').c_str()));
    }
    return Ok();
  }

  Status Rewind(RecordTable table) override {
    at_ = static_cast<std::size_t>(table);
    last_ = sqls_[at_].before;
    return Ok();
  }

  Result<std::vector<RecordRow>> Next() override {
    RecordRow bound = last_;
    bound.emplace_back(std::uint64_t{kRowsAtOnce});
    SqliteStatement& page = pages_[at_].BindRow(bound);
    std::vector<RecordRow> out;
    for (;;) {
      HF_ASSIGN_OR_RETURN(const bool is_there, page.Step());
      if (!is_there) break;
      RecordRow row = page.Row();
      const auto keys = static_cast<std::ptrdiff_t>(sqls_[at_].keys());
      last_.assign(row.begin(), row.begin() + keys);
      row.erase(row.begin(), row.begin() + keys);
      out.push_back(std::move(row));
    }
    page.Reset();
    return out;
  }

  Status Insert(RecordTable table, const RecordRow& row) override {
    HF_TRY(db_.Write(inserts_[static_cast<std::size_t>(table)].BindRow(row)));
    return ++uncommitted_ < kRowsACommit ? Ok() : Commit();
  }

  Status Commit() override {
    uncommitted_ = 0;
    return db_.Commit();
  }

 private:
  SqliteConnection db_;  // outlives the statements below
  const std::vector<RecordSql> sqls_ =
      RecordSqls("rowid", "offset", "digest, agent_id, offset, bytes");
  std::vector<SqliteStatement> pages_, inserts_;
  std::size_t at_ = 0;
  RecordRow last_;
  std::size_t uncommitted_ = 0;
};

}  // namespace

Result<std::unique_ptr<RecordRows>> OpenSqliteRows(const std::string& path) {
  HF_ASSIGN_OR_RETURN(SqliteConnection connection, SqliteConnection::Open(path, nullptr));
  HF_TRY(connection.Migrate(kSchemaSteps));
  auto rows = std::make_unique<SqliteRows>(std::move(connection));
  HF_TRY(rows->Prepare());
  return std::unique_ptr<RecordRows>(std::move(rows));
}

}  // namespace holdfast::backend
