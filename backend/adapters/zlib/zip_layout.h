// The one form in which a collection's zip is written: who reads it makes the same bytes again and compares.
//
//   { local header | deflated bytes | descriptor }*  central directory  [zip64 end]  end  comment
//
// A zip says most things twice, and programs differ in which they believe; where every byte has one value
// only, nothing can be said to one of them alone. The comment at the end has the CRC-32 of all bytes
// before it: it finds what was altered where no content is (bits that deflate leaves unused).
//
// Format:  APPNOTE.TXT 6.3: sizes behind the bytes (flag 3), deflate, zip64 where 32 bits do not do, times as
//          "extended timestamp" (UT) beside the two-second ones, which are UTC here.
// Design:  docs/decisions/0096-collections.md
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::backend {

struct ZipEntry {
  std::string name;           // printable ASCII
  std::uint32_t mtime_s = 0;  // Unix s, below 2^31
  // Its sizes have 64 bits; said before they are known.
  bool is_large = false;
  std::uint32_t crc32 = 0;
  std::uint64_t packed_bytes = 0;
  std::uint64_t bytes = 0;
  std::uint64_t offset = 0;  // of its local header
};

// Bytes; the most that one that is not large may have, packed or not.
inline constexpr std::uint64_t kMaxSmallZipBytes = 0xFFFF'FFFE;
inline constexpr std::size_t kMaxZipNameBytes = 4096;
inline constexpr std::size_t kLocalHeaderBytes = 30;  // before name and extra fields
inline constexpr std::size_t kCentralHeaderBytes = 46;
inline constexpr std::size_t kZipEndBytes = 22;  // before the comment
inline constexpr std::size_t kZip64EndBytes = 56;
inline constexpr std::size_t kZip64LocatorBytes = 20;

// What a time is in a zip.
std::uint32_t ZipTime(std::int64_t mtime_s);
// Printable ASCII, relative, without "..", "." or empty components, backslashes and colons.
bool IsZipName(std::string_view name);

std::string LocalHeader(const ZipEntry& entry);
std::string Descriptor(const ZipEntry& entry);
std::string CentralHeader(const ZipEntry& entry);
// All behind the central directory but for the comment.
std::string ZipEnd(std::uint64_t entries, std::uint64_t directory_offset,
                   std::uint64_t directory_bytes);
std::string ZipComment(std::uint32_t crc32_of_all_before);
std::size_t ZipCommentBytes();  // they are always as many

// The entry whose central header `bytes` begins with, and how many bytes that header has.
struct CentralEntry {
  ZipEntry entry;
  std::size_t header_bytes = 0;
};
// nullopt: it is none that CentralHeader() would make.
std::optional<CentralEntry> ReadCentralHeader(std::string_view bytes);

// Where the central directory lies, by the end of the zip without its comment.
struct ZipDirectory {
  std::uint64_t entries = 0;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};
// `tail`: the last bytes, at least kZipEndBytes of them. nullopt: it is none that ZipEnd() would make.
std::optional<ZipDirectory> ReadZipEnd(std::string_view tail);

}  // namespace holdfast::backend
