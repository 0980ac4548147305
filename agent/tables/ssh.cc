// authorized_keys, known_hosts and ssh_configs: what the homes of users say to OpenSSH.
#include <array>

#include "agent/tables/places.h"
#include "agent/tables/registry.h"
#include "agent/tables/ssh_files.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Column kAuthorizedColumns[] = {
    {"uid", kB, "Account whose home holds the file", kAdditional},
    {"algorithm", kT, "Type of the key, e.g. ssh-ed25519"},
    {"key", kT, "The public key, base64"},
    {"options", kT, "Options before the key, e.g. command=\"...\""},
    {"comment", kT, "What follows the key"},
    {"key_file", kT, "The file"},
    {"pid_with_namespace", kI, "Always 0: other namespaces cannot be asked",
     kAdditional | kHidden | kLinux},
};

constexpr Column kKnownColumns[] = {
    {"uid", kB, "Account whose home holds the file; 0 for the machine's", kIndex},
    {"key", kT, "The line: markers, hosts (plain or hashed), type, key, comment"},
    {"key_file", kT, "The file"},
};

constexpr Column kConfigColumns[] = {
    {"uid", kB, "Account whose home holds the file; 0 for the machine's", kAdditional},
    {"block", kT, "The host or match line that the option stands under, in lower case"},
    {"option", kT, "Option and value, in lower case"},
    {"ssh_config_file", kT, "The file"},
};

constexpr std::array<std::string_view, 2> kAuthorizedNames = {".ssh/authorized_keys",
                                                              ".ssh/authorized_keys2"};
constexpr std::array<std::string_view, 2> kKnownNames = {".ssh/known_hosts", ".ssh/known_hosts2"};
constexpr std::array<std::string_view, 1> kConfigNames = {".ssh/config"};

// `path` for all, unless another account's rows are wanted.
void AddShared(std::vector<Place>& places, const Request& request, std::string_view path) {
  const auto uid = request.EqualText(0);
  if (!uid || *uid == "0") AddPlace(places, std::string(path));
}

void ReadAuthorized(const Place& place, const Request&, Machine& machine, RowList& rows) {
  const std::string text = ReadText(machine, place.path);
  std::string_view rest = text;
  std::string_view line;
  while (NextLine(rest, line)) {
    const auto key = ParseAuthorizedKey(line);
    if (!key) continue;
    rows.Begin().Integer(place.uid).Text(key->algorithm).Text(key->key).Text(key->options);
    rows.Text(key->comment).Text(place.path).Integer(0);
  }
}

void ReadKnown(const Place& place, const Request&, Machine& machine, RowList& rows) {
  const std::string text = ReadText(machine, place.path);
  std::string_view rest = text;
  std::string_view line;
  while (NextLine(rest, line)) {
    line = Trim(line);
    if (line.empty() || line.front() == '#') continue;
    rows.Begin().Integer(place.uid).Text(line).Text(place.path);
  }
}

void ReadConfig(const Place& place, const Request&, Machine& machine, RowList& rows) {
  const std::string text = ReadText(machine, place.path);
  std::string_view rest = text;
  std::string_view line;
  std::string block;
  while (NextLine(rest, line)) {
    std::string option = LowerCase(Trim(line));
    if (option.empty() || option.front() == '#') continue;
    if (option.starts_with("host ") || option.starts_with("match ")) {
      block = std::move(option);
    } else {
      rows.Begin().Integer(place.uid).Text(block).Text(option).Text(place.path);
    }
  }
}

Result<std::unique_ptr<RowSource>> OpenAuthorized(const Request& request, Machine& machine) {
  return RowsOf(HomePlaces(machine, request.EqualText(0), kAuthorizedNames), request, machine,
                ReadAuthorized);
}

Result<std::unique_ptr<RowSource>> OpenKnown(const Request& request, Machine& machine) {
  auto places = HomePlaces(machine, request.EqualText(0), kKnownNames);
  AddShared(places, request, "/etc/ssh/ssh_known_hosts");
  return RowsOf(std::move(places), request, machine, ReadKnown);
}

Result<std::unique_ptr<RowSource>> OpenConfigs(const Request& request, Machine& machine) {
  auto places = HomePlaces(machine, request.EqualText(0), kConfigNames);
  AddShared(places, request, "/etc/ssh/ssh_config");
  return RowsOf(std::move(places), request, machine, ReadConfig);
}

}  // namespace

const Table kAuthorizedKeysTable = {
    .name = "authorized_keys",
    .description = "Keys that let somebody in over SSH, of each local account.",
    .example =
        "SELECT username, algorithm, options, comment FROM users JOIN authorized_keys USING "
        "(uid);",
    .cost = Cost::kHomes,
    .columns = kAuthorizedColumns,
    .open = OpenAuthorized,
};

const Table kKnownHostsTable = {
    .name = "known_hosts",
    .description = "SSH servers that each local account, or the machine, knows.",
    .example = "SELECT uid, key, key_file FROM known_hosts;",
    .cost = Cost::kHomes,
    .columns = kKnownColumns,
    .open = OpenKnown,
};

const Table kSshConfigsTable = {
    .name = "ssh_configs",
    .description = "Options of SSH clients, of each local account and of the machine.",
    .example = "SELECT uid, block, option FROM ssh_configs WHERE option LIKE 'proxycommand%';",
    .cost = Cost::kHomes,
    .columns = kConfigColumns,
    .open = OpenConfigs,
};

}  // namespace holdfast::agent
