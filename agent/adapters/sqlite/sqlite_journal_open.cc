// How a SqliteJournal is opened, checked, converted, or made anew.
#include <cstdio>
#include <optional>
#include <utility>

#include "agent/adapters/sqlite/journal_sql.h"
#include "agent/adapters/sqlite/sqlite_journal.h"
#include "agent/adapters/sqlite/wal_mark.h"

namespace holdfast::agent {
namespace {

// kNotFound: there is nothing at all.
Result<bool> HasSchema(SqliteDb& db, const char* meta, const char* commands) {
  HF_ASSIGN_OR_RETURN(auto count, SqliteStatement::Prepare(db, sql::kCountSchema));
  count.Bind(std::string_view(meta)).Bind(std::string_view(commands));
  HF_ASSIGN_OR_RETURN(const bool has_row, count.Step());
  if (!has_row || count.Number(0) == 0) return Error{Code::kNotFound, "an empty journal"};
  return count.Number(0) == sql::kThings && count.Number(1) == 2;
}

}  // namespace

Result<std::unique_ptr<SqliteJournal>> SqliteJournal::Open(const sign::Crypto& crypto,
                                                           std::string path, const MacKey& key,
                                                           WallTime now) {
  std::unique_ptr<SqliteJournal> journal(new SqliteJournal(crypto, std::move(path), key));
  Status opened = journal->OpenAndCheck(SqliteDb::Mode::kReadWrite);
  if (opened.ok()) return journal;
  const Code code = opened.error().code;
  if (code != Code::kCorrupt && code != Code::kNotFound) return std::move(opened).error();
  journal->Close();
  journal->origin_ = code == Code::kNotFound ? Origin::kMissing : Origin::kReplaced;
  journal->why_replaced_ = opened.error().message;
  if (code == Code::kCorrupt) {
    // One is kept for looking at; its WAL would be folded into the new file if it stayed.
    std::rename(journal->path_.c_str(), (journal->path_ + ".bad").c_str());
  }
  for (const char* suffix : {"", "-wal", "-shm"}) {
    std::remove((journal->path_ + suffix).c_str());
  }
  HF_TRY(journal->Create(now));
  HF_TRY(journal->OpenAndCheck(SqliteDb::Mode::kReadWrite));
  return journal;
}

Result<std::unique_ptr<SqliteJournal>> SqliteJournal::OpenReadOnly(const sign::Crypto& crypto,
                                                                   std::string path,
                                                                   const MacKey& key) {
  std::unique_ptr<SqliteJournal> journal(new SqliteJournal(crypto, std::move(path), key));
  HF_TRY(journal->OpenAndCheck(SqliteDb::Mode::kReadOnly));
  return journal;
}

Status SqliteJournal::OpenAndCheck(SqliteDb::Mode mode) {
  // Beside an agent that runs the log grows meanwhile; whoever only reads changes nothing anyway.
  const bool is_owner = mode == SqliteDb::Mode::kReadWrite;
  const std::optional<WalMark> before = is_owner ? ReadWalMark(path_) : std::nullopt;
  HF_ASSIGN_OR_RETURN(db_, SqliteDb::Open(path_, mode));
  // One state for all that is read: the agent would commit between the sum and the rows. It ends with the connection.
  if (!is_owner) HF_TRY(db_->Execute("BEGIN"));
  HF_TRY(db_->CheckIntegrity());
  if (before && !IsKept(*before, ReadWalMark(*db_))) {
    return Error{Code::kCorrupt, "commits are missing from the write-ahead log"};
  }
  HF_TRY(CheckSchema(mode));
  HF_TRY(LoadMeta());
  HF_TRY(CheckRows());
  return is_owner ? MakeDurable() : Ok();
}

Status SqliteJournal::Create(WallTime now) {
  HF_ASSIGN_OR_RETURN(db_, SqliteDb::Open(path_, SqliteDb::Mode::kReadWrite));
  meta_ = JournalMeta{};
  meta_.incarnation = crypto_.RandomBytes<Nonce16>();
  meta_.birth = now;
  // Control grants only epochs above the highest it has seen, also of an incarnation that was lost.
  meta_.epoch = now.get();
  meta_.time_floor = now;
  rows_ = RowSum{};
  HF_TRY(db_->Execute("BEGIN IMMEDIATE"));
  HF_TRY(db_->Execute(sql::kSchema));
  HF_TRY(WriteMeta());
  HF_TRY(db_->Execute("COMMIT"));
  Close();
  return Ok();
}

// Kept: it is word by word what we would make, or what agents made before; then it gets the columns that came
// later, all or none of them, and what is sealed stays as it is.
Status SqliteJournal::CheckSchema(SqliteDb::Mode mode) {
  HF_ASSIGN_OR_RETURN(const bool is_present, HasSchema(*db_, sql::kMeta, sql::kCommands));
  if (is_present) return Ok();
  HF_ASSIGN_OR_RETURN(const bool is_before,
                      HasSchema(*db_, sql::kMetaBefore, sql::kCommandsBefore));
  if (!is_before) return Error{Code::kCorrupt, "the schema is damaged"};
  if (mode == SqliteDb::Mode::kReadOnly) {
    return Error{Code::kUnavailable,
                 "the journal is an older agent's, converted at the next start"};
  }
  HF_TRY(db_->Execute("BEGIN IMMEDIATE"));
  HF_TRY(db_->Execute(sql::kAddLaterColumns));
  return db_->Execute("COMMIT");
}

// What was just read may be in the page cache only: a failed fsync has marked it clean, and no later one would
// write it. What came behind it in the WAL would be lost with it at a power cut. In the database file it is
// written anew. A full disk may put that off: it refuses to write, and forgets nothing.
Status SqliteJournal::MakeDurable() {
  Status done = db_->Checkpoint();
  if (!done.ok()) return done.error().code == Code::kExhausted ? Ok() : done;
  return db_->CheckHead();
}

Status SqliteJournal::LoadMeta() {
  HF_ASSIGN_OR_RETURN(auto select, SqliteStatement::Prepare(*db_, sql::kSelectMeta));
  HF_ASSIGN_OR_RETURN(const bool has_row, select.Step());
  if (!has_row) return Error{Code::kCorrupt, "the meta row is missing"};
  const auto incarnation = Nonce16::From(select.Bytes(0));
  if (!incarnation) return Error{Code::kCorrupt, "the meta row is damaged"};
  JournalMeta meta;
  meta.incarnation = *incarnation;
  meta.birth = WallTime(select.Number(1));
  meta.epoch = select.Number(2);
  meta.contact = Nonce16::From(select.Bytes(3));
  meta.time_floor = WallTime(select.Number(4));
  meta.is_clean = select.Number(9) != 0;
  const RowSum rows(select.Number(5), select.Number(6), select.Number(7));
  if (Mac(crypto_, key_, SealedBytes(meta, rows)).view() != select.Bytes(8)) {
    return Error{Code::kCorrupt, "the meta row's seal does not hold"};
  }
  meta_ = meta;
  rows_ = rows;
  return Ok();
}

Status SqliteJournal::CheckRows() {
  HF_ASSIGN_OR_RETURN(auto select, SqliteStatement::Prepare(*db_, sql::kSelectAll));
  RowSum sum;
  for (;;) {
    HF_ASSIGN_OR_RETURN(const bool has_row, select.Step());
    if (!has_row) break;
    HF_ASSIGN_OR_RETURN(const JournalCommand row, RowFrom(select));
    sum.Add(Mac(crypto_, key_, SealedBytes(row)));
  }
  if (!(sum == rows_)) return Error{Code::kCorrupt, "rows are missing or out of place"};
  return Ok();
}

void SqliteJournal::Close() { db_.reset(); }

}  // namespace holdfast::agent
