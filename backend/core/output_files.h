// OutputFiles: the port to files of bytes: outputs of commands (results) and uploads (blobs).
//
// A file grows by jobs, each of which writes its pieces, syncs, and may seal the file: link it under
// the SHA-256 of its whole content, durably. Jobs run beside the loop; the driver hands what they
// answer back to the core. Reading is direct: the pages are in memory or soon are.
//
//   Start(job) --> [OutputFiles] --> FileDone, through the driver     Read ReadSealed Forget
//
// Ordering:  one job of a file at a time: the caller waits for FileDone before the next. A FileDone
//            without error follows the fsync of all it says.
// Limits:    a job's bytes are bounded by the caller's windows; open files by the adapter, which
//            opens again what it had to close.
// Ownership: owns descriptors and hash states; takes the pieces.
// Threading: loop thread only (the adapter's pool is its own matter).
// Errors:    FileDone.status: kUnavailable (disk full, I/O), the bytes of this job do not count;
//            a later job with the same offset writes over them. kCorrupt: the seal's expected hash
//            did not come out, nothing was sealed; with length 0: the file is shorter than
//            `offset`, what was stored is gone.
// Design:    docs/decisions/0021-store-layout.md
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"

namespace holdfast::backend {

enum class FileArea : std::uint8_t { kResults, kBlobs };

// A growing file: a random name (results) or the first half of the hash it is to have (blobs).
struct FileName {
  FileArea area = FileArea::kResults;
  Nonce16 name;
  friend auto operator<=>(const FileName&,
                          const FileName&) = default;  // NOLINT(modernize-use-nullptr)
};

struct FileJob {
  FileName file;
  std::uint64_t offset = 0;         // what lies beyond it is cut off first; 0 creates the file
  std::vector<std::string> pieces;  // written in order from offset on
  bool sync = true;
  bool want_sha256 = false;    // of the whole file after the write
  std::optional<Digest> seal;  // link under this name if the whole has this SHA-256
};

struct FileDone {
  FileName file;
  Status status;
  std::uint64_t length = 0;  // of the file, if status is ok
  std::optional<Digest> sha256;
};

class OutputFiles {
 public:
  virtual ~OutputFiles() = default;
  virtual void Start(FileJob job) = 0;
  // Up to max_bytes from `offset` on; shorter only at the end of the file.
  virtual Result<std::string> Read(const FileName& file, std::uint64_t offset,
                                   std::size_t max_bytes) = 0;
  virtual Result<std::string> ReadSealed(FileArea area, const Digest& sha256, std::uint64_t offset,
                                         std::size_t max_bytes) = 0;
  // nullopt: there is none.
  virtual std::optional<std::uint64_t> LengthOf(const FileName& file) = 0;
  virtual std::optional<std::uint64_t> LengthOfSealed(FileArea area, const Digest& sha256) = 0;
  // Deletes a growing file (its sealed link stays) and closes it.
  virtual void Forget(const FileName& file) = 0;
};

}  // namespace holdfast::backend
