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
extern const Table kAptSourcesTable;
extern const Table kArpCacheTable;
extern const Table kAuthLogTable;
extern const Table kAuthorizedKeysTable;
extern const Table kBlockDevicesTable;
extern const Table kBrowserDownloadsTable;
extern const Table kBrowserHistoryTable;
extern const Table kBtmpTable;
extern const Table kChromeExtensionsTable;
extern const Table kCpuTimeTable;
extern const Table kCrontabTable;
extern const Table kDebPackageFilesTable;
extern const Table kDebPackagesTable;
extern const Table kDeletedExecutablesTable;
extern const Table kDiskEncryptionTable;
extern const Table kDnsResolversTable;
extern const Table kDockerContainerMountsTable;
extern const Table kDockerContainerNetworksTable;
extern const Table kDockerContainerPortsTable;
extern const Table kDockerContainerProcessesTable;
extern const Table kDockerContainersTable;
extern const Table kDockerImagesTable;
extern const Table kDockerInfoTable;
extern const Table kEbpfProgramsTable;
extern const Table kEtcHostsTable;
extern const Table kExtendedAttributesTable;
extern const Table kFileTable;
extern const Table kFirefoxAddonsTable;
extern const Table kGroupsTable;
extern const Table kHashTable;
extern const Table kHiddenProcessesTable;
extern const Table kInterfaceAddressesTable;
extern const Table kInterfaceDetailsTable;
extern const Table kIptablesTable;
extern const Table kIsolationTable;
extern const Table kJournalTable;
extern const Table kKernelInfoTable;
extern const Table kKernelModulesTable;
extern const Table kKnownHostsTable;
extern const Table kLastTable;
extern const Table kListeningPortsTable;
extern const Table kLoadAverageTable;
extern const Table kLoggedInUsersTable;
extern const Table kMagicTable;
extern const Table kMemfdProcessesTable;
extern const Table kMemoryInfoTable;
extern const Table kMemoryMapTable;
extern const Table kMountsTable;
extern const Table kNpmPackagesTable;
extern const Table kOsqueryInfoTable;
extern const Table kOsVersionTable;
extern const Table kPciDevicesTable;
extern const Table kPersistenceTable;
extern const Table kProcessEnvsTable;
extern const Table kProcessesTable;
extern const Table kProcessMemoryMapTable;
extern const Table kProcessNamespacesTable;
extern const Table kProcessOpenFilesTable;
extern const Table kProcessOpenPipesTable;
extern const Table kProcessOpenSocketsTable;
extern const Table kPythonPackagesTable;
extern const Table kRoutesTable;
extern const Table kRpmPackageFilesTable;
extern const Table kRpmPackagesTable;
extern const Table kSelinuxSettingsTable;
extern const Table kShadowTable;
extern const Table kSharedMemoryTable;
extern const Table kShellHistoryTable;
extern const Table kSshConfigsTable;
extern const Table kStartupItemsTable;
extern const Table kSudoersTable;
extern const Table kSuidBinTable;
extern const Table kSystemControlsTable;
extern const Table kSystemdUnitsTable;
extern const Table kSystemInfoTable;
extern const Table kTimeTable;
extern const Table kTimelineTable;
extern const Table kUlimitInfoTable;
extern const Table kUptimeTable;
extern const Table kUsbDevicesTable;
extern const Table kUserGroupsTable;
extern const Table kUserSshKeysTable;
extern const Table kUsersTable;
extern const Table kWtmpTable;
extern const Table kYaraFileTable;
extern const Table kYaraProcessTable;
extern const Table kYumSourcesTable;
// NOLINTEND(readability-identifier-naming)

}  // namespace holdfast::agent
