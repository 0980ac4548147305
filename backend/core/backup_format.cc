#include "backend/core/backup_format.h"

#include <algorithm>
#include <charconv>
#include <vector>

namespace holdfast::backend {
namespace {

constexpr std::size_t kNameBytes = 100;    // ustar's field `name`
constexpr std::size_t kPrefixBytes = 155;  // and `prefix`, joined to it by '/'
constexpr std::size_t kSizeAt = 124;
constexpr std::size_t kSizeBytes = 12;
constexpr std::size_t kSumAt = 148;
constexpr std::size_t kSumBytes = 8;
constexpr std::size_t kTypeAt = 156;
constexpr std::size_t kMagicAt = 257;
constexpr std::size_t kPrefixAt = 345;
constexpr std::uint64_t kMaxOctalSize = (std::uint64_t{1} << 33) - 1;  // eleven octal digits
constexpr std::string_view kMagic{
    "ustar\0"
    "00",
    8};

Error NotABackup(std::string what) { return {Code::kCorrupt, std::move(what)}; }

void PutOctal(std::string& block, std::size_t at, std::size_t digits, std::uint64_t value) {
  for (std::size_t i = digits; i-- > 0; value >>= 3) {
    block[at + i] = static_cast<char>('0' + (value & 7));
  }
}

void PutSize(std::string& block, std::uint64_t size) {
  if (size <= kMaxOctalSize) return PutOctal(block, kSizeAt, kSizeBytes - 1, size);
  block[kSizeAt] = static_cast<char>(0x80);  // base 256, big endian
  for (std::size_t i = kSizeBytes; i-- > kSizeBytes - sizeof size; size >>= 8) {
    block[kSizeAt + i] = static_cast<char>(size & 0xff);
  }
}

// Octal digits up to a NUL or a space; nullopt for anything else.
std::optional<std::uint64_t> Octal(std::string_view field) {
  std::uint64_t value = 0;
  std::size_t digits = 0;
  for (; digits < field.size() && field[digits] >= '0' && field[digits] <= '7'; ++digits) {
    value = value * 8 + static_cast<std::uint64_t>(field[digits] - '0');
  }
  const auto rest = field.substr(digits);
  const bool ends = rest.find_first_not_of(std::string_view("\0 ", 2)) == std::string_view::npos;
  return digits > 0 && ends ? std::optional(value) : std::nullopt;
}

std::optional<std::uint64_t> Size(std::string_view field) {
  if (static_cast<unsigned char>(field[0]) != 0x80) return Octal(field);
  std::uint64_t value = 0;
  for (std::size_t i = 1; i < field.size(); ++i) {
    const auto byte = static_cast<unsigned char>(field[i]);
    if (i < field.size() - sizeof value && byte != 0) return std::nullopt;
    value = value << 8 | byte;
  }
  // No file is larger, and sums of sizes stay far from overflow.
  constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 56;
  return value <= kMaxFileBytes ? std::optional(value) : std::nullopt;
}

// All bytes, with those of the sum itself taken for spaces.
std::uint64_t HeaderSum(std::string_view block) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    const bool is_sum = i >= kSumAt && i < kSumAt + kSumBytes;
    sum += is_sum ? ' ' : static_cast<unsigned char>(block[i]);
  }
  return sum;
}

std::string_view UpToNul(std::string_view field) { return field.substr(0, field.find('\0')); }

std::optional<std::uint64_t> Number(std::string_view text) {
  std::uint64_t value = 0;
  const auto end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && at == end && !text.empty() ? std::optional(value) : std::nullopt;
}

// Takes what stands before `end` off the front; nullopt: it does not come.
std::optional<std::string_view> Take(std::string_view& text, char end) {
  const std::size_t at = text.find(end);
  if (at == std::string_view::npos) return std::nullopt;
  const auto taken = text.substr(0, at);
  text.remove_prefix(at + 1);
  return taken;
}

template <typename Fixed>
std::optional<Fixed> Hex(std::string_view text) {
  if (text.size() != 2 * Fixed::kSize) return std::nullopt;
  const auto bytes = FromHex(text);
  return bytes.ok() ? Fixed::From(bytes.value()) : std::nullopt;
}

}  // namespace

// --- the head -------------------------------------------------------------------------------------

std::string FormatHead(const BackupHead& head) {
  return "format " + std::to_string(head.format) + "\nversion " + head.version + "\nschema " +
         std::to_string(head.schema) + "\nfleet " + head.fleet_id.hex() + "\nmade_ms " +
         std::to_string(head.made_ms) + "\n";
}

Result<BackupHead> ParseHead(std::string_view text) {
  BackupHead head;
  const auto line = [&text](std::string_view key) -> std::optional<std::string_view> {
    auto found = Take(text, '\n');
    if (!found || !found->starts_with(key) || found->size() <= key.size() + 1) return std::nullopt;
    return found->substr(key.size() + 1);
  };
  const auto format = Number(line("format").value_or(""));
  if (!format || *format == 0) return NotABackup("this is no backup of Holdfast");
  const auto version = line("version");
  if (*format > kBackupFormat) {
    return Error{Code::kUnsupported, "the backup is of a later format (" + std::to_string(*format) +
                                         "), written by holdfastd " +
                                         std::string(version.value_or("?"))};
  }
  const auto schema = Number(line("schema").value_or(""));
  const auto fleet = Hex<FleetId>(line("fleet").value_or(""));
  const auto made = Number(line("made_ms").value_or(""));
  constexpr std::size_t kMaxVersionBytes = 64;
  if (!version || version->size() > kMaxVersionBytes || !IsMemberName(*version) || !schema ||
      *schema > UINT32_MAX || !fleet || !made) {
    return NotABackup("the backup's first member does not parse");
  }
  head.format = static_cast<std::uint32_t>(*format);
  head.version = *version;
  head.schema = static_cast<std::uint32_t>(*schema);
  head.fleet_id = *fleet;
  head.made_ms = *made;
  return head;
}

// --- members --------------------------------------------------------------------------------------

bool IsMemberName(std::string_view name) {
  if (name.empty() || name.size() > kMaxMemberNameBytes) return false;
  const bool is_plain = std::all_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) >= ' ' && c != 0x7f;
  });
  if (!is_plain) return false;
  for (;;) {
    const auto part = name.substr(0, name.find('/'));
    if (part.empty() || part == "." || part == "..") return false;
    if (part.size() == name.size()) return true;
    name.remove_prefix(part.size() + 1);
  }
}

bool IsStateMember(std::string_view name) {
  if (name == kLedgerMember) return true;
  const auto is_hex = [](std::string_view text, std::size_t bytes) {
    return text.size() == 2 * bytes &&
           text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  };
  constexpr std::string_view kIncoming = "state/results/incoming/";
  if (name.starts_with(kIncoming)) return is_hex(name.substr(kIncoming.size()), Nonce16::kSize);
  for (const std::string_view area : {"state/results/", "state/blobs/"}) {
    if (!name.starts_with(area)) continue;
    const std::string_view below = name.substr(area.size());  // HH/HASH, which begins with HH
    return below.size() > 3 && below[2] == '/' && is_hex(below.substr(3), Digest::kSize) &&
           below.substr(0, 2) == below.substr(3, 2);
  }
  return false;
}

Result<std::string> TarHeader(const BackupMember& member, std::uint64_t mtime_s) {
  std::string_view name = member.name;
  std::string_view prefix;
  if (name.size() > kNameBytes) {  // cut at a '/', so that both parts fit
    const std::size_t cut = std::min(name.find('/', name.size() - kNameBytes - 1), name.size());
    prefix = name.substr(0, cut);
    name.remove_prefix(std::min(cut + 1, name.size()));
  }
  if (name.empty() || prefix.size() > kPrefixBytes || !IsMemberName(member.name)) {
    return Error{Code::kInvalid, "no name for a backup: " + member.name};
  }
  std::string block(kTarBlockBytes, '\0');
  block.replace(0, name.size(), name);
  block.replace(100, 7, "0000600");  // mode
  PutOctal(block, 108, 7, 0);        // owner and group: whoever restores it
  PutOctal(block, 116, 7, 0);
  PutSize(block, member.size);
  PutOctal(block, 136, 11, std::min(mtime_s, kMaxOctalSize));
  block[kTypeAt] = '0';
  block.replace(kMagicAt, kMagic.size(), kMagic);
  block.replace(kPrefixAt, prefix.size(), prefix);
  PutOctal(block, kSumAt, 6, HeaderSum(block));
  block[kSumAt + 7] = ' ';
  return block;
}

Result<std::optional<BackupMember>> ParseTarHeader(std::string_view block) {
  if (block.size() != kTarBlockBytes) return NotABackup("the archive ends within a header");
  if (block.find_first_not_of('\0') == std::string_view::npos) return std::optional<BackupMember>();
  if (block.substr(kMagicAt, kMagic.size()) != kMagic ||
      Octal(block.substr(kSumAt, kSumBytes)) != HeaderSum(block)) {
    return NotABackup("this is no archive, or a damaged one");
  }
  BackupMember member;
  const auto prefix = UpToNul(block.substr(kPrefixAt, kPrefixBytes));
  member.name = prefix;
  if (!prefix.empty()) member.name += '/';
  member.name += UpToNul(block.substr(0, kNameBytes));
  const auto size = Size(block.substr(kSizeAt, kSizeBytes));
  if (block[kTypeAt] != '0' || !size || !IsMemberName(member.name)) {
    return NotABackup("the archive holds something that no backup does");
  }
  member.size = *size;
  return std::optional(std::move(member));
}

std::size_t TarPadding(std::uint64_t size) {
  return static_cast<std::size_t>((kTarBlockBytes - size % kTarBlockBytes) % kTarBlockBytes);
}

// --- the manifest ---------------------------------------------------------------------------------

std::string FormatManifest(const Manifest& manifest) {
  std::string text;
  for (const auto& [name, sum] : manifest) {
    text += sum.sha256.hex() + " " + std::to_string(sum.size) + " " + name + "\n";
  }
  return text;
}

std::string ManifestSeal(const Digest& of_text) { return "end " + of_text.hex() + "\n"; }

Result<SealedManifest> ParseManifest(std::string_view text) {
  SealedManifest out;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t at = text.size() - rest.size();
    auto line = Take(rest, '\n');
    if (!line) break;
    if (line->starts_with("end ")) {
      const auto seal = Hex<Digest>(line->substr(4));
      if (!seal || !rest.empty()) break;
      out.sealed = text.substr(0, at);
      out.seal = *seal;
      return out;
    }
    const auto sha256 = Hex<Digest>(Take(*line, ' ').value_or(""));
    const auto size = Number(Take(*line, ' ').value_or(""));
    if (!sha256 || !size || !IsMemberName(*line) || out.members.size() >= kMaxMembers) break;
    if (!out.members.emplace(*line, MemberSum{*size, *sha256}).second) break;
  }
  return NotABackup("the manifest does not parse");
}

std::string Difference(const Manifest& wanted, const Manifest& found) {
  for (const auto& [name, sum] : wanted) {
    const auto at = found.find(name);
    if (at == found.end()) return name + " is missing";
    if (at->second != sum) return name + " is not what was backed up";
  }
  for (const auto& [name, sum] : found) {
    if (!wanted.contains(name)) return name + " does not belong to it";
  }
  return {};
}

}  // namespace holdfast::backend
