#include "backend/adapters/zlib/zip_layout.h"

#include <algorithm>
#include <chrono>

#include "common/base/little_endian.h"

namespace holdfast::backend {
namespace {

constexpr std::uint32_t kLocalSignature = 0x04034b50;
constexpr std::uint32_t kDescriptorSignature = 0x08074b50;
constexpr std::uint32_t kCentralSignature = 0x02014b50;
constexpr std::uint32_t kZip64EndSignature = 0x06064b50;
constexpr std::uint32_t kZip64LocatorSignature = 0x07064b50;
constexpr std::uint32_t kEndSignature = 0x06054b50;
constexpr std::uint32_t kSeeElsewhere = 0xFFFF'FFFF;  // in the zip64 field
constexpr std::uint32_t kSeeElsewhere16 = 0xFFFF;
constexpr std::uint32_t kPlainVersion = 20;  // needed to unpack: 2.0
constexpr std::uint32_t kZip64Version = 45;
constexpr std::uint32_t kMadeOnUnix = 3U << 8U;
constexpr std::uint32_t kSizesBehind = 1U << 3U;
constexpr std::uint32_t kDeflated = 8;
constexpr std::uint32_t kZip64Field = 0x0001;
constexpr std::uint32_t kTimeField = 0x5455;
constexpr std::uint32_t kHasMtime = 1;
constexpr std::uint32_t kOwnersRegularFile = 0100600U << 16U;
// Offsets in a central header, APPNOTE 4.3.12.
constexpr std::size_t kAtPacked = 20;
constexpr std::size_t kAtBytes = 24;
constexpr std::size_t kAtNameBytes = 28;
constexpr std::size_t kAtExtraBytes = 30;
constexpr std::size_t kAtCrc = 16;
constexpr std::size_t kAtOffset = 42;
constexpr std::size_t kTimeFieldBytes = 9;
constexpr std::size_t kZip64FieldHeadBytes = 4;

void Put16(std::string& out, std::uint64_t value) { AppendLittle(out, value, 2); }
void Put32(std::string& out, std::uint64_t value) { AppendLittle(out, value, 4); }
void Put64(std::string& out, std::uint64_t value) { AppendLittle(out, value, 8); }

std::uint64_t Get(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = size; i > 0; --i) {
    value = value << 8U | static_cast<unsigned char>(bytes[at + i - 1]);
  }
  return value;
}

// Time in the lower half, date in the upper; 1980 is the earliest.
std::uint32_t DosTime(std::uint32_t mtime_s) {
  namespace chrono = std::chrono;
  constexpr std::uint32_t kFirstYear = 1980;
  constexpr std::uint32_t kFirst = 1U << 21U | 1U << 16U;
  const chrono::sys_seconds at{chrono::seconds(mtime_s)};
  const auto day = chrono::floor<chrono::days>(at);
  const chrono::year_month_day date(day);
  const chrono::hh_mm_ss time(at - day);
  const auto year = static_cast<std::uint32_t>(static_cast<int>(date.year()));
  if (year < kFirstYear) return kFirst;
  const auto hours = static_cast<std::uint32_t>(time.hours().count());
  const auto minutes = static_cast<std::uint32_t>(time.minutes().count());
  const auto seconds = static_cast<std::uint32_t>(time.seconds().count());
  return (year - kFirstYear) << 25U | static_cast<unsigned>(date.month()) << 21U |
         static_cast<unsigned>(date.day()) << 16U | hours << 11U | minutes << 5U | seconds / 2;
}

void PutTimeField(std::string& out, std::uint32_t mtime_s) {
  Put16(out, kTimeField);
  Put16(out, 5);
  AppendLittle(out, kHasMtime, 1);
  Put32(out, mtime_s);
}

bool HasFarOffset(const ZipEntry& entry) { return entry.offset >= kSeeElsewhere; }

}  // namespace

std::uint32_t ZipTime(std::int64_t mtime_s) {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(mtime_s, 0, INT32_MAX));
}

bool IsZipName(std::string_view name) {
  if (name.empty() || name.size() > kMaxZipNameBytes) return false;
  const bool is_plain = std::ranges::all_of(
      name, [](char c) { return c >= ' ' && c < 0x7F && c != '\\' && c != ':'; });
  if (!is_plain) return false;
  for (std::size_t from = 0; from <= name.size();) {
    const std::size_t end = std::min(name.find('/', from), name.size());
    const std::string_view component = name.substr(from, end - from);
    if (component.empty() || component == "." || component == "..") return false;
    from = end + 1;
  }
  return true;
}

std::string LocalHeader(const ZipEntry& entry) {
  std::string extra;
  if (entry.is_large) {
    Put16(extra, kZip64Field);
    Put16(extra, 16);
    Put64(extra, 0);
    Put64(extra, 0);
  }
  PutTimeField(extra, entry.mtime_s);
  std::string out;
  Put32(out, kLocalSignature);
  Put16(out, entry.is_large ? kZip64Version : kPlainVersion);
  Put16(out, kSizesBehind);
  Put16(out, kDeflated);
  Put32(out, DosTime(entry.mtime_s));
  Put32(out, 0);  // its CRC-32 stands behind it
  Put32(out, entry.is_large ? kSeeElsewhere : 0);
  Put32(out, entry.is_large ? kSeeElsewhere : 0);
  Put16(out, entry.name.size());
  Put16(out, extra.size());
  return out + entry.name + extra;
}

std::string Descriptor(const ZipEntry& entry) {
  std::string out;
  Put32(out, kDescriptorSignature);
  Put32(out, entry.crc32);
  AppendLittle(out, entry.packed_bytes, entry.is_large ? 8 : 4);
  AppendLittle(out, entry.bytes, entry.is_large ? 8 : 4);
  return out;
}

std::string CentralHeader(const ZipEntry& entry) {
  const bool is_far = HasFarOffset(entry);
  std::string extra;
  if (entry.is_large || is_far) {
    Put16(extra, kZip64Field);
    Put16(extra, (entry.is_large ? 16U : 0U) + (is_far ? 8U : 0U));
    if (entry.is_large) {
      Put64(extra, entry.bytes);
      Put64(extra, entry.packed_bytes);
    }
    if (is_far) Put64(extra, entry.offset);
  }
  PutTimeField(extra, entry.mtime_s);
  const std::uint32_t version = entry.is_large || is_far ? kZip64Version : kPlainVersion;
  std::string out;
  Put32(out, kCentralSignature);
  Put16(out, kMadeOnUnix | version);
  Put16(out, version);
  Put16(out, kSizesBehind);
  Put16(out, kDeflated);
  Put32(out, DosTime(entry.mtime_s));
  Put32(out, entry.crc32);
  Put32(out, entry.is_large ? kSeeElsewhere : entry.packed_bytes);
  Put32(out, entry.is_large ? kSeeElsewhere : entry.bytes);
  Put16(out, entry.name.size());
  Put16(out, extra.size());
  Put16(out, 0);  // comment
  Put16(out, 0);  // disk
  Put16(out, 0);  // internal attributes
  Put32(out, kOwnersRegularFile);
  Put32(out, is_far ? kSeeElsewhere : entry.offset);
  return out + entry.name + extra;
}

std::string ZipEnd(std::uint64_t entries, std::uint64_t directory_offset,
                   std::uint64_t directory_bytes) {
  std::string out;
  const bool is_large = entries >= kSeeElsewhere16 || directory_offset >= kSeeElsewhere ||
                        directory_bytes >= kSeeElsewhere;
  if (is_large) {
    Put32(out, kZip64EndSignature);
    Put64(out, kZip64EndBytes - 12);  // what follows this field
    Put16(out, kMadeOnUnix | kZip64Version);
    Put16(out, kZip64Version);
    Put32(out, 0);  // disks
    Put32(out, 0);
    Put64(out, entries);
    Put64(out, entries);
    Put64(out, directory_bytes);
    Put64(out, directory_offset);
    Put32(out, kZip64LocatorSignature);
    Put32(out, 0);
    Put64(out, directory_offset + directory_bytes);
    Put32(out, 1);
  }
  Put32(out, kEndSignature);
  Put32(out, 0);  // disks
  Put16(out, is_large ? kSeeElsewhere16 : entries);
  Put16(out, is_large ? kSeeElsewhere16 : entries);
  Put32(out, is_large ? kSeeElsewhere : directory_bytes);
  Put32(out, is_large ? kSeeElsewhere : directory_offset);
  Put16(out, ZipCommentBytes());
  return out;
}

std::string ZipComment(std::uint32_t crc32_of_all_before) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out = "Holdfast collection, CRC-32 ";
  for (int shift = 28; shift >= 0; shift -= 4) out += kDigits[crc32_of_all_before >> shift & 15U];
  return out;
}

std::size_t ZipCommentBytes() {
  static const std::size_t bytes = ZipComment(0).size();
  return bytes;
}

std::optional<CentralEntry> ReadCentralHeader(std::string_view bytes) {
  if (bytes.size() < kCentralHeaderBytes) return std::nullopt;
  const std::size_t name_bytes = Get(bytes, kAtNameBytes, 2);
  const std::size_t extra_bytes = Get(bytes, kAtExtraBytes, 2);
  CentralEntry read;
  read.header_bytes = kCentralHeaderBytes + name_bytes + extra_bytes;
  if (bytes.size() < read.header_bytes || extra_bytes < kTimeFieldBytes) return std::nullopt;
  ZipEntry& entry = read.entry;
  entry.name = bytes.substr(kCentralHeaderBytes, name_bytes);
  entry.crc32 = static_cast<std::uint32_t>(Get(bytes, kAtCrc, 4));
  entry.packed_bytes = Get(bytes, kAtPacked, 4);
  entry.bytes = Get(bytes, kAtBytes, 4);
  entry.offset = Get(bytes, kAtOffset, 4);
  entry.mtime_s = static_cast<std::uint32_t>(Get(bytes, read.header_bytes - 4, 4));
  entry.is_large = entry.packed_bytes == kSeeElsewhere;
  const bool is_far = entry.offset == kSeeElsewhere;
  const std::size_t far_bytes = (entry.is_large ? 16U : 0U) + (is_far ? 8U : 0U);
  if (far_bytes > 0) {
    if (extra_bytes != kZip64FieldHeadBytes + far_bytes + kTimeFieldBytes) return std::nullopt;
    std::size_t at = kCentralHeaderBytes + name_bytes + kZip64FieldHeadBytes;
    if (entry.is_large) {
      entry.bytes = Get(bytes, at, 8);
      entry.packed_bytes = Get(bytes, at + 8, 8);
      at += 16;
    }
    if (is_far) entry.offset = Get(bytes, at, 8);
  }
  if (entry.mtime_s > INT32_MAX || CentralHeader(entry) != bytes.substr(0, read.header_bytes)) {
    return std::nullopt;
  }
  return read;
}

std::optional<ZipDirectory> ReadZipEnd(std::string_view tail) {
  constexpr std::size_t kLargeBytes = kZip64EndBytes + kZip64LocatorBytes + kZipEndBytes;
  if (tail.size() < kZipEndBytes) return std::nullopt;
  const std::string_view end = tail.substr(tail.size() - kZipEndBytes);
  ZipDirectory found = {
      .entries = Get(end, 10, 2), .offset = Get(end, 16, 4), .bytes = Get(end, 12, 4)};
  std::size_t all = kZipEndBytes;
  if (found.entries == kSeeElsewhere16 && tail.size() >= kLargeBytes) {
    all = kLargeBytes;
    const std::string_view large = tail.substr(tail.size() - kLargeBytes);
    found = {.entries = Get(large, 32, 8), .offset = Get(large, 48, 8), .bytes = Get(large, 40, 8)};
  }
  const bool is_ours = ZipEnd(found.entries, found.offset, found.bytes) ==
                       tail.substr(tail.size() - std::min(all, tail.size()));
  return is_ours ? std::optional(found) : std::nullopt;
}

}  // namespace holdfast::backend
