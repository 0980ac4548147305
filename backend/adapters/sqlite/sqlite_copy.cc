#include "backend/adapters/sqlite/sqlite_copy.h"

#include "backend/adapters/sqlite/sqlite_statement.h"

namespace holdfast::backend {
namespace {

struct Closer {
  void operator()(sqlite3* db) const { (void)sqlite3_close_v2(db); }
};

// The path as a URI, for options that only a URI has.
std::string ImmutableUri(const std::string& path) {
  std::string uri = "file:";
  for (const char c : path) {
    const bool is_special = c == '%' || c == '?' || c == '#';
    uri += is_special ? "%" + ToHex({&c, 1}) : std::string(1, c);
  }
  return uri + "?immutable=1";  // no lock, no log, no file beside it
}

Result<std::unique_ptr<sqlite3, Closer>> OpenQuiet(const std::string& ledger) {
  sqlite3* raw = nullptr;
  const int opened =
      sqlite3_open_v2(ImmutableUri(ledger).c_str(), &raw,
                      SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<sqlite3, Closer> db(raw);
  if (opened != SQLITE_OK) return SqliteError(raw, opened).In(ledger);
  return db;
}

}  // namespace

Result<std::unique_ptr<SqliteCopy>> SqliteCopy::Begin(sqlite3* ledger, const std::string& path) {
  std::unique_ptr<SqliteCopy> copy(new SqliteCopy());
  const int opened = sqlite3_open_v2(
      path.c_str(), &copy->to_,
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
      nullptr);
  if (opened != SQLITE_OK) return SqliteError(copy->to_, opened).In(path);
  // Half of it is worth nothing, so nothing guards it on its way.
  constexpr char kUnguarded[] =
      "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE";
  const int set = sqlite3_exec(copy->to_, kUnguarded, nullptr, nullptr, nullptr);
  if (set != SQLITE_OK) return SqliteError(copy->to_, set).In(path);
  copy->backup_ = sqlite3_backup_init(copy->to_, "main", ledger, "main");
  if (copy->backup_ == nullptr) return SqliteError(copy->to_, sqlite3_errcode(copy->to_)).In(path);
  return copy;
}

SqliteCopy::~SqliteCopy() {
  (void)sqlite3_backup_finish(backup_);
  (void)sqlite3_close_v2(to_);
}

Result<bool> SqliteCopy::More() {
  const int code = sqlite3_backup_step(backup_, kPagesAtOnce);
  switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return true;
    case SQLITE_DONE: break;
    default: return SqliteError(to_, code).In("copying the ledger");
  }
  const int finished = sqlite3_backup_finish(std::exchange(backup_, nullptr));
  if (finished != SQLITE_OK) return SqliteError(to_, finished).In("copying the ledger");
  return false;
}

Result<NamedFiles> ReadNamedFiles(const std::string& ledger) {
  HF_ASSIGN_OR_RETURN(const auto db, OpenQuiet(ledger));
  sqlite3* const raw = db.get();
  NamedFiles out;
  HF_ASSIGN_OR_RETURN(SqliteStatement sealed,
                      SqliteStatement::Prepare(raw,
                                               "SELECT DISTINCT output_sha256 FROM deliveries"
                                               " WHERE place = 3 ORDER BY output_sha256"));
  HF_ASSIGN_OR_RETURN(SqliteStatement incoming,
                      SqliteStatement::Prepare(raw,
                                               "SELECT output_name, stored_bytes FROM deliveries"
                                               " WHERE place = 2 ORDER BY output_name"));
  for (;;) {
    HF_ASSIGN_OR_RETURN(const bool row, sealed.Step());
    if (!row) break;
    out.sealed.push_back(sealed.FixedAt<Digest>(0));
  }
  for (;;) {
    HF_ASSIGN_OR_RETURN(const bool row, incoming.Step());
    if (!row) break;
    out.incoming.push_back({incoming.FixedAt<Nonce16>(0), incoming.Number(1)});
  }
  return out;
}

Status CheckLedgerPages(const std::string& ledger, const std::function<bool()>& stop) {
  constexpr int kStepsBetween =
      100'000;  // of SQLite's machine, between two questions: milliseconds
  HF_ASSIGN_OR_RETURN(const auto db, OpenQuiet(ledger));
  sqlite3_progress_handler(
      db.get(), kStepsBetween,
      [](void* asked) { return (*static_cast<const std::function<bool()>*>(asked))() ? 1 : 0; },
      const_cast<std::function<bool()>*>(&stop));
  HF_ASSIGN_OR_RETURN(SqliteStatement check,
                      SqliteStatement::Prepare(db.get(), "PRAGMA quick_check(1)"));
  const auto row = check.Step();
  if (!row.ok() && stop()) return Error{Code::kCancelled, "interrupted"};
  if (!row.ok()) return Error(row.error()).In(ledger);
  const std::string found = row.value() ? check.Bytes(0) : "nothing";
  if (found == "ok") return Ok();
  return Error{Code::kCorrupt, ledger + " is damaged: " + found};
}

}  // namespace holdfast::backend
