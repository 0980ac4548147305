// MigrateStore: `holdfastd migrate-store --to WHERE`, from the word to the exit status.
//
// The record of this configuration (its ledger.db, or the PostgreSQL of its store.url) into another database that has
// none yet. No holdfastd may run: the locks of the state and of both databases are held until the end. Large outputs
// and uploads are files in state.dir, whatever the database: they stay where they are.
//
//   record --> MoveRecord() --> PostgreSQL: one transaction     ledger.db.moving --> fsync --> ledger.db
//
// Errors:    kExists: a holdfastd runs, or there is a record already. kUnsupported: one of the two is of a newer holdfastd.
//            kCancelled: interrupted. Whatever fails, the source is as it was and the target has no record. One
//            exception is said: when PostgreSQL's answer to the commit is lost, the target has all of it or nothing.
// Design:    docs/decisions/0151-a-record-is-moved-whole.md
#pragma once

#include <string>
#include <string_view>

#include "backend/core/config.h"
#include "common/base/result.h"

namespace holdfast::backend {

inline constexpr std::string_view kToFile = "file";

Result<int> MigrateStore(const Config& config, const std::string& to);

}  // namespace holdfast::backend
