// RegisterTable: makes a declared Table a virtual table of an SQLite connection.
#pragma once

#include <sqlite3.h>

#include "agent/adapters/query/watched_machine.h"
#include "agent/tables/table.h"

namespace holdfast::agent {

// `table` and `machine` must outlive the connection. Returns SQLite's code.
int RegisterTable(sqlite3* db, const Table& table, WatchedMachine& machine);

}  // namespace holdfast::agent
