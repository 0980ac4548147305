#include "agent/adapters/sqlite/sqlite_journal.h"

#include <algorithm>
#include <utility>

#include "agent/adapters/sqlite/journal_sql.h"
#include "agent/core/limits.h"

namespace holdfast::agent {
namespace {

// The first column of all rows. Ends the statement: it would stand in the way of what writes next.
Result<std::vector<Digest>> Digests(SqliteStatement select) {
  std::vector<Digest> digests;
  for (;;) {
    HF_ASSIGN_OR_RETURN(const bool has_row, select.Step());
    if (!has_row) return digests;
    if (const auto digest = Digest::From(select.Bytes(0))) digests.push_back(*digest);
  }
}

}  // namespace

SqliteJournal::SqliteJournal(const sign::Crypto& crypto, std::string path, const MacKey& key)
    : crypto_(crypto), path_(std::move(path)), key_(key) {}

Status SqliteJournal::Ready() {
  if (!is_trustworthy_) return Error{Code::kCorrupt, "the journal is damaged"};
  if (db_ == nullptr) {
    Status opened = OpenAndCheck(SqliteDb::Mode::kReadWrite);
    if (!opened.ok()) {
      Close();
      const Code code = opened.error().code;
      if (code == Code::kCorrupt || code == Code::kNotFound) is_trustworthy_ = false;
      return Refusal(std::move(opened).error());
    }
  }
  return undo_.empty() ? Ok() : Undo();
}

// --- writing -------------------------------------------------------------------------------------

template <typename Change>
Status SqliteJournal::Write(Change change) {
  HF_TRY(Ready());
  const JournalMeta meta = meta_;
  const RowSum rows = rows_;
  meta_.is_clean = false;
  Status done = db_->Execute("BEGIN IMMEDIATE");
  if (done.ok()) done = change();
  if (done.ok()) done = WriteMeta();
  if (done.ok()) done = db_->Execute("COMMIT");
  if (done.ok()) return Ok();
  meta_ = meta;
  rows_ = rows;
  const Code code = done.error().code;
  if (code == Code::kNotFound || code == Code::kExists || code == Code::kInvalid) {
    // Our own no, not the disk's: nothing was written.
    if (db_->Execute("ROLLBACK").ok()) return done;
  }
  // A failed fsync must never be tried again on the same file: the kernel has marked the pages
  // clean.
  Close();
  if (code == Code::kCorrupt) is_trustworthy_ = false;
  return Refusal(std::move(done).error());
}

// The disk's no in the words of the port.
Error SqliteJournal::Refusal(Error error) const {
  if (!is_trustworthy_) return {Code::kCorrupt, std::move(error.message)};
  return {error.code == Code::kExhausted ? Code::kExhausted : Code::kUnavailable,
          std::move(error.message)};
}

Status SqliteJournal::WriteMeta() {
  HF_ASSIGN_OR_RETURN(auto replace, SqliteStatement::Prepare(*db_, sql::kReplaceMeta));
  const Mac16 mac = Mac(crypto_, key_, SealedBytes(meta_, rows_));
  return replace.Bind(meta_.incarnation.view())
      .Bind(meta_.birth.get())
      .Bind(meta_.epoch)
      .Bind(meta_.contact ? meta_.contact->view() : std::string_view())
      .Bind(meta_.time_floor.get())
      .Bind(rows_.count())
      .Bind(rows_.low())
      .Bind(rows_.high())
      .Bind(mac.view())
      .Bind(std::uint64_t{meta_.is_clean ? 1U : 0U})
      .Run();
}

Status SqliteJournal::WriteRow(const JournalCommand& row, bool is_new) {
  HF_ASSIGN_OR_RETURN(auto write,
                      SqliteStatement::Prepare(*db_, is_new ? sql::kInsert : sql::kUpdate));
  const Mac16 mac = Mac(crypto_, key_, SealedBytes(row));
  rows_.Add(mac);
  return write.Bind(row.digest.view())
      .Bind(row.command_id.view())
      .Bind(static_cast<std::uint64_t>(row.state))
      .Bind(std::uint64_t{row.attempt})
      .Bind(row.received_at.get())
      .Bind(row.started_at.get())
      .Bind(row.not_after.get())
      .Bind(row.chunk_count)
      .Bind(row.envelope)
      .Bind(row.cert_envelope)
      .Bind(row.result_envelope)
      .Bind(row.inline_output)
      .Bind(mac.view())
      .Bind(std::uint64_t{row.recoveries})
      .Run();
}

Status SqliteJournal::DeleteRow(const JournalCommand& row) {
  rows_.Subtract(Mac(crypto_, key_, SealedBytes(row)));
  HF_ASSIGN_OR_RETURN(auto remove, SqliteStatement::Prepare(*db_, sql::kDelete));
  return remove.Bind(row.digest.view()).Run();
}

// Takes out inserts that were reported as refused and are on the disk after all.
Status SqliteJournal::Undo() {
  bool is_there = false;
  for (const Digest& digest : undo_) {
    HF_ASSIGN_OR_RETURN(const auto row, Load(sql::kSelectByDigest, digest.view()));
    is_there = is_there || row.has_value();
  }
  const std::vector<Digest> undo = std::exchange(undo_, {});
  if (!is_there) return Ok();  // needs no room on a full disk
  Status done = Write([&]() -> Status {
    for (const Digest& digest : undo) {
      HF_ASSIGN_OR_RETURN(const auto row, Load(sql::kSelectByDigest, digest.view()));
      if (row) HF_TRY(DeleteRow(*row));
    }
    return Ok();
  });
  if (!done.ok()) undo_ = undo;
  return done;
}

Result<std::uint64_t> SqliteJournal::NextEpoch() {
  HF_TRY(Write([&]() -> Status {
    ++meta_.epoch;
    return Ok();
  }));
  return meta_.epoch;
}

Status SqliteJournal::SetContact(const Nonce16& contact) {
  return Write([&]() -> Status {
    meta_.contact = contact;
    return Ok();
  });
}

Status SqliteJournal::BeginAnew(WallTime birth) {
  return Write([&]() -> Status {
    HF_TRY(ForgetOpen());
    meta_.incarnation = crypto_.RandomBytes<Nonce16>();
    meta_.birth = birth;
    meta_.contact.reset();
    meta_.time_floor = WallTime(std::max(meta_.time_floor.get(), birth.get()));
    return Ok();
  });
}

// Within a transaction: every row that is not a tombstone becomes one.
Status SqliteJournal::ForgetOpen() {
  HF_ASSIGN_OR_RETURN(auto select, SqliteStatement::Prepare(*db_, sql::kSelectOpen));
  select.Bind(static_cast<std::uint64_t>(CommandState::kForgotten));
  HF_ASSIGN_OR_RETURN(const std::vector<Digest> open, Digests(std::move(select)));
  for (const Digest& digest : open) {
    HF_ASSIGN_OR_RETURN(auto row, Load(sql::kSelectByDigest, digest.view()));
    if (!row) return Error{Code::kCorrupt, "a row is damaged"};
    rows_.Subtract(Mac(crypto_, key_, SealedBytes(*row)));
    MakeTombstone(*row);
    HF_TRY(WriteRow(*row, false));
  }
  return Ok();
}

Status SqliteJournal::StopCleanly() {
  return Write([&]() -> Status {
    meta_.is_clean = true;
    return Ok();
  });
}

Status SqliteJournal::Insert(const JournalCommand& command, WallTime floor) {
  HF_TRY(Ready());
  if (rows_.count() >= kMaxJournalRows) {
    // Only signed times let tombstones go, and this is one: else a full journal would stay full.
    const WallTime latest(std::max(meta_.time_floor.get(), floor.get()));
    HF_TRY(Write([&]() -> Status {
      meta_.time_floor = latest;
      return Ok();
    }));
    HF_TRY(Purge(latest));
  }
  if (rows_.count() >= kMaxJournalRows) {
    return Error{Code::kExhausted, "too many commands within a day"};
  }
  Status done = Write([&]() -> Status {
    HF_ASSIGN_OR_RETURN(const auto same_id, Load(sql::kSelectById, command.command_id.view()));
    HF_ASSIGN_OR_RETURN(const auto same, Load(sql::kSelectByDigest, command.digest.view()));
    if (same_id || same) return Error{Code::kExists, "the command is in the journal"};
    meta_.time_floor = WallTime(std::max(meta_.time_floor.get(), floor.get()));
    return WriteRow(command, true);
  });
  const bool is_refused = !done.ok() && (done.error().code == Code::kUnavailable ||
                                         done.error().code == Code::kExhausted);
  if (!is_refused) return done;
  undo_.push_back(command.digest);
  if (Ready().ok()) return done;  // looked again: it is not there, or no longer
  return Error{Code::kInternal, std::move(done).error().message};
}

Status SqliteJournal::ChangeRow(const Digest& digest, bool (*allowed)(const JournalCommand&),
                                void (*change)(JournalCommand&, const void*), const void* with) {
  return Write([&]() -> Status {
    HF_ASSIGN_OR_RETURN(auto row, Load(sql::kSelectByDigest, digest.view()));
    if (!row) return Error{Code::kNotFound, "no such command"};
    if (!allowed(*row)) return Error{Code::kInvalid, "not from this state"};
    rows_.Subtract(Mac(crypto_, key_, SealedBytes(*row)));
    change(*row, with);
    return WriteRow(*row, false);
  });
}

Status SqliteJournal::CountRecovery(std::span<const Digest> commands) {
  if (commands.empty()) return Ok();
  return Write([&]() -> Status {
    for (const Digest& digest : commands) {
      HF_ASSIGN_OR_RETURN(auto row, Load(sql::kSelectByDigest, digest.view()));
      if (!row) return Error{Code::kNotFound, "no such command"};
      rows_.Subtract(Mac(crypto_, key_, SealedBytes(*row)));
      ++row->recoveries;
      HF_TRY(WriteRow(*row, false));
    }
    return Ok();
  });
}

Status SqliteJournal::SetStarted(const Digest& digest, std::uint32_t attempt, WallTime started_at) {
  const std::pair with(attempt, started_at);
  return ChangeRow(
      digest,
      [](const JournalCommand& row) {
        return row.state == CommandState::kReceived || row.state == CommandState::kStarted;
      },
      [](JournalCommand& row, const void* argument) {
        const auto& [number, at] =
            *static_cast<const std::pair<std::uint32_t, WallTime>*>(argument);
        row.state = CommandState::kStarted;
        row.attempt = number;
        row.started_at = at;
      },
      &with);
}

Status SqliteJournal::SetDone(const Digest& digest, const Done& done) {
  return ChangeRow(
      digest, [](const JournalCommand& row) { return row.state != CommandState::kForgotten; },
      [](JournalCommand& row, const void* argument) {
        const Done& end = *static_cast<const Done*>(argument);
        row.state = CommandState::kDone;
        if (row.attempt != end.attempt) row.started_at = WallTime(0);
        row.attempt = end.attempt;
        row.chunk_count = end.chunk_count;
        row.result_envelope = end.result_envelope;
        row.inline_output = end.inline_output;
      },
      &done);
}

Status SqliteJournal::SetForgotten(const Digest& digest) {
  return ChangeRow(
      digest, [](const JournalCommand&) { return true; },
      [](JournalCommand& row, const void*) { MakeTombstone(row); }, nullptr);
}

Status SqliteJournal::Purge(WallTime now) {
  const auto keep = static_cast<std::uint64_t>(kTombstoneKeep.count());
  if (now.get() <= keep) return Ok();
  HF_TRY(Ready());
  HF_ASSIGN_OR_RETURN(auto select, SqliteStatement::Prepare(*db_, sql::kSelectOld));
  select.Bind(static_cast<std::uint64_t>(CommandState::kForgotten)).Bind(now.get() - keep);
  HF_ASSIGN_OR_RETURN(const std::vector<Digest> old, Digests(std::move(select)));
  if (old.empty()) return Ok();
  return Write([&]() -> Status {
    for (const Digest& digest : old) {
      HF_ASSIGN_OR_RETURN(const auto row, Load(sql::kSelectByDigest, digest.view()));
      if (row) HF_TRY(DeleteRow(*row));
    }
    return Ok();
  });
}

// --- reading -------------------------------------------------------------------------------------

Result<JournalCommand> SqliteJournal::RowFrom(SqliteStatement& select) {
  const auto digest = Digest::From(select.Bytes(0));
  const auto id = CommandId::From(select.Bytes(1));
  const std::uint64_t state = select.Number(2);
  if (!digest || !id || state < 1 || state > 4) return Error{Code::kCorrupt, "a row is damaged"};
  JournalCommand row;
  row.digest = *digest;
  row.command_id = *id;
  row.state = static_cast<CommandState>(state);
  row.attempt = static_cast<std::uint32_t>(select.Number(3));
  row.received_at = WallTime(select.Number(4));
  row.started_at = WallTime(select.Number(5));
  row.not_after = WallTime(select.Number(6));
  row.chunk_count = select.Number(7);
  row.envelope = select.Bytes(8);
  row.cert_envelope = select.Bytes(9);
  row.result_envelope = select.Bytes(10);
  row.inline_output = select.Bytes(11);
  row.recoveries = static_cast<std::uint32_t>(select.Number(13));
  if (Mac(crypto_, key_, SealedBytes(row)).view() != select.Bytes(12)) {
    return Error{Code::kCorrupt, "a row's seal does not hold"};
  }
  return row;
}

Result<std::optional<JournalCommand>> SqliteJournal::Load(const char* where, std::string_view key) {
  HF_ASSIGN_OR_RETURN(auto select, SqliteStatement::Prepare(*db_, where));
  select.Bind(key);
  HF_ASSIGN_OR_RETURN(const bool has_row, select.Step());
  if (!has_row) return std::optional<JournalCommand>();
  HF_ASSIGN_OR_RETURN(JournalCommand row, RowFrom(select));
  return std::optional(std::move(row));
}

Result<std::optional<JournalCommand>> SqliteJournal::FindId(const CommandId& id) {
  HF_TRY(Ready());
  auto row = Load(sql::kSelectById, id.view());
  if (!row.ok() && row.error().code == Code::kCorrupt) is_trustworthy_ = false;
  return row;
}

Result<std::optional<JournalCommand>> SqliteJournal::Find(const Digest& digest) {
  HF_TRY(Ready());
  auto row = Load(sql::kSelectByDigest, digest.view());
  if (!row.ok() && row.error().code == Code::kCorrupt) is_trustworthy_ = false;
  return row;
}

Result<std::vector<JournalCommand>> SqliteJournal::Open() {
  HF_TRY(Ready());
  HF_ASSIGN_OR_RETURN(auto select, SqliteStatement::Prepare(*db_, sql::kSelectAll));
  std::vector<JournalCommand> rows;
  for (;;) {
    HF_ASSIGN_OR_RETURN(const bool has_row, select.Step());
    if (!has_row) return rows;
    HF_ASSIGN_OR_RETURN(JournalCommand row, RowFrom(select));
    if (row.state != CommandState::kForgotten) rows.push_back(std::move(row));
  }
}

Result<SqliteJournal::Counts> SqliteJournal::Count() {
  HF_TRY(Ready());
  HF_ASSIGN_OR_RETURN(auto select, SqliteStatement::Prepare(*db_, sql::kCount));
  Counts counts;
  for (;;) {
    HF_ASSIGN_OR_RETURN(const bool has_row, select.Step());
    if (!has_row) return counts;
    switch (static_cast<CommandState>(select.Number(0))) {
      case CommandState::kReceived: counts.received = select.Number(1); break;
      case CommandState::kStarted: counts.started = select.Number(1); break;
      case CommandState::kDone: counts.done = select.Number(1); break;
      case CommandState::kForgotten: counts.tombstones = select.Number(1); break;
    }
  }
}

}  // namespace holdfast::agent
