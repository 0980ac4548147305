// PostgresRows: RecordRows in PostgreSQL: one session with the lock of the one control, one transaction.
//
// Limits:    without an answer for kAnswerWait it is given up; of one statement the server may take as long as it takes.
// Ownership: owns the session.
// Threading: its owner's.
// Errors:    as RecordRows; Open as PostgresConnection::Open: a record that a control has open is refused.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "backend/core/record_rows.h"

namespace holdfast::backend {

// `name`: of the session, distinct: it ends those that have the same, as remains of itself. `stop`: asked while an answer is awaited.
Result<std::unique_ptr<RecordRows>> OpenPostgresRows(const std::string& url,
                                                     const std::string& name,
                                                     std::function<bool()> stop);

}  // namespace holdfast::backend
