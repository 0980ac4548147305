// user_ssh_keys: private keys in ~/.ssh, and whether a passphrase protects them.
#include "agent/tables/places.h"
#include "agent/tables/registry.h"
#include "agent/tables/ssh_files.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Column kColumns[] = {
    {"uid", kB, "Account whose home holds the key", kAdditional},
    {"path", kT, "The file", kIndex},
    {"encrypted", kI, "1 when a passphrase protects it"},
    {"key_type", kT, "rsa, dsa, ec, ed25519; NULL when only the passphrase would tell"},
    {"key_group_name", kT, "Curve of an ec key, e.g. nistp256"},
    {"key_length", kI, "Bits; NULL when not known"},
    {"key_security_bits", kI, "Its strength by NIST SP 800-57, bits"},
    {"pid_with_namespace", kI, "Always 0: other namespaces cannot be asked",
     kAdditional | kHidden | kLinux},
};

constexpr std::size_t kMaxKeyBytes = 64 * 1024;
constexpr std::string_view kDirectory[] = {".ssh"};

void ReadKey(const std::string& path, std::uint32_t uid, Machine& machine, RowList& rows) {
  const auto text = machine.ReadRegular(path, kMaxKeyBytes);
  if (!text.ok()) return;
  const auto key = ParsePrivateKey(text.value());
  if (!key) return;
  const auto number = [](int bits) { return bits == 0 ? Null() : Integer(bits); };
  rows.Begin().Integer(uid).Text(path).Integer(key->encrypted ? 1 : 0).TextOrNull(key->type);
  rows.TextOrNull(key->group).Value(number(key->bits)).Value(number(key->security_bits)).Integer(0);
}

void Read(const Place& place, const Request& request, Machine& machine, RowList& rows) {
  const auto wanted = request.EqualText(1);
  if (wanted) {
    const std::string inside = place.path + "/";
    if (wanted->starts_with(inside) && wanted->find('/', inside.size()) == std::string::npos) {
      ReadKey(*wanted, place.uid, machine, rows);
    }
    return;
  }
  for (const std::string& name : SortedNames(machine, place.path)) {
    ReadKey(JoinPath(place.path, name), place.uid, machine, rows);
  }
}

Result<std::unique_ptr<RowSource>> Open(const Request& request, Machine& machine) {
  return RowsOf(HomePlaces(machine, request.EqualText(0), kDirectory), request, machine, Read);
}

}  // namespace

const Table kUserSshKeysTable = {
    .name = "user_ssh_keys",
    .description = "Private SSH keys in the homes of local accounts; never the keys themselves.",
    .example =
        "SELECT username, path, key_type FROM users JOIN user_ssh_keys USING (uid) WHERE "
        "encrypted = 0;",
    .cost = Cost::kHomes,
    .columns = kColumns,
    .open = Open,
};

}  // namespace holdfast::agent
