// deb_packages and deb_package_files: what dpkg has installed, from its own files.
#include <algorithm>

#include "agent/tables/places.h"
#include "agent/tables/registry.h"
#include "agent/tables/stanzas.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr std::size_t kMaxStatusBytes = std::size_t{64} << 20;
constexpr std::string_view kDpkg = "/var/lib/dpkg";

constexpr Column kPackageColumns[] = {
    {"name", kT, "Name"},
    {"version", kT, "Version, with epoch and revision"},
    {"source", kT, "Source package, when it has another name or version"},
    {"size", kB, "Installed size as the package says, KiB"},
    {"arch", kT, "Architecture"},
    {"revision", kT, "What follows the last '-' of the version"},
    {"status", kT, "Wanted, error, state: install ok installed"},
    {"maintainer", kT, "Maintainer"},
    {"section", kT, "Section"},
    {"priority", kT, "Priority"},
    {"admindir", kT, "dpkg's directory; another than /var/lib/dpkg when it is given", kAdditional},
    {"pid_with_namespace", kI, "Always 0: other namespaces cannot be asked",
     kAdditional | kHidden | kLinux},
    {"mount_namespace_id", kT, "Inode of the mount namespace", kHidden | kLinux},
};
enum PackageAt : std::size_t { kAdmin = 10 };

constexpr Column kFileColumns[] = {
    {"package", kT, "Name of the package", kIndex},
    {"path", kT, "File or directory that it brought", kIndex},
    {"admindir", kT, "dpkg's directory; another than /var/lib/dpkg when it is given", kAdditional},
};
enum FileAt : std::size_t { kPackage, kPath, kFileAdmin };

std::string Directory(const Request& request, std::size_t column) {
  return request.EqualText(column).value_or(std::string(kDpkg));
}

class PackageRows : public RowSource {
 public:
  PackageRows(const Request& request, Machine& machine) : admin_(Directory(request, kAdmin)) {
    auto text = machine.ReadRegular(admin_ + "/status", kMaxStatusBytes);
    if (text.ok()) text_ = std::move(text).value();
    rest_ = text_;
    namespace_ = MountNamespace(machine);
  }

  bool Next(Row& row) override {
    std::string_view stanza;
    while (NextStanza(rest_, stanza)) {
      const std::string_view name = StanzaValue(stanza, "Package");
      const std::string_view status = StanzaValue(stanza, "Status");
      if (name.empty() || status.ends_with(" not-installed")) continue;
      const std::string_view version = StanzaValue(stanza, "Version");
      const std::size_t dash = version.rfind('-');
      RowList rows;
      rows.Begin().Text(name).Text(version).Text(StanzaValue(stanza, "Source"));
      rows.Value(IntegerOrNull(ParseInt(StanzaValue(stanza, "Installed-Size"))));
      rows.Text(StanzaValue(stanza, "Architecture"));
      rows.Text(dash == std::string_view::npos ? std::string_view() : version.substr(dash + 1));
      rows.Text(status);
      for (const char* key : {"Maintainer", "Section", "Priority"}) {
        rows.Text(StanzaValue(stanza, key));
      }
      rows.Text(admin_).Integer(0).Value(namespace_);
      row = rows.Take(0);
      return true;
    }
    return false;
  }

 private:
  std::string admin_;
  std::string text_;
  std::string_view rest_;  // of text_
  SqlValue namespace_;
};

// The package of "/var/lib/dpkg/info/libc6:amd64.list".
std::string_view PackageOf(std::string_view path) {
  path = BaseName(path);
  return path.substr(0, std::min(path.find(':'), path.size() - std::string_view(".list").size()));
}

void ReadList(const Place& place, const Request& request, Machine& machine, RowList& rows) {
  const auto wanted = request.EqualText(kPath);
  const std::string admin = Directory(request, kFileAdmin);
  const std::string text = ReadText(machine, place.path);
  std::string_view rest = text;
  std::string_view line;
  while (NextLine(rest, line)) {
    if (line == "/.") line = "/";
    if (line.empty() || (wanted && line != *wanted)) continue;
    rows.Begin().Text(PackageOf(place.path)).Text(line).Text(admin);
  }
}

Result<std::unique_ptr<RowSource>> OpenFiles(const Request& request, Machine& machine) {
  const std::string info = Directory(request, kFileAdmin) + "/info";
  const auto package = request.EqualText(kPackage);
  std::vector<Place> lists;
  for (const std::string& name : SortedNames(machine, info)) {
    if (!name.ends_with(".list")) continue;
    std::string path = JoinPath(info, name);
    if (package && PackageOf(path) != *package) continue;
    AddPlace(lists, std::move(path));
  }
  return RowsOf(std::move(lists), request, machine, ReadList);
}

}  // namespace

const Table kDebPackagesTable = {
    .name = "deb_packages",
    .description = "Packages that dpkg has installed, or of which it still has the configuration.",
    .example = "SELECT name, version, arch FROM deb_packages WHERE name LIKE 'openssh%';",
    .cost = Cost::kPackages,
    .columns = kPackageColumns,
    .open = OpenRows<PackageRows>,
};

const Table kDebPackageFilesTable = {
    .name = "deb_package_files",
    .description = "Files that packages of dpkg brought.",
    .example = "SELECT package FROM deb_package_files WHERE path = '/usr/bin/env';",
    .cost = Cost::kPackages,
    .columns = kFileColumns,
    .open = OpenFiles,
};

}  // namespace holdfast::agent
