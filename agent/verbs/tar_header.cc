#include "agent/verbs/tar_header.h"

#include <algorithm>

#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace holdfast::agent {
namespace {

// pax(1), "ustar Interchange Format": where a field begins, and its bytes.
struct Field {
  std::size_t at;
  std::size_t bytes;
};
constexpr Field kName = {0, 100};
constexpr Field kMode = {100, 8};
constexpr Field kUid = {108, 8};
constexpr Field kGid = {116, 8};
constexpr Field kSize = {124, 12};
constexpr Field kMtime = {136, 12};
constexpr Field kChecksum = {148, 8};
constexpr std::size_t kTypeAt = 156;
constexpr Field kLinkName = {157, 100};
constexpr Field kMagic = {257, 8};
constexpr Field kUserName = {265, 32};
constexpr Field kGroupName = {297, 32};
constexpr Field kDeviceMajor = {329, 8};
constexpr Field kDeviceMinor = {337, 8};

constexpr std::string_view kUstar{"ustar\00000", 8};
constexpr char kRegular = '0', kLink = '2', kCharacter = '3', kBlock = '4', kDirectory = '5';
constexpr char kFifo = '6', kPax = 'x';

// A number has a digit less than its field: the last byte ends it.
std::uint64_t MostOf(Field field) { return (std::uint64_t{1} << 3 * (field.bytes - 1)) - 1; }

class Block {
 public:
  explicit Block(char type) : bytes_(kTarBlockBytes, '\0') {
    bytes_[kTypeAt] = type;
    Text(kMagic, kUstar);
  }
  void Text(Field field, std::string_view text) {
    text.copy(bytes_.data() + field.at, field.bytes);
  }
  void Octal(Field field, std::uint64_t value) {
    value = std::min(value, MostOf(field));
    for (std::size_t i = field.bytes - 1; i-- > 0; value >>= 3) {
      bytes_[field.at + i] = static_cast<char>('0' + (value & 7));
    }
  }
  std::string Finish() {
    Text(kChecksum, "        ");  // counts as blanks
    std::uint64_t sum = 0;
    for (const char c : bytes_) sum += static_cast<unsigned char>(c);
    Octal({kChecksum.at, kChecksum.bytes - 1}, sum);
    bytes_[kChecksum.at + kChecksum.bytes - 2] = '\0';  // six digits, this, and a blank
    return bytes_;
  }

 private:
  std::string bytes_;
};

char TypeOf(std::uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG: return kRegular;
    case S_IFDIR: return kDirectory;
    case S_IFLNK: return kLink;
    case S_IFIFO: return kFifo;
    case S_IFCHR: return kCharacter;
    case S_IFBLK: return kBlock;
    default: return '\0';
  }
}

// "LENGTH key=value\n", where the length counts itself.
void AddRecord(std::string& records, std::string_view key, std::string_view value) {
  const std::size_t rest = 1 + key.size() + 1 + value.size() + 1;
  std::size_t length = rest + 1;
  while (std::to_string(length).size() + rest != length) ++length;
  records += std::to_string(length);
  records.append(" ").append(key).append("=").append(value).append("\n");
}

void AddNumber(std::string& records, std::string_view key, Field field, std::int64_t value) {
  if (value >= 0 && static_cast<std::uint64_t>(value) <= MostOf(field)) return;
  AddRecord(records, key, std::to_string(value));
}

// What ustar has no room for.
std::string Records(const TarMember& member, std::uint64_t size) {
  std::string records;
  if (member.name.size() > kName.bytes) AddRecord(records, "path", member.name);
  if (member.target.size() > kLinkName.bytes) AddRecord(records, "linkpath", member.target);
  AddNumber(records, "size", kSize, static_cast<std::int64_t>(size));
  AddNumber(records, "uid", kUid, member.stat.uid);
  AddNumber(records, "gid", kGid, member.stat.gid);
  AddNumber(records, "mtime", kMtime, Seconds(member.stat.mtime_ns));
  return records;
}

}  // namespace

std::size_t TarPadding(std::uint64_t bytes) {
  return static_cast<std::size_t>(-bytes % kTarBlockBytes);
}

std::string TarHeader(const TarMember& member) {
  const char type = TypeOf(member.stat.mode);
  if (type == '\0') return {};
  const std::uint64_t size = type == kRegular ? member.stat.size : 0;
  std::string out;
  if (const std::string records = Records(member, size); !records.empty()) {
    Block pax(kPax);
    pax.Text(kName, "PaxHeader");
    pax.Octal(kMode, 0644);
    pax.Octal(kSize, records.size());
    pax.Octal(kMtime, 0);
    out = pax.Finish() + records;
    out.append(TarPadding(records.size()), '\0');
  }
  Block block(type);
  block.Text(kName, member.name);
  block.Octal(kMode, member.stat.mode & 07777);
  block.Octal(kUid, member.stat.uid);
  block.Octal(kGid, member.stat.gid);
  block.Octal(kSize, size);
  block.Octal(kMtime,
              static_cast<std::uint64_t>(std::max<std::int64_t>(0, Seconds(member.stat.mtime_ns))));
  block.Text(kLinkName, member.target);
  // With the byte that ends them.
  block.Text(kUserName, member.user.substr(0, kUserName.bytes - 1));
  block.Text(kGroupName, member.group.substr(0, kGroupName.bytes - 1));
  const bool is_device = type == kCharacter || type == kBlock;
  block.Octal(kDeviceMajor, is_device ? major(member.stat.rdevice) : 0);
  block.Octal(kDeviceMinor, is_device ? minor(member.stat.rdevice) : 0);
  return out + block.Finish();
}

}  // namespace holdfast::agent
