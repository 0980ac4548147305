// users: the local accounts of /etc/passwd; no name service is asked.
#include "agent/tables/registry.h"
#include "agent/tables/system_files.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kMaxPasswdBytes = 16 << 20;  // some 200,000 accounts

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Column kColumns[] = {
    {"uid", kB, "User id", kIndex},
    {"gid", kB, "Group id of the primary group"},
    {"uid_signed", kB, "User id as a signed 32-bit number"},
    {"gid_signed", kB, "Group id as a signed 32-bit number"},
    {"username", kT, "Name", kAdditional},
    {"description", kT, "The comment field (GECOS)"},
    {"directory", kT, "Home directory"},
    {"shell", kT, "Login shell"},
    {"uuid", kT, "Always NULL on Linux", kIndex},
    {"pid_with_namespace", kI, "Always 0: other namespaces cannot be asked",
     kAdditional | kHidden | kLinux},
    {"include_remote", kI, "Always 0: accounts of other hosts cannot be asked",
     kAdditional | kHidden | kLinux},
};
enum ColumnAt : std::size_t {
  kUid,
  kGid,
  kUidSigned,
  kGidSigned,
  kUsername,
  kDescription,
  kDirectory,
  kShell,
  kUuid,
  kNamespace,
  kRemote,
};

class UserRows : public RowSource {
 public:
  UserRows(std::string text, std::optional<std::string> uid, std::optional<std::string> name)
      : text_(std::move(text)), rest_(text_), uid_(std::move(uid)), name_(std::move(name)) {}

  bool Next(Row& row) override {
    std::string_view line;
    while (NextLine(rest_, line)) {
      const auto account = ParsePasswdLine(line);
      if (!account || (name_ && account->name != *name_)) continue;
      if (uid_ && std::to_string(account->uid) != *uid_) continue;
      row[kUid] = Integer(account->uid);
      row[kGid] = Integer(account->gid);
      row[kUidSigned] = Integer(static_cast<std::int32_t>(account->uid));
      row[kGidSigned] = Integer(static_cast<std::int32_t>(account->gid));
      row[kUsername] = Text(account->name);
      row[kDescription] = Text(account->description);
      row[kDirectory] = Text(account->directory);
      row[kShell] = Text(account->shell);
      row[kNamespace] = Integer(0);
      row[kRemote] = Integer(0);
      return true;
    }
    return false;
  }

 private:
  std::string text_;
  std::string_view rest_;  // of text_
  std::optional<std::string> uid_;
  std::optional<std::string> name_;
};

Result<std::unique_ptr<RowSource>> Open(const Request& request, Machine& machine) {
  auto text = machine.ReadFile("/etc/passwd", kMaxPasswdBytes);
  return std::unique_ptr<RowSource>(
      std::make_unique<UserRows>(text.ok() ? std::move(text).value() : std::string(),
                                 request.EqualText(kUid), request.EqualText(kUsername)));
}

}  // namespace

const Table kUsersTable = {
    .name = "users",
    .description = "Local user accounts.",
    .example = "SELECT username, uid, shell FROM users WHERE shell NOT LIKE '%nologin';",
    .cost = Cost::kAccounts,
    .columns = kColumns,
    .open = Open,
};

}  // namespace holdfast::agent
