// suid_bin: programs that run as their owner or group.
#include <array>
#include <map>

#include "agent/tables/places.h"
#include "agent/tables/registry.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;

constexpr Column kColumns[] = {
    {"path", kT, "The file"},
    {"username", kT, "Owner; the number when it has no name"},
    {"groupname", kT, "Group; the number when it has no name"},
    {"permissions", kT, "S: runs as the owner, G: as the group"},
    {"pid_with_namespace", kI, "Always 0: other namespaces cannot be asked",
     kAdditional | kHidden | kLinux},
};

constexpr std::uint32_t kSetUid = 04000;
constexpr std::uint32_t kSetGid = 02000;
constexpr std::size_t kMaxDepth = 32;  // deeper than that is /tmp made by an attacker
constexpr std::array<std::string_view, 7> kRoots = {
    "/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/tmp"};

using Names = std::map<std::uint32_t, std::string>;

Names GroupNames(Machine& machine) {
  Names names;
  const std::string text = ReadText(machine, "/etc/group");
  std::string_view rest = text;
  std::string_view line;
  while (NextLine(rest, line)) {
    if (const auto group = ParseGroupLine(line)) names.emplace(group->gid, group->name);
  }
  return names;
}

std::string NameOf(const Names& names, std::uint32_t id) {
  const auto at = names.find(id);
  return at == names.end() ? std::to_string(id) : at->second;
}

class SuidRows : public RowSource {
 public:
  explicit SuidRows(Machine& machine) : machine_(machine), groups_(GroupNames(machine)) {
    for (const Account& account : LocalAccounts(machine, std::nullopt)) {
      users_.emplace(account.uid, account.name);
    }
  }

  bool Next(Row& row) override {
    while (true) {
      while (levels_.empty()) {
        if (next_root_ == kRoots.size()) return false;
        Enter(std::string(kRoots[next_root_++]));
      }
      Level& level = levels_.back();
      if (level.next == level.names.size()) {
        levels_.pop_back();
        continue;
      }
      const std::string path = JoinPath(level.directory, level.names[level.next++]);
      const auto stat = machine_.Stat(path, Links::kKeep);
      if (!stat.ok()) continue;
      const std::uint32_t mode = stat.value().mode;
      if ((mode & kTypeMask) == kTypeDirectory) Enter(path);
      if ((mode & kTypeMask) != kTypeRegular || (mode & (kSetUid | kSetGid)) == 0) continue;
      RowList rows;
      rows.Begin().Text(path).Text(NameOf(users_, stat.value().uid));
      rows.Text(NameOf(groups_, stat.value().gid));
      rows.Text(
          std::string((mode & kSetUid) != 0 ? "S" : "").append((mode & kSetGid) != 0 ? "G" : ""));
      row = rows.Integer(0).Take(0);
      return true;
    }
  }

 private:
  struct Level {
    std::string directory;
    std::vector<std::string> names;
    std::size_t next = 0;
  };
  void Enter(const std::string& directory) {
    if (levels_.size() == kMaxDepth) return;
    levels_.push_back({.directory = directory, .names = SortedNames(machine_, directory)});
  }

  Machine& machine_;
  Names users_;
  Names groups_;
  std::vector<Level> levels_;
  std::size_t next_root_ = 0;
};

Result<std::unique_ptr<RowSource>> Open(const Request&, Machine& machine) {
  return std::unique_ptr<RowSource>(std::make_unique<SuidRows>(machine));
}

}  // namespace

const Table kSuidBinTable = {
    .name = "suid_bin",
    .description =
        "Files with setuid or setgid in /bin, /sbin, /usr/bin, /usr/sbin, /usr/local and "
        "/tmp; links are not followed.",
    .example = "SELECT path, username, permissions FROM suid_bin WHERE path LIKE '/tmp/%';",
    .cost = Cost::kPackages,
    .columns = kColumns,
    .open = Open,
};

}  // namespace holdfast::agent
