// Spool: output that control does not have yet, and blobs on their way to a worker.
//
// A port: agent/adapters/linux implements it in segment files, tests/support/fake_spool.h in
// memory. A stream is one attempt of one command; its chunks are numbered from 0 and appended in
// order.
//
//   Append* Sync? -> Read* -> Forget(up to) ... -> Remove
//
// Ordering:  what Append() took survives the death of the process; Sync() makes it survive the
//            machine.
// Limits:    a cap over all streams (kMaxSpoolBytes unless set): Append() refuses. Blobs do not count;
//            they are bounded by the signed size, and by the free space that SpaceFloor() keeps.
// Threading: loop thread only.
// Errors:    kExhausted: no room, nothing appended; the same call may work later. kUnavailable: the disk
//            refuses, nothing appended. kNotFound: no such stream or chunk. kCorrupt: a chunk's CRC does
//            not hold, or Sync() cannot save what was appended: that output is lost.
// Design:    docs/decisions/0015-the-spool-is-segment-files.md
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"

namespace holdfast::agent {

struct StreamKey {
  Digest digest;
  std::uint32_t attempt = 1;
  friend auto operator<=>(const StreamKey&,
                          const StreamKey&) = default;  // NOLINT(modernize-use-nullptr)
};

// A stream found at start: chunks first .. end-1 are there.
struct SpooledStream {
  StreamKey key;
  std::uint64_t first = 0;
  std::uint64_t end = 0;
  std::vector<std::uint32_t> sizes;  // of each, bytes
};

struct SpoolChunk {
  std::uint64_t offset = 0;  // of the data in the output, bytes
  std::uint32_t crc32c = 0;
};

// What stays free on the disk of the state directory: the journal must be able to write the ends of what
// runs (64 commands x 32 KiB, 1 MiB of WAL), and the machine has other users. 64 MiB is what a disk of
// ordinary size does not miss; of a small one 5 %, but no less than the journal needs.
inline constexpr std::uint64_t SpaceFloor(std::uint64_t disk_bytes) {
  constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
  return std::clamp(disk_bytes / 20, 4 * kMiB, 64 * kMiB);
}

class Spool {
 public:
  enum class Room : std::uint8_t {
    kEnough,
    kCapReached,  // unacknowledged output
    kDiskLow,     // whoever fills it
  };
  virtual ~Spool() = default;

  // `number` must be the stream's end; a new stream may begin anywhere.
  virtual Status Append(const StreamKey& key, std::uint64_t number, const SpoolChunk& chunk,
                        std::string_view data) = 0;
  // Chunk `number` into `data` (replaced).
  virtual Result<SpoolChunk> Read(const StreamKey& key, std::uint64_t number,
                                  std::string& data) = 0;
  virtual Status Sync(const StreamKey& key) = 0;
  // Chunks below `number` are control's: their room may be used again.
  virtual void Forget(const StreamKey& key, std::uint64_t number) = 0;
  virtual void Remove(const StreamKey& key) = 0;
  virtual std::uint64_t bytes() const = 0;
  // Whether a command may begin.
  virtual Room room() const = 0;
  // The same for output that flows; may be a MiB late to notice.
  virtual bool full() const = 0;
  // What is there; the core removes what it does not know.
  virtual std::vector<SpooledStream> Streams() const = 0;

  // One blob per command, written from its start.
  virtual Status BlobBegin(const Digest& command) = 0;
  virtual Status BlobAppend(const Digest& command, std::string_view data) = 0;
  // Path of the complete blob, for the worker.
  virtual std::string BlobPath(const Digest& command) const = 0;
  virtual void BlobRemove(const Digest& command) = 0;
};

}  // namespace holdfast::agent
