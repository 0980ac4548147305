// How rows of the store stand in columns: reading them, and labels as one value.
//
// Threading: pure functions.
#pragma once

#include <string>

#include "backend/adapters/sqlite/sqlite_statement.h"
#include "backend/core/store.h"

namespace holdfast::backend {

AgentRow ReadAgent(const SqliteStatement& row);
CommandRow ReadCommand(const SqliteStatement& row);
DeliveryRow ReadDelivery(const SqliteStatement& row);
TokenRow ReadToken(const SqliteStatement& row);
AuditRow ReadAudit(const SqliteStatement& row);

// "k=v\nk=v": neither keys nor values hold a newline, and keys hold no '='.
std::string PackLabels(const Labels& labels);
Labels UnpackLabels(std::string_view packed);

}  // namespace holdfast::backend
