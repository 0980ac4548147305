#include "agent/adapters/sqlite/wal_mark.h"

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstring>

namespace holdfast::agent {
namespace {

// wal.c, WalIndexHdr: in the machine's byte order, twice; the salts as the log has them, big endian.
constexpr std::uint32_t kVersion = 3007000;
constexpr std::size_t kHeaderBytes = 48;
constexpr int kRegionBytes = 32768;  // WALINDEX_PGSZ
constexpr std::size_t kIsInitAt = 12;
constexpr std::size_t kFramesAt = 16;
constexpr std::size_t kSaltsAt = 32;
constexpr std::size_t kSumAt = 40;

std::uint32_t Native(const std::uint8_t* at) {
  std::uint32_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}

std::uint32_t BigEndian(const std::uint8_t* at) {
  return std::uint32_t{at[0]} << 24 | std::uint32_t{at[1]} << 16 | std::uint32_t{at[2]} << 8 |
         at[3];
}

// wal.c, walChecksumBytes.
bool SumHolds(const std::uint8_t* header) {
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  for (std::size_t at = 0; at < kSumAt; at += 8) {
    first += Native(header + at) + second;
    second += Native(header + at + 4) + first;
  }
  return first == Native(header + kSumAt) && second == Native(header + kSumAt + 4);
}

using Headers = std::array<std::uint8_t, 2 * kHeaderBytes>;

std::optional<WalMark> Parse(const Headers& bytes) {
  const std::uint8_t* header = bytes.data();
  const bool is_whole = std::memcmp(header, header + kHeaderBytes, kHeaderBytes) == 0;
  if (!is_whole || Native(header) != kVersion || header[kIsInitAt] == 0 || !SumHolds(header)) {
    return std::nullopt;
  }
  return WalMark{Native(header + kFramesAt), BigEndian(header + kSaltsAt),
                 BigEndian(header + kSaltsAt + 4)};
}

}  // namespace

std::optional<WalMark> ReadWalMark(const std::string& path) {
  std::FILE* const file = std::fopen((path + "-shm").c_str(), "rbe");
  if (file == nullptr) return std::nullopt;
  Headers bytes{};
  const std::size_t got = std::fread(bytes.data(), 1, bytes.size(), file);
  std::fclose(file);
  return got == bytes.size() ? Parse(bytes) : std::nullopt;
}

std::optional<WalMark> ReadWalMark(SqliteDb& db) {
  sqlite3_file* const file = db.file();
  if (file == nullptr || file->pMethods->iVersion < 2) return std::nullopt;
  volatile void* index = nullptr;  // mapped since the first read, and as long as the connection
  if (file->pMethods->xShmMap(file, 0, kRegionBytes, 0, &index) != SQLITE_OK || index == nullptr) {
    return std::nullopt;
  }
  Headers bytes;  // nobody else writes: we are the owner
  std::memcpy(bytes.data(), const_cast<const void*>(index), bytes.size());
  return Parse(bytes);
}

bool IsKept(const WalMark& before, const std::optional<WalMark>& now) {
  if (before.frames == 0) return true;
  if (!now) return false;
  if (now->generation == before.generation && now->salt == before.salt) {
    return now->frames >= before.frames;
  }
  // After a power cut the index on the disk may be older than the log: a later generation, perhaps
  // with its first commit torn. Anything else is a log that is gone, or whose head is damaged.
  return now->frames > 0 || now->generation == before.generation + 1;
}

}  // namespace holdfast::agent
