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

#include <functional>
#include <memory>
#include <string>

#include "backend/core/store.h"

namespace holdfast::backend {

Result<std::unique_ptr<Store>> OpenSqliteStore(const std::string& path,
                                               std::function<void()> on_progress = nullptr);

}  // namespace holdfast::backend
