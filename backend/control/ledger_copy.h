// LedgerCopy: control's part of a backup: a copy of the ledger, and a hold on the files that it names.
//
// Only control can copy the ledger, which it has locked. Whoever asked reads the copy from its folder, beside
// the running backend, for as long as it likes:
//
//   Start --> (a piece every kPauseSeconds) --> "staged FOLDER" (copy_folder.h) --> Drop
//
// Limits:    one at a time; a second Start() begins anew. Free space as CheckRoomForCopy() has it.
// Ownership: owns the folder; borrows loop and ledger for its life.
// Threading: loop thread only.
// Errors:    Start() and `say`: in words, for the operator.
// Design:    docs/decisions/0097-backup-and-restore.md
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <ev.h>

#include "backend/adapters/sqlite/sqlite_store.h"

namespace holdfast::backend {

class LedgerCopy {
 public:
  // AnswerCopy() (copy_request.h) with "- staged FOLDER", or "1 why it failed".
  using Say = std::function<void(std::string_view payload)>;
  LedgerCopy(struct ev_loop* loop, SqliteLedger& ledger, std::string state_dir, Say say);
  ~LedgerCopy();
  LedgerCopy(const LedgerCopy&) = delete;
  LedgerCopy& operator=(const LedgerCopy&) = delete;

  void Start(std::string request);
  // It is no longer needed, whole or not. Also removes what a control before us left.
  void Drop();

 private:
  Status Begin();
  void Step();
  void Fail(const Error& why);

  struct ev_loop* const loop_;
  SqliteLedger& ledger_;
  const std::string state_dir_;
  const Say say_;
  std::string request_;  // that the copy is for
  std::unique_ptr<SqliteCopy> copy_;
  ev_timer step_{};
};

}  // namespace holdfast::backend
