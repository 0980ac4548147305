// groups, user_groups and shadow: the other account files of /etc; no name service is asked.
#include "agent/tables/places.h"
#include "agent/tables/registry.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Column kGroupColumns[] = {
    {"gid", kB, "Group id", kIndex},
    {"gid_signed", kB, "Group id as a signed 32-bit number"},
    {"groupname", kT, "Name"},
    {"pid_with_namespace", kI, "Always 0: other namespaces cannot be asked",
     kAdditional | kHidden | kLinux},
};

constexpr Column kMemberColumns[] = {
    {"uid", kB, "User id", kIndex},
    {"gid", kB, "Group id: the primary group's, or of a group that lists the user", kIndex},
};

constexpr Column kShadowColumns[] = {
    {"password_status", kT,
     "active, locked (begins with !, * or x), not_set (!!), empty (no password is asked)"},
    {"hash_alg", kT, "Algorithm of the hash, between the first two $: 6, y, ...; NULL when none"},
    {"last_change", kB, "Day of the last change, days since 1970; -1 when not said, as below"},
    {"min", kB, "Days until it may be changed"},
    {"max", kB, "Days until it must be changed"},
    {"warning", kB, "Days of warning before that"},
    {"inactive", kB, "Days after that until the account is locked"},
    {"expire", kB, "Day on which the account expires, days since 1970"},
    {"flag", kB, "Reserved"},
    {"username", kT, "Name", kIndex},
};
enum ShadowAt : std::size_t { kUsername = 9 };

std::vector<Place> OneFile(std::string_view path) {
  std::vector<Place> places;
  AddPlace(places, std::string(path));
  return places;
}

void ReadGroups(const Place& place, const Request& request, Machine& machine, RowList& rows) {
  const auto gid = request.EqualText(0);
  const std::string text = ReadText(machine, place.path);
  std::string_view rest = text;
  std::string_view line;
  while (NextLine(rest, line)) {
    const auto group = ParseGroupLine(line);
    if (!group || (gid && std::to_string(group->gid) != *gid)) continue;
    rows.Begin().Integer(group->gid).Integer(static_cast<std::int32_t>(group->gid));
    rows.Text(group->name).Integer(0);
  }
}

struct Member {
  std::string name;
  std::uint32_t gid;
};

std::vector<Member> Members(std::string_view rest) {
  std::vector<Member> members;
  std::string_view line;
  while (NextLine(rest, line)) {
    const auto group = ParseGroupLine(line);
    if (!group) continue;
    for (int i = 0; i < 3; ++i) NextField(line, ':');
    while (!line.empty()) {
      members.push_back({.name = std::string(Trim(NextField(line, ','))), .gid = group->gid});
    }
  }
  return members;
}

void ReadMembers(const Place& place, const Request& request, Machine& machine, RowList& rows) {
  const std::vector<Member> members = Members(ReadText(machine, place.path));
  for (const Account& account : LocalAccounts(machine, request.EqualText(0))) {
    rows.Begin().Integer(account.uid).Integer(account.gid);
    for (const Member& member : members) {
      if (member.name != account.name || member.gid == account.gid) continue;
      rows.Begin().Integer(account.uid).Integer(member.gid);
    }
  }
}

std::string_view PasswordStatus(std::string_view password) {
  if (password.empty()) return "empty";
  if (password == "!!") return "not_set";
  return std::string_view("!*x").find(password.front()) != std::string_view::npos ? "locked"
                                                                                  : "active";
}

std::string_view HashAlgorithm(std::string_view password) {
  if (!password.starts_with('$')) return {};
  password.remove_prefix(1);
  const std::size_t end = password.find('$');
  return end == std::string_view::npos ? std::string_view() : password.substr(0, end);
}

void ReadShadow(const Place& place, const Request& request, Machine& machine, RowList& rows) {
  const auto wanted = request.EqualText(kUsername);
  const std::string text = ReadText(machine, place.path);
  std::string_view rest = text;
  std::string_view line;
  while (NextLine(rest, line)) {
    const bool whole = line.find(':') != std::string_view::npos;
    const std::string_view name = NextField(line, ':');
    if (!whole || name.empty() || name.front() == '#' || (wanted && name != *wanted)) continue;
    const std::string_view password = NextField(line, ':');
    rows.Begin().Text(PasswordStatus(password)).TextOrNull(HashAlgorithm(password));
    for (int i = 0; i < 7; ++i) rows.Integer(ParseInt(NextField(line, ':')).value_or(-1));
    rows.Text(name);
  }
}

Result<std::unique_ptr<RowSource>> OpenGroups(const Request& request, Machine& machine) {
  return RowsOf(OneFile("/etc/group"), request, machine, ReadGroups);
}
Result<std::unique_ptr<RowSource>> OpenMembers(const Request& request, Machine& machine) {
  return RowsOf(OneFile("/etc/group"), request, machine, ReadMembers);
}
Result<std::unique_ptr<RowSource>> OpenShadow(const Request& request, Machine& machine) {
  return RowsOf(OneFile("/etc/shadow"), request, machine, ReadShadow);
}

}  // namespace

const Table kGroupsTable = {
    .name = "groups",
    .description = "Local groups.",
    .example = "SELECT gid, groupname FROM groups WHERE groupname IN ('sudo', 'wheel', 'docker');",
    .cost = Cost::kAccounts,
    .columns = kGroupColumns,
    .open = OpenGroups,
};

const Table kUserGroupsTable = {
    .name = "user_groups",
    .description = "Which local account is in which local group.",
    .example =
        "SELECT username, groupname FROM user_groups JOIN users USING (uid) JOIN groups ON "
        "groups.gid = user_groups.gid;",
    .cost = Cost::kAccounts,
    .columns = kMemberColumns,
    .open = OpenMembers,
};

const Table kShadowTable = {
    .name = "shadow",
    .description = "State and ages of local passwords; never the hashes. Only root may read them.",
    .example = "SELECT username, password_status FROM shadow WHERE password_status <> 'locked';",
    .cost = Cost::kAccounts,
    .columns = kShadowColumns,
    .open = OpenShadow,
};

}  // namespace holdfast::agent
