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
extern const Table kApparmorProfilesTable;
extern const Table kArpCacheTable;
extern const Table kBlockDevicesTable;
extern const Table kBtmpTable;
extern const Table kCpuTimeTable;
extern const Table kDeletedExecutablesTable;
extern const Table kDiskEncryptionTable;
extern const Table kDnsResolversTable;
extern const Table kEtcHostsTable;
extern const Table kFileTable;
extern const Table kHashTable;
extern const Table kHiddenProcessesTable;
extern const Table kInterfaceAddressesTable;
extern const Table kInterfaceDetailsTable;
extern const Table kKernelInfoTable;
extern const Table kKernelModulesTable;
extern const Table kLastTable;
extern const Table kListeningPortsTable;
extern const Table kLoadAverageTable;
extern const Table kLoggedInUsersTable;
extern const Table kMemfdProcessesTable;
extern const Table kMemoryInfoTable;
extern const Table kMemoryMapTable;
extern const Table kMountsTable;
extern const Table kOsVersionTable;
extern const Table kOsqueryInfoTable;
extern const Table kPciDevicesTable;
extern const Table kProcessEnvsTable;
extern const Table kProcessMemoryMapTable;
extern const Table kProcessNamespacesTable;
extern const Table kProcessOpenFilesTable;
extern const Table kProcessOpenPipesTable;
extern const Table kProcessOpenSocketsTable;
extern const Table kProcessesTable;
extern const Table kRoutesTable;
extern const Table kSelinuxSettingsTable;
extern const Table kSharedMemoryTable;
extern const Table kSystemControlsTable;
extern const Table kSystemInfoTable;
extern const Table kTimeTable;
extern const Table kUlimitInfoTable;
extern const Table kUptimeTable;
extern const Table kUsbDevicesTable;
extern const Table kUsersTable;
extern const Table kWtmpTable;
// NOLINTEND(readability-identifier-naming)

}  // namespace holdfast::agent
