// SqliteStore: the port Store on one SQLite file: WAL, synchronous=FULL, one connection.
//
// Holdfast's promise rests on FULL: a commit that returned is on disk after a power cut
// (docs/decisions/0021-store-layout.md). One connection, held exclusively: SQLite's WAL-reset bug
// needs two, and a second control must not open the same ledger.
//
// Limits:    `on_progress` is called every few milliseconds while a query runs, from inside it: it must
//            not touch the store.
//            The WAL is checkpointed at 1,000 pages (4 MiB) by the commit that passes it.
// Ownership: owns the connection and its statements.
// Threading: loop thread only; a commit blocks for one fsync.
// Errors:    as Store says. Open(): kUnavailable (locked by another control, no space), kCorrupt,
//            kUnsupported (a newer schema than this program knows).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "backend/adapters/sqlite/sqlite_copy.h"
#include "backend/core/store.h"

namespace holdfast::backend {

class SqliteLedger : public Store {
 public:
  // Every enrolment token, in the turn's transaction.
  virtual Status DropTokens() = 0;
  // Of this ledger, into a file that is not there yet; the copy must be gone before the ledger is.
  virtual Result<std::unique_ptr<SqliteCopy>> Copy(const std::string& path) = 0;
};
Result<std::unique_ptr<SqliteLedger>> OpenSqliteStore(const std::string& path,
                                                      std::function<void()> on_progress = nullptr);

// The schema that this program writes; older ones are brought to it when they are opened.
std::uint32_t LedgerSchema();
// The schema of a database file, by its first 100 bytes; nullopt: these are none.
std::optional<std::uint32_t> SchemaOf(std::string_view first_bytes);
inline constexpr std::size_t kSchemaHeaderBytes = 100;

}  // namespace holdfast::backend
