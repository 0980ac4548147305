#include "backend/adapters/sqlite/sqlite_connection.h"

#include <cerrno>
#include <utility>

namespace holdfast::backend {

Result<SqliteConnection> SqliteConnection::Open(const std::string& path,
                                                std::function<void()> on_progress) {
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(
      path.c_str(), &db,
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
      nullptr);
  SqliteConnection out(db, std::move(on_progress));
  if (code != SQLITE_OK) return SqliteError(db, code).In(path);
  // EXCLUSIVE: no shared memory file, and a second control finds the ledger locked. A control that
  // was just killed may leave its lock for a moment.
  constexpr int kLockWaitMs = 2000;
  (void)sqlite3_busy_timeout(db, kLockWaitMs);
  for (const char* sql :
       {"PRAGMA locking_mode=EXCLUSIVE", "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL",
        "PRAGMA foreign_keys=ON", "PRAGMA wal_autocheckpoint=1000", "PRAGMA temp_store=MEMORY",
        "PRAGMA trusted_schema=OFF", "BEGIN EXCLUSIVE", "COMMIT"}) {
    if (Status status = out.Exec(sql); !status.ok()) return std::move(status).error().In(path);
  }
  // What was found in the WAL may be in the page cache only: a failed fsync has marked it clean, and no later
  // one would write it. In the database file it is written anew. A full disk may put that off.
  const int copied =
      sqlite3_wal_checkpoint_v2(db, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  const bool is_full = (copied & 0xff) == SQLITE_FULL || sqlite3_system_errno(db) == ENOSPC;
  if (copied != SQLITE_OK && !is_full) return SqliteError(db, copied).In(path);
  return out;
}

SqliteConnection::SqliteConnection(sqlite3* db, std::function<void()> on_progress) : db_(db) {
  if (!on_progress) return;
  constexpr int kOperations = 20'000;  // of its virtual machine: some milliseconds of work on rows
  on_progress_ = std::make_unique<std::function<void()>>(std::move(on_progress));
  sqlite3_progress_handler(
      db_, kOperations,
      [](void* call) {
        (*static_cast<std::function<void()>*>(call))();
        return 0;  // go on
      },
      on_progress_.get());
}

SqliteConnection::SqliteConnection(SqliteConnection&& other) noexcept
    : db_(std::exchange(other.db_, nullptr)), on_progress_(std::move(other.on_progress_)) {}

SqliteConnection::~SqliteConnection() { (void)sqlite3_close_v2(db_); }

Status SqliteConnection::Exec(const char* sql) {
  const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return SqliteError(db_, code);
  return Ok();
}

Status SqliteConnection::Migrate(std::span<const char* const> steps) {
  HF_ASSIGN_OR_RETURN(SqliteStatement query, SqliteStatement::Prepare(db_, "PRAGMA user_version"));
  HF_ASSIGN_OR_RETURN(const bool row, query.Step());
  const std::uint64_t have = row ? query.Number(0) : 0;
  query.Reset();
  if (have > steps.size()) {
    return Error{Code::kUnsupported, "the ledger was written by a newer holdfastd (schema " +
                                         std::to_string(have) + "; this one knows up to " +
                                         std::to_string(steps.size()) + "); install that one"};
  }
  if (have == steps.size()) return Ok();
  HF_TRY(Exec("BEGIN"));
  for (std::size_t step = have; step < steps.size(); ++step) {
    const std::string version = "PRAGMA user_version=" + std::to_string(step + 1);
    Status status = Exec(steps[step]);
    if (status.ok()) status = Exec(version.c_str());
    if (!status.ok()) {
      (void)Exec("ROLLBACK");
      return std::move(status).error().In("changing the ledger's schema");
    }
  }
  HF_TRY(Exec("COMMIT"));
  // Into the file itself: an older program looks for the schema in its first bytes, before it opens anything.
  return Exec("PRAGMA wal_checkpoint(TRUNCATE)");
}

Status SqliteConnection::Write(SqliteStatement& bound) {
  Status status = Ok();
  if (broken_) {
    status = *broken_;
  } else if (!in_turn_) {
    status = Exec("BEGIN");
    in_turn_ = status.ok();
  }
  if (status.ok()) status = bound.Run();
  if (!status.ok() && !broken_) broken_ = status.error();
  return status;
}

Status SqliteConnection::Commit() {
  if (broken_) return *broken_;
  if (!in_turn_) return Ok();
  Status status = Exec("COMMIT");
  if (!status.ok()) {
    Rollback();
    return status;
  }
  in_turn_ = false;
  return Ok();
}

void SqliteConnection::Rollback() {
  // After a full disk SQLite may have rolled back by itself.
  if (in_turn_ && sqlite3_get_autocommit(db_) == 0) (void)Exec("ROLLBACK");
  in_turn_ = false;
  broken_.reset();
}

}  // namespace holdfast::backend
