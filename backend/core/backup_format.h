// The format of a backup: what stands in it, how it is named, and the sums that prove it whole.
//
// A backup is a tar archive (ustar; sizes above 8 GiB in base 256, as GNU tar has them), so that `tar -tvf`
// reads it where no Holdfast is. Its members, in this order:
//
//   holdfast-backup                    BackupHead: who wrote it, of which fleet, with which schema
//   server/holdfastd.toml, server/...  the configuration and the files that it names, below its folder
//   outside/...                        those that lie elsewhere, by their absolute path
//   state/ledger.db, state/results/..., state/blobs/...
//   MANIFEST                           SHA-256 and size of every member before it, and of itself
//
// Limits:    kMaxMemberNameBytes, kMaxMembers; a head of kMaxHeadBytes.
// Threading: values and pure functions.
// Errors:    kCorrupt: these are not the bytes of a backup, or not all of them. kUnsupported: a format that a
//            later program wrote. Bytes from a file are hostile: no length is believed before it is checked.
// Design:    docs/decisions/0097-backup-and-restore.md
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/result.h"

namespace holdfast::backend {

inline constexpr std::string_view kHeadMember = "holdfast-backup";
inline constexpr std::string_view kManifestMember = "MANIFEST";
inline constexpr std::string_view kConfigMember = "server/holdfastd.toml";
inline constexpr std::string_view kLedgerMember = "state/ledger.db";
inline constexpr std::uint32_t kBackupFormat = 1;
inline constexpr std::size_t kTarBlockBytes = 512;
inline constexpr std::size_t kMaxMemberNameBytes = 255;  // what ustar's two fields hold
inline constexpr std::size_t kMaxMembers = 20'000'000;   // 4 GiB of memory at the worst
inline constexpr std::size_t kMaxHeadBytes = 4096;       // six short lines
// Configuration, certificates, keys, policy: anything larger is a mistake in the configuration.
inline constexpr std::size_t kMaxSmallMemberBytes = std::size_t{1024} * 1024;
// A manifest names every result: a line of 150 bytes each.
inline constexpr std::uint64_t kMaxManifestBytes = std::uint64_t{4} * 1024 * 1024 * 1024;

// The first member.
struct BackupHead {
  std::uint32_t format = kBackupFormat;
  std::string version;       // of the holdfastd that wrote it
  std::uint32_t schema = 0;  // of its ledger
  FleetId fleet_id;
  std::uint64_t made_ms = 0;  // Unix time at which the ledger was copied
};
std::string FormatHead(const BackupHead& head);
// A format above kBackupFormat is kUnsupported, whatever else it says.
Result<BackupHead> ParseHead(std::string_view text);

// What one member of the archive is.
struct BackupMember {
  std::string name;
  std::uint64_t size = 0;  // bytes
};
// The header block before a member's bytes, which are filled up with zeros to the next block.
Result<std::string> TarHeader(const BackupMember& member, std::uint64_t mtime_s);
// nullopt: a block of zeros, the end of the archive. kCorrupt: no header, or of something that no backup holds.
Result<std::optional<BackupMember>> ParseTarHeader(std::string_view block);
std::size_t TarPadding(std::uint64_t size);  // zeros behind that many bytes

// One of the files of a state that a backup holds: ledger.db, results/incoming/NAME, results/HH/HASH, blobs/HH/HASH.
bool IsStateMember(std::string_view name);

// A name that a backup may hold and that a restore may write: relative, no "..", no control characters.
bool IsMemberName(std::string_view name);

struct MemberSum {
  std::uint64_t size = 0;
  Digest sha256;
  bool operator==(const MemberSum&) const = default;
};
using Manifest = std::map<std::string, MemberSum, std::less<>>;
// `text` ends with the SHA-256 of all before it, which the caller makes: hashing is an adapter's business.
std::string FormatManifest(const Manifest& manifest);
std::string ManifestSeal(const Digest& of_text);
// The whole member: its lines, and the seal that stands at its end.
struct SealedManifest {
  Manifest members;
  std::string_view sealed;  // of `text`: what the seal is the SHA-256 of
  Digest seal;
};
Result<SealedManifest> ParseManifest(std::string_view text);

// The first difference, for people; empty: there is none.
std::string Difference(const Manifest& wanted, const Manifest& found);

}  // namespace holdfast::backend
