#include "agent/adapters/sqlite/sqlite_db.h"

#include <array>
#include <cerrno>
#include <cstddef>
#include <utility>

namespace holdfast::agent {
namespace {

constexpr std::array<char, 32> kZeros{};

// Once per process, before the first connection: no statistics (a mutex and bookkeeping per
// malloc).
void ConfigureOnce() {
  static const int configured = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  static_cast<void>(configured);
}

}  // namespace

Result<std::unique_ptr<SqliteDb>> SqliteDb::Open(const std::string& path, Mode mode) {
  ConfigureOnce();
  const int flags =
      mode == Mode::kReadWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
  sqlite3* raw = nullptr;
  const int opened = sqlite3_open_v2(path.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<SqliteDb> db(new SqliteDb(raw));
  if (opened != SQLITE_OK) return db->LastError("opening");
  sqlite3_extended_result_codes(raw, 1);
  // 64 small slots: what our few statements need; the default would be 48 KiB.
  sqlite3_db_config(raw, SQLITE_DBCONFIG_LOOKASIDE, nullptr, 128, 64);
  sqlite3_busy_timeout(raw, 1000);
  HF_TRY(db->Execute(("PRAGMA cache_size=-" + std::to_string(kCacheKib)).c_str()));
  HF_TRY(db->Execute("PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0; PRAGMA trusted_schema=OFF"));
  if (mode == Mode::kReadOnly) return db;
  HF_TRY(db->Execute("PRAGMA journal_mode=WAL"));
  HF_TRY(db->Execute("PRAGMA synchronous=FULL"));
  HF_TRY(db->Execute(("PRAGMA wal_autocheckpoint=" + std::to_string(kCheckpointPages)).c_str()));
  HF_TRY(db->Execute(("PRAGMA journal_size_limit=" + std::to_string(kWalBytes)).c_str()));
  return db;
}

SqliteDb::~SqliteDb() { sqlite3_close_v2(db_); }

Status SqliteDb::Execute(const char* sql) {
  if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return LastError(sql);
  return Ok();
}

Status SqliteDb::Checkpoint() {
  constexpr int kTries = 40;
  constexpr int kBetweenMs = 25;  // `status` and `journal dump` read for less
  for (int tries = 1;; ++tries) {
    int in_wal = 0;
    int copied = 0;
    if (sqlite3_wal_checkpoint_v2(db_, nullptr, SQLITE_CHECKPOINT_PASSIVE, &in_wal, &copied) !=
        SQLITE_OK) {
      return LastError("checkpoint");
    }
    if (copied >= in_wal) return Ok();
    if (tries == kTries) {
      return Error{Code::kUnavailable, "checkpoint: somebody reads an old state"};
    }
    sqlite3_sleep(kBetweenMs);
  }
}

Status SqliteDb::CheckIntegrity() {
  HF_ASSIGN_OR_RETURN(auto check, SqliteStatement::Prepare(*this, "PRAGMA integrity_check(1)"));
  HF_ASSIGN_OR_RETURN(const bool has_row, check.Step());
  if (!has_row || check.Bytes(0) != "ok") {
    return Error{Code::kCorrupt, has_row ? std::string(check.Bytes(0)) : "no answer"};
  }
  return Ok();
}

sqlite3_file* SqliteDb::file() const {
  sqlite3_file* file = nullptr;
  const int got = sqlite3_file_control(db_, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  return got == SQLITE_OK && file != nullptr && file->pMethods != nullptr ? file : nullptr;
}

Status SqliteDb::CheckHead() {
  // fileformat2.html#the_database_header: what is the same in each of our files. The rest counts pages and changes.
  struct Part {
    std::size_t at;
    std::string_view bytes;
  };
  static constexpr std::array<Part, 3> kAlike = {{
      {18, {"\2\2\0\100\40\40", 6}},  // WAL for writers and readers; nothing reserved; fractions
      {44, {"\0\0\0\4\0\0\0\0\0\0\0\0\0\0\0\1", 16}},  // format 4, no vacuum, UTF-8
      {60, std::string_view(kZeros.data(), 32)},       // no versions, nothing in what is reserved
  }};
  std::array<char, 100> head{};
  sqlite3_file* const of = file();
  if (of == nullptr || of->pMethods->xRead(of, head.data(), head.size(), 0) != SQLITE_OK) {
    return Error{Code::kUnavailable, "the file's head cannot be read"};
  }
  for (const Part& part : kAlike) {
    if (std::string_view(head.data() + part.at, part.bytes.size()) != part.bytes) {
      return Error{Code::kCorrupt, "the file's head is damaged"};
    }
  }
  return Ok();
}

Error SqliteDb::LastError(const char* doing) const {
  const int code = db_ == nullptr ? SQLITE_NOMEM : sqlite3_extended_errcode(db_);
  std::string message = std::string(doing) + ": " +
                        (db_ == nullptr ? "out of memory" : sqlite3_errmsg(db_)) + " (" +
                        std::to_string(code) + ")";
  switch (code & 0xFF) {
    case SQLITE_ERROR:  // our own SQL against our own tables: a name or a format number has rotted
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return {Code::kCorrupt, std::move(message)};
    case SQLITE_FULL: return {Code::kExhausted, std::move(message)};
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN: {
      // A file that cannot be made or made longer, such as the index of the WAL.
      const int number = db_ == nullptr ? 0 : sqlite3_system_errno(db_);
      const bool is_full = number == ENOSPC || number == EDQUOT;
      return {is_full ? Code::kExhausted : Code::kUnavailable, std::move(message)};
    }
    default: return {Code::kUnavailable, std::move(message)};
  }
}

Result<SqliteStatement> SqliteStatement::Prepare(SqliteDb& db, const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(db.handle(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) !=
      SQLITE_OK) {
    return db.LastError(sql);
  }
  return SqliteStatement(db, statement);
}

SqliteStatement::SqliteStatement(SqliteStatement&& other) noexcept
    : db_(other.db_), statement_(std::exchange(other.statement_, nullptr)), bound_(other.bound_) {}

SqliteStatement::~SqliteStatement() { sqlite3_finalize(statement_); }

SqliteStatement& SqliteStatement::Bind(std::uint64_t value) {
  sqlite3_bind_int64(statement_, ++bound_, static_cast<sqlite3_int64>(value));
  return *this;
}

SqliteStatement& SqliteStatement::Bind(std::string_view bytes) {
  // A null pointer would bind NULL.
  const char* start = bytes.data() == nullptr ? "" : bytes.data();
  sqlite3_bind_blob64(statement_, ++bound_, start, bytes.size(), SQLITE_STATIC);
  return *this;
}

Result<bool> SqliteStatement::Step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return db_.LastError(sqlite3_sql(statement_));
}

Status SqliteStatement::Run() {
  auto stepped = Step();
  Reset();
  if (!stepped.ok()) return std::move(stepped).error();
  return Ok();
}

void SqliteStatement::Reset() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  bound_ = 0;
}

std::uint64_t SqliteStatement::Number(int column) const {
  return static_cast<std::uint64_t>(sqlite3_column_int64(statement_, column));
}

std::string_view SqliteStatement::Bytes(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  if (bytes == nullptr || size <= 0) return {};
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

}  // namespace holdfast::agent
