// Spool: output that control does not have yet, and blobs on their way to a worker.
//
// A port: agent/adapters/linux implements it in segment files, tests/support/fake_spool.h in
// memory. A stream is one attempt of one command; its chunks are numbered from 0 and appended in
// order.
//
//   Append* Sync? -> Read* -> Forget(up to) ... -> Remove
//
// Ordering:  what Append() took survives the death of the process; Sync() makes it survive the
// machine. Limits:    kMaxSpoolBytes over all streams: Append() refuses. Blobs do not count; they
// are bounded by
//            the signed size.
// Threading: loop thread only.
// Errors:    kExhausted: full, nothing appended. kUnavailable: the disk refuses, nothing appended.
//            kNotFound: no such stream or chunk. kCorrupt: a chunk's CRC does not hold.
// Design:    docs/decisions/0015-the-spool-is-segment-files.md
#pragma once

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

class Spool {
 public:
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
