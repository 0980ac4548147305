// The list of all tables, and the words for a name that is none of them.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/tables/table.h"

namespace holdfast::agent {

std::span<const Table* const> AllTables();  // sorted by name
const Table* FindTable(std::string_view name);

// The table that `name` was probably meant to be; empty if none is near.
std::string_view NearestTable(std::string_view name);
// The `count` tables nearest to `name`, however far: the nearest first.
std::vector<std::string_view> LikelyTables(std::string_view name, std::size_t count);
// The same as NearestTable() among a table's columns.
std::string_view NearestColumn(const Table& table, std::string_view name);

// docs/tables.md.
std::string TablesPage();

// Declared in a file each. Constants, but a declaration cannot say constexpr.
// NOLINTBEGIN(readability-identifier-naming)
extern const Table kAptSourcesTable;
extern const Table kAuthLogTable;
extern const Table kAuthorizedKeysTable;
extern const Table kBrowserDownloadsTable;
extern const Table kBrowserHistoryTable;
extern const Table kChromeExtensionsTable;
extern const Table kCrontabTable;
extern const Table kDebPackageFilesTable;
extern const Table kDebPackagesTable;
extern const Table kExtendedAttributesTable;
extern const Table kFileTable;
extern const Table kFirefoxAddonsTable;
extern const Table kGroupsTable;
extern const Table kHashTable;
extern const Table kKnownHostsTable;
extern const Table kListeningPortsTable;
extern const Table kNpmPackagesTable;
extern const Table kOsVersionTable;
extern const Table kPersistenceTable;
extern const Table kProcessOpenSocketsTable;
extern const Table kProcessesTable;
extern const Table kPythonPackagesTable;
extern const Table kRpmPackageFilesTable;
extern const Table kRpmPackagesTable;
extern const Table kShadowTable;
extern const Table kShellHistoryTable;
extern const Table kSshConfigsTable;
extern const Table kStartupItemsTable;
extern const Table kSudoersTable;
extern const Table kSuidBinTable;
extern const Table kSystemInfoTable;
extern const Table kSystemdUnitsTable;
extern const Table kUptimeTable;
extern const Table kUserGroupsTable;
extern const Table kUserSshKeysTable;
extern const Table kUsersTable;
extern const Table kYumSourcesTable;
// NOLINTEND(readability-identifier-naming)

}  // namespace holdfast::agent
