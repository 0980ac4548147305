// Rows of the store as messages of the API.
//
// Threading: pure functions.
#pragma once

#include "backend/core/control_agents.h"
#include "backend/core/store.h"
#include "holdfast/api/v1/api.pb.h"

namespace holdfast::backend {

// `agent` may be nullptr: then the delivery is shown without hostname and key.
api::v1::Delivery ToProto(const DeliveryRow& row, const AgentRow* agent);
api::v1::CommandSummary ToProto(const CommandRow& row);
api::v1::AuditRecord ToProto(const AuditRow& row);
// Without what only the session and the ledger know (online, open_commands).
api::v1::Agent ToProto(const AgentRow& row);

// kNotFound -> NOT_FOUND, kDenied -> DENIED, ...: the stable codes of the API.
api::v1::ApiCode ToApiCode(Code code);
api::v1::ApiError ToApiError(const Error& error);

}  // namespace holdfast::backend
