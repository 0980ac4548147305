// How rows of the store stand in columns: reading them.
//
// Threading: pure functions.
#pragma once

#include "backend/adapters/sqlite/sqlite_statement.h"
#include "backend/core/store.h"

namespace holdfast::backend {

AgentRow ReadAgent(const SqliteStatement& row);
CommandRow ReadCommand(const SqliteStatement& row);
DeliveryRow ReadDelivery(const SqliteStatement& row);
TokenRow ReadToken(const SqliteStatement& row);
AuditRow ReadAudit(const SqliteStatement& row);

}  // namespace holdfast::backend
