// SqliteJournal: the Journal on a disk, in one SQLite file.
//
// Every row is sealed (agent/core/journal_rows.h); opening checks the file's structure, every seal
// and their sum. What does not hold is set aside as <path>.bad and a new incarnation begins: no
// command issued before that moment will run. A journal of an older schema is converted when it is opened.
//
// Ordering:  one transaction per call; it returns after the fsync of its commit.
// Limits:    kMaxJournalRows; SqliteDb's for memory.
// Ownership: owns the connection; borrows Crypto.
// Threading: loop thread only.
// Errors:    as Journal. After a failed write the connection is closed, opened and checked anew at
// once,
//            and an Insert() that was refused is taken out if it is there after all.
// Design:    docs/decisions/0014-the-journal-seals-its-rows.md
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/adapters/sqlite/sqlite_db.h"
#include "agent/core/journal.h"
#include "agent/core/journal_rows.h"
#include "agent/core/mac.h"
#include "common/sign/crypto.h"

namespace holdfast::agent {

class SqliteJournal final : public Journal {
 public:
  enum class Origin : std::uint8_t {
    kFound,     // it was there, and whole
    kMissing,   // there was none: a first start, or it was lost
    kReplaced,  // there was one that cannot be trusted
  };
  // kUnavailable, kExhausted: the disk does not let us; nothing was changed.
  static Result<std::unique_ptr<SqliteJournal>> Open(const sign::Crypto& crypto, std::string path,
                                                     const MacKey& key, WallTime now);
  // For looking at it only, beside the agent that owns it: never creates, never replaces.
  static Result<std::unique_ptr<SqliteJournal>> OpenReadOnly(const sign::Crypto& crypto,
                                                             std::string path, const MacKey& key);
  Origin origin() const { return origin_; }
  const std::string& why_replaced() const { return why_replaced_; }
  struct Counts {
    std::uint64_t received = 0, started = 0, done = 0, tombstones = 0;
  };
  Result<Counts> Count();

  const JournalMeta& meta() const override { return meta_; }
  bool is_trustworthy() const override { return is_trustworthy_; }
  Result<std::uint64_t> NextEpoch() override;
  Status SetContact(const Nonce16& contact) override;
  Status BeginAnew(WallTime birth) override;
  Status StopCleanly() override;
  Status Insert(const JournalCommand& command, WallTime floor) override;
  Status CountRecovery(std::span<const Digest> commands) override;
  Status SetStarted(const Digest& digest, std::uint32_t attempt, WallTime started_at) override;
  Status SetDone(const Digest& digest, const Done& done) override;
  Status SetForgotten(const Digest& digest) override;
  Result<std::optional<JournalCommand>> FindId(const CommandId& id) override;
  Result<std::optional<JournalCommand>> Find(const Digest& digest) override;
  Result<std::vector<JournalCommand>> Open() override;
  Status Purge(WallTime now) override;

 private:
  SqliteJournal(const sign::Crypto& crypto, std::string path, const MacKey& key);
  Status OpenAndCheck(SqliteDb::Mode mode);
  Status Create(WallTime now);
  Status CheckSchema(SqliteDb::Mode mode);
  Status LoadMeta();
  Status CheckRows();
  Status MakeDurable();
  void Close();
  Error Refusal(Error error) const;
  Status Ready();  // an open, checked connection, or why not

  // Runs `change` in one transaction that also writes the meta row.
  template <typename Change>
  Status Write(Change change);
  Status ChangeRow(const Digest& digest, bool (*allowed)(const JournalCommand&),
                   void (*change)(JournalCommand&, const void*), const void* with);
  Status WriteMeta();
  Status WriteRow(const JournalCommand& row, bool is_new);
  Status DeleteRow(const JournalCommand& row);
  Status ForgetOpen();
  Status Undo();
  Result<std::optional<JournalCommand>> Load(const char* where, std::string_view key);
  Result<JournalCommand> RowFrom(SqliteStatement& select);

  const sign::Crypto& crypto_;
  const std::string path_;
  const MacKey key_;
  Origin origin_ = Origin::kFound;
  std::string why_replaced_;
  JournalMeta meta_;  // as committed
  RowSum rows_;       // as committed
  bool is_trustworthy_ = true;
  std::vector<Digest> undo_;  // refused inserts to take out, <= kMaxOpenRefusals in practice
  std::unique_ptr<SqliteDb> db_;
};

}  // namespace holdfast::agent
