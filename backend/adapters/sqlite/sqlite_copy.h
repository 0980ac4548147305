// SqliteCopy: a copy of a ledger that is in use, made a piece at a time by the connection that uses it.
//
// What that connection writes between two pieces goes into the copy as well (sqlite3_backup does so for its
// own connection): the copy is the ledger as it is when More() says that nothing is left.
//
//   Begin --> More ... (false) --> destroyed
//
// Ordering:  More() between turns: while a transaction is open it does nothing and says true.
// Limits:    kPagesAtOnce a call. The copy is not synced.
// Ownership: owns its own handle; borrows the ledger's, which must outlive it. A copy that was not finished is
//            a file that its maker deletes.
// Threading: loop thread only.
// Errors:    kUnavailable (no space, I/O), kCorrupt.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <sqlite3.h>

#include "backend/core/store.h"
#include "common/base/result.h"

namespace holdfast::backend {

class SqliteCopy {
 public:
  // 512 KiB with pages of 4 KiB: some milliseconds of the loop.
  static constexpr int kPagesAtOnce = 128;

  static Result<std::unique_ptr<SqliteCopy>> Begin(sqlite3* ledger, const std::string& path);
  ~SqliteCopy();
  SqliteCopy(const SqliteCopy&) = delete;
  SqliteCopy& operator=(const SqliteCopy&) = delete;

  Result<bool> More();  // true: something is left

 private:
  SqliteCopy() = default;
  sqlite3* to_ = nullptr;
  sqlite3_backup* backup_ = nullptr;
};

// The output files that a ledger names, read from a file that nobody has open.
struct NamedFiles {
  struct Incoming {
    Nonce16 name;
    std::uint64_t stored_bytes = 0;  // of it: what follows was not committed
  };
  std::vector<Digest> sealed;  // sorted, each once
  std::vector<Incoming> incoming;
};
Result<NamedFiles> ReadNamedFiles(const std::string& ledger);

// Every page of such a file is what it should be (PRAGMA quick_check). kCorrupt: not; kCancelled: `stop` said so.
Status CheckLedgerPages(const std::string& ledger, const std::function<bool()>& stop);

}  // namespace holdfast::backend
