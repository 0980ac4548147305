// RegisterFunctions: the functions that osquery adds to SQLite's and that forensic queries use.
#pragma once

#include <sqlite3.h>

namespace holdfast::agent {

void RegisterFunctions(sqlite3* db);

}  // namespace holdfast::agent
