#include "agent/tables/registry.h"

#include <algorithm>
#include <array>
#include <vector>

#include "common/base/edit_distance.h"

namespace holdfast::agent {
namespace {

constexpr std::array kTables = {
    &kApparmorProfilesTable,
    &kAptSourcesTable,
    &kArpCacheTable,
    &kAuthLogTable,
    &kAuthorizedKeysTable,
    &kBlockDevicesTable,
    &kBrowserDownloadsTable,
    &kBrowserHistoryTable,
    &kBtmpTable,
    &kChromeExtensionsTable,
    &kCpuTimeTable,
    &kCrontabTable,
    &kDebPackageFilesTable,
    &kDebPackagesTable,
    &kDeletedExecutablesTable,
    &kDiskEncryptionTable,
    &kDnsResolversTable,
    &kDockerContainerMountsTable,
    &kDockerContainerNetworksTable,
    &kDockerContainerPortsTable,
    &kDockerContainerProcessesTable,
    &kDockerContainersTable,
    &kDockerImagesTable,
    &kDockerInfoTable,
    &kEbpfProgramsTable,
    &kEtcHostsTable,
    &kExtendedAttributesTable,
    &kFileTable,
    &kFirefoxAddonsTable,
    &kGroupsTable,
    &kHashTable,
    &kHiddenProcessesTable,
    &kInterfaceAddressesTable,
    &kInterfaceDetailsTable,
    &kIptablesTable,
    &kIsolationTable,
    &kJournalTable,
    &kKernelInfoTable,
    &kKernelModulesTable,
    &kKnownHostsTable,
    &kLastTable,
    &kListeningPortsTable,
    &kLoadAverageTable,
    &kLoggedInUsersTable,
    &kMagicTable,
    &kMemfdProcessesTable,
    &kMemoryInfoTable,
    &kMemoryMapTable,
    &kMountsTable,
    &kNpmPackagesTable,
    &kOsqueryInfoTable,
    &kOsVersionTable,
    &kPciDevicesTable,
    &kPersistenceTable,
    &kProcessEnvsTable,
    &kProcessesTable,
    &kProcessMemoryMapTable,
    &kProcessNamespacesTable,
    &kProcessOpenFilesTable,
    &kProcessOpenPipesTable,
    &kProcessOpenSocketsTable,
    &kPythonPackagesTable,
    &kRoutesTable,
    &kRpmPackageFilesTable,
    &kRpmPackagesTable,
    &kSelinuxSettingsTable,
    &kShadowTable,
    &kSharedMemoryTable,
    &kShellHistoryTable,
    &kSshConfigsTable,
    &kStartupItemsTable,
    &kSudoersTable,
    &kSuidBinTable,
    &kSystemControlsTable,
    &kSystemdUnitsTable,
    &kSystemInfoTable,
    &kTimeTable,
    &kTimelineTable,
    &kUlimitInfoTable,
    &kUptimeTable,
    &kUsbDevicesTable,
    &kUserGroupsTable,
    &kUserSshKeysTable,
    &kUsersTable,
    &kWtmpTable,
    &kYaraFileTable,
    &kYaraProcessTable,
    &kYumSourcesTable,
};

template <typename Range, typename NameOf>
std::string_view Nearest(const Range& range, std::string_view name, NameOf name_of) {
  constexpr std::size_t kLongestName = 64;  // nobody mistypes more
  if (name.size() > kLongestName) return {};
  const std::size_t most = std::max<std::size_t>(1, name.size() / 3);  // further is another word
  std::string_view best;
  std::size_t best_distance = most + 1;
  for (const auto& item : range) {
    const std::size_t distance = EditDistance(name, name_of(item));
    if (distance < best_distance) {
      best = name_of(item);
      best_distance = distance;
    }
  }
  return best;
}

std::string MarksText(Marks marks) {
  std::string text;
  const auto add = [&](Marks mark, std::string_view word) {
    if ((marks & mark) != 0) text.append(text.empty() ? "" : ", ").append(word);
  };
  add(kRequired, "required");
  add(kIndex, "index");
  add(kAdditional, "narrows");
  add(kRange, "range");
  add(kHidden, "hidden");
  return text;
}

std::string_view CostText(Cost cost) {
  switch (cost) {
    case Cost::kFixed: return "a few files";
    case Cost::kAccounts: return "one file";
    case Cost::kHomes: return "some files of every home";
    case Cost::kPackages: return "the lists of all packages";
    case Cost::kLogs: return "the log files";
    case Cost::kProcesses: return "some files of /proc per process";
    case Cost::kSockets: return "every descriptor of every process";
    case Cost::kDevices: return "some files of /sys or /proc/sys per row";
    case Cost::kFiles: return "a stat per file that the path matches";
    case Cost::kFileBytes: return "reads every file that the path matches";
    case Cost::kMemory: return "reads the memory of a process";
  }
  HF_UNREACHABLE("a Cost outside its enum");
}

}  // namespace

std::span<const Table* const> AllTables() { return kTables; }

const Table* FindTable(std::string_view name) {
  const auto at = std::find_if(kTables.begin(), kTables.end(),
                               [&](const Table* table) { return table->name == name; });
  return at == kTables.end() ? nullptr : *at;
}

std::string_view NearestTable(std::string_view name) {
  return Nearest(kTables, name, [](const Table* table) { return table->name; });
}

std::vector<std::string_view> LikelyTables(std::string_view name, std::size_t count) {
  constexpr std::size_t kCompared = 64;  // nobody means more
  const std::string_view word = name.substr(0, kCompared);
  std::vector<std::string_view> names;
  names.reserve(std::size(kTables));
  for (const Table* table : kTables) names.push_back(table->name);
  std::stable_sort(names.begin(), names.end(), [word](std::string_view a, std::string_view b) {
    return EditDistance(word, a) < EditDistance(word, b);
  });
  names.resize(std::min(names.size(), count));
  return names;
}

std::string_view NearestColumn(const Table& table, std::string_view name) {
  return Nearest(table.columns, name, [](const Column& column) { return column.name; });
}

std::string TablesPage() {
  std::string page =
      "# Tables\n\n"
      "What `holdfast query` can ask. Made from the declarations in `agent/tables/`; a test holds "
      "them\n"
      "together. Names, order and types are osquery's, but for the tables that say they are not. "
      "*required*:\n"
      "one of these columns must be given (`=`, `IN` or `LIKE`); *index*: an equality looks one "
      "row up;\n"
      "*narrows*: an equality reads less; *range*: so do `<`, `>` and `BETWEEN`; *hidden*: not "
      "part of `SELECT *`.\n"
      "What cannot be read without root is NULL or has no row. Functions: "
      "[sql-functions.md](sql-functions.md).\n\n"
      "Where a path is required, `path LIKE '/etc/%'` matches one level and `'/etc/%%'` all below "
      "it.\n";
  for (const Table* table : kTables) {
    page.append("\n## ").append(table->name).append("\n");
    page.append(std::string_view(table->description));
    page.append(" Costs: ").append(CostText(table->cost)).append(".\n\n```sql\n");
    page.append(std::string_view(table->example))
        .append("\n```\n\n| column | type | marks | meaning |\n|---|---|---|---|\n");
    for (const Column& column : table->columns) {
      page.append("| ")
          .append(column.name)
          .append(" | ")
          .append(ToString(column.type))
          .append(" | ");
      page.append(MarksText(column.marks))
          .append(" | ")
          .append(std::string_view(column.description))
          .append(" |\n");
    }
  }
  return page;
}

}  // namespace holdfast::agent
