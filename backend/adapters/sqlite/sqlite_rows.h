// SqliteRows: RecordRows on a SQLite file, opened and locked as SqliteStore opens it.
//
// Limits:    a file that is being filled is nobody's yet, so it is committed every kRowsACommit rows: its log
//            stays small. Whoever fills one gives it its name when Commit() has said that it is whole.
// Ownership: owns the connection. When it is gone, all is in the one file.
// Threading: its owner's.
// Errors:    as RecordRows; Open as OpenSqliteStore().
#pragma once

#include <memory>
#include <string>

#include "backend/core/record_rows.h"

namespace holdfast::backend {

Result<std::unique_ptr<RecordRows>> OpenSqliteRows(const std::string& path);

}  // namespace holdfast::backend
