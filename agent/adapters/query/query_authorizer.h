// AuthorizeQuery: SQLite's authorizer for analysts' statements: may read our tables, and nothing else.
#pragma once

#include <span>

#include "agent/tables/table.h"

namespace holdfast::agent {

// `context` is a QueryRights. Returns SQLITE_OK or SQLITE_DENY.
struct QueryRights {
  std::span<const Table* const> tables;
};
int AuthorizeQuery(void* context, int action, const char* first, const char* second,
                   const char* database, const char* trigger);

}  // namespace holdfast::agent
