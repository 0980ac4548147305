// rpm_packages and rpm_package_files: what rpm has installed, from its database.
#include "agent/tables/places.h"
#include "agent/tables/registry.h"
#include "agent/tables/rpm_header.h"
#include "agent/tables/sqlite_file.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Column kPackageColumns[] = {
    {"name", kT, "Name", kIndex},
    {"version", kT, "Version", kIndex},
    {"release", kT, "Release", kIndex},
    {"source", kT, "Source package"},
    {"size", kB, "Installed size, bytes"},
    {"sha1", kT, "SHA-1 of the header"},
    {"arch", kT, "Architecture", kIndex},
    {"epoch", kI, "Epoch; NULL when it has none", kIndex},
    {"install_time", kI, "Installation, Unix s"},
    {"vendor", kT, "Vendor"},
    {"package_group", kT, "Group"},
    {"pid_with_namespace", kI, "Always 0: other namespaces cannot be asked",
     kAdditional | kHidden | kLinux},
    {"mount_namespace_id", kT, "Inode of the mount namespace", kHidden | kLinux},
};

constexpr Column kFileColumns[] = {
    {"package", kT, "Name of the package", kIndex},
    {"path", kT, "File or directory that it brought", kIndex},
    {"username", kT, "Owner as the package says"},
    {"groupname", kT, "Group as the package says"},
    {"mode", kT, "Permission bits in octal, as the package says"},
    {"size", kB, "Bytes, as the package says"},
    {"sha256", kT, "Digest as the package says, SHA-256 in all that are not very old"},
};
enum FileAt : std::size_t { kPackage, kPath };

constexpr std::string_view kDatabases[] = {"/var/lib/rpm/rpmdb.sqlite",
                                           "/usr/lib/sysimage/rpm/rpmdb.sqlite"};

// The headers of all packages, one at a time.
class Headers {
 public:
  explicit Headers(Machine& machine) : file_(Find(machine)), rows_(file_, "Packages") {}
  bool Next(std::string& header) {
    if (!rows_.Next()) return false;
    header = rows_.GetText("blob");
    return true;
  }

 private:
  static SqliteFile Find(Machine& machine) {
    for (const std::string_view path : kDatabases) {
      if (machine.Stat(std::string(path), Links::kFollow).ok()) {
        return SqliteFile::Read(machine, std::string(path));
      }
    }
    return {{}, {}};
  }
  SqliteFile file_;
  SqliteRows rows_;
};

std::optional<std::uint64_t> EitherNumber(const RpmHeader& header, RpmTag tag, RpmTag longer,
                                          std::size_t index) {
  const auto number = header.NumberAt(longer, index);
  return number ? number : header.NumberAt(tag, index);
}

class PackageRows : public RowSource {
 public:
  PackageRows(const Request& request, Machine& machine)
      : headers_(machine), name_(request.EqualText(0)), namespace_(MountNamespace(machine)) {}

  bool Next(Row& row) override {
    std::string bytes;
    while (headers_.Next(bytes)) {
      const RpmHeader header(bytes);
      const std::string_view name = header.Text(RpmTag::kName);
      if (name.empty() || (name_ && name != *name_)) continue;
      RowList rows;
      rows.Begin()
          .Text(name)
          .Text(header.Text(RpmTag::kVersion))
          .Text(header.Text(RpmTag::kRelease));
      rows.Text(header.Text(RpmTag::kSource));
      rows.Value(IntegerOrNull(EitherNumber(header, RpmTag::kSize, RpmTag::kLongSize, 0)));
      rows.Text(header.Text(RpmTag::kSha1)).Text(header.Text(RpmTag::kArch));
      rows.Value(IntegerOrNull(header.NumberAt(RpmTag::kEpoch, 0)));
      rows.Value(IntegerOrNull(header.NumberAt(RpmTag::kInstallTime, 0)));
      rows.Text(header.Text(RpmTag::kVendor)).Text(header.Text(RpmTag::kGroup));
      rows.Integer(0).Value(namespace_);
      row = rows.Take(0);
      return true;
    }
    return false;
  }

 private:
  Headers headers_;
  std::optional<std::string> name_;
  SqlValue namespace_;
};

// Cuts the next text off a list of texts.
std::string_view NextText(std::string_view& rest) { return NextField(rest, '\0'); }

class PackageFileRows : public RowSource {
 public:
  PackageFileRows(const Request& request, Machine& machine)
      : headers_(machine), package_(request.EqualText(kPackage)), path_(request.EqualText(kPath)) {}

  bool Next(Row& row) override {
    while (next_ == rows_.size()) {
      std::string bytes;
      if (!headers_.Next(bytes)) return false;
      rows_.Clear();
      next_ = 0;
      const RpmHeader header(bytes);
      if (!package_ || header.Text(RpmTag::kName) == *package_) ReadFiles(header);
    }
    row = rows_.Take(next_++);
    return true;
  }

 private:
  void ReadFiles(const RpmHeader& header) {
    std::string_view names = header.Texts(RpmTag::kBaseNames);
    std::string_view users = header.Texts(RpmTag::kFileUsers);
    std::string_view groups = header.Texts(RpmTag::kFileGroups);
    std::string_view digests = header.Texts(RpmTag::kFileDigests);
    const std::size_t count = header.Count(RpmTag::kBaseNames);
    std::vector<std::string_view> directories;
    for (std::string_view rest = header.Texts(RpmTag::kDirNames);
         !rest.empty() && directories.size() < header.Count(RpmTag::kDirNames);) {
      directories.push_back(NextText(rest));
    }
    for (std::size_t i = 0; i < count && !names.empty(); ++i) {
      const auto directory = header.NumberAt(RpmTag::kDirIndexes, i);
      const bool known = directory && *directory < directories.size();
      std::string path(known ? directories[*directory] : std::string_view());
      path.append(NextText(names));
      const std::string_view user = NextText(users);
      const std::string_view group = NextText(groups);
      const std::string_view digest = NextText(digests);
      if (path_ && path != *path_) continue;
      const auto mode = header.NumberAt(RpmTag::kFileModes, i);
      rows_.Begin().Text(header.Text(RpmTag::kName)).Text(path).Text(user).Text(group);
      rows_.Text(mode ? OctalMode(static_cast<std::uint32_t>(*mode)) : std::string());
      rows_.Value(
          IntegerOrNull(EitherNumber(header, RpmTag::kFileSizes, RpmTag::kLongFileSizes, i)));
      rows_.Text(digest);
    }
  }

  Headers headers_;
  std::optional<std::string> package_;
  std::optional<std::string> path_;
  RowList rows_;
  std::size_t next_ = 0;
};

}  // namespace

const Table kRpmPackagesTable = {
    .name = "rpm_packages",
    .description =
        "Packages that rpm has installed; of databases in SQLite, as rpm 4.16 and later "
        "write them.",
    .example = "SELECT name, version, release, arch FROM rpm_packages WHERE name = 'openssl';",
    .cost = Cost::kPackages,
    .columns = kPackageColumns,
    .open = OpenRows<PackageRows>,
};

const Table kRpmPackageFilesTable = {
    .name = "rpm_package_files",
    .description = "Files that packages of rpm brought.",
    .example = "SELECT path, sha256 FROM rpm_package_files WHERE package = 'openssh-server';",
    .cost = Cost::kPackages,
    .columns = kFileColumns,
    .open = OpenRows<PackageFileRows>,
};

}  // namespace holdfast::agent
