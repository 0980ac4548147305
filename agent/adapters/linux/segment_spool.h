// SegmentSpool: the Spool on a disk, in append-only segment files.
//
//   <dir>/<digest hex>-<attempt>-<first chunk>.seg     records: 32-byte header | data
//   header: "HFS1" | u32 length | u64 chunk number | u64 output offset | u32 crc32c of data |
//           u32 crc32c of the 28 bytes before it          (all little endian)
//   <dir>/<digest hex>.blob                             a blob on its way to a worker
//
// A segment is deleted as soon as all of it is acknowledged, the newest one excepted: with a fast link
// its pages never reach the disk. The newest stays until Remove(), so that a stream without files is one
// that was lost.
//
// Ordering:  nothing is synced until Sync(); what was written survives the process anyway. A sync that
//            failed is never repeated on the same file: what is readable and whole is written anew.
// Limits:    segment_bytes and kMaxUnackedRecords per file: small records must not make the index large;
//            max_bytes in all. One descriptor per segment: about 400.
// Threading: loop thread only.
// Errors:    Open(): a torn tail is cut off and counted in dropped_bytes(); what follows a gap is
//            deleted; the rest is usable.
// Design:    docs/decisions/0015-the-spool-is-segment-files.md
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <unistd.h>

#include "agent/adapters/linux/unique_fd.h"
#include "agent/core/limits.h"
#include "agent/core/spool.h"

namespace holdfast::agent {

struct DiskSpace {
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;  // for everyone: without what the system keeps for root
};
// Of the file system that holds `fd`; "all free" if it cannot be said.
DiskSpace SpaceOf(int fd);

class SegmentSpool final : public Spool {
 public:
  struct Options {
    // Large enough that creating files costs nothing, small enough that few pages wait behind an ack.
    std::uint64_t segment_bytes = std::uint64_t{4} << 20;
    std::uint64_t max_bytes;  // at it Append() refuses
    // What the disk says: the kernel's word, except in tests.
    std::function<int(int fd)> sync_file = ::fdatasync;
    std::function<int(int fd)> sync_dir = ::fsync;
    std::function<DiskSpace(int fd)> space = SpaceOf;
  };
  static Result<std::unique_ptr<SegmentSpool>> Open(std::string dir, Options options);

  Status Append(const StreamKey& key, std::uint64_t number, const SpoolChunk& chunk,
                std::string_view data) override;
  Result<SpoolChunk> Read(const StreamKey& key, std::uint64_t number, std::string& data) override;
  Status Sync(const StreamKey& key) override;
  void Forget(const StreamKey& key, std::uint64_t number) override;
  void Remove(const StreamKey& key) override;
  std::uint64_t bytes() const override { return bytes_; }
  Room room() const override;
  bool full() const override;
  std::vector<SpooledStream> Streams() const override;
  Status BlobBegin(const Digest& command) override;
  Status BlobAppend(const Digest& command, std::string_view data) override;
  std::string BlobPath(const Digest& command) const override;
  void BlobRemove(const Digest& command) override;

  std::uint64_t dropped_bytes() const { return dropped_bytes_; }

 private:
  struct Record {
    std::uint32_t at;    // of the data in the file
    std::uint32_t size;  // of the data
  };
  struct Segment {
    std::uint64_t first = 0;  // chunk
    std::uint64_t bytes = 0;  // of the file
    bool is_synced = false;
    bool is_doubtful = false;  // a sync failed: nothing but a copy can be trusted
    bool is_named = false;     // its directory entry is durable
    std::vector<Record> records;
    UniqueFd fd;
    std::uint64_t end() const { return first + records.size(); }
    bool IsFull(std::uint64_t most_bytes) const {
      return bytes >= most_bytes || records.size() >= kMaxUnackedRecords;
    }
  };
  using Stream = std::deque<Segment>;

  SegmentSpool(std::string dir, Options options) : dir_(std::move(dir)), options_(options) {}
  std::string PathOf(const StreamKey& key, std::uint64_t first) const;
  Status Scan();
  Result<Segment> Load(const std::string& path, std::uint64_t first);
  void DropBehindGaps();
  Result<Segment*> Tail(const StreamKey& key, std::uint64_t number);
  Result<SpoolChunk> ReadRecord(const Segment& segment, std::uint64_t number, std::string& data);
  Status Rewrite(const StreamKey& key, Segment& segment);
  Status CopyTo(int fd, const Segment& segment);
  Status SyncDir();
  void Delete(const StreamKey& key, const Segment& segment);

  const std::string dir_;
  const Options options_;
  UniqueFd dir_fd_;
  bool is_dir_synced_ = true;
  std::uint64_t bytes_ = 0;
  std::uint64_t dropped_bytes_ = 0;
  std::map<StreamKey, Stream> streams_;
  std::uint64_t appended_ = 0;           // since the start
  mutable std::uint64_t looked_at_ = 0;  // the same, when the disk's space was last looked at
  mutable bool was_full_ = true;         // then
  struct Blob {
    UniqueFd fd;
    std::uint64_t bytes = 0;
  };
  std::map<Digest, Blob> blobs_;
};

}  // namespace holdfast::agent
