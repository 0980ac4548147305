// PooledOutputFiles: the port OutputFiles on a local file system, written by a small thread pool.
//
//   <root>/incoming/<random hex>      growing; cut back to what the ledger knows before each job
//   <root>/<aa>/<sha256 hex>          sealed: linked there only when whole and verified
//
// A file that is not open is hashed again from its start before it goes on, so a crash, an eviction
// or a failed write needs no repair: the next job finds out by itself.
//
// Ordering:  as OutputFiles says; jobs of different files run side by side.
// Limits:    Options::max_open_files descriptors, the longest unused is closed; above max_queued_jobs a job
//            ends at once with kUnavailable.
// Ownership: owns the pool and the open files; borrows crypto for its life.
// Threading: loop thread only; `wake` is called on pool threads when Drain() has something to do.
// Errors:    Make(): kUnavailable, the folders cannot be made.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/core/output_files.h"
#include "common/adapters/pool/thread_pool.h"
#include "common/sign/crypto.h"

namespace holdfast::backend {

class GrowingFile;

class PooledOutputFiles final : public OutputFiles {
 public:
  struct Options {
    std::string results_dir;
    std::string blobs_dir;
    std::size_t threads = 2;
    std::size_t max_queued_jobs = 8192;  // one per stream with output, in practice
    std::size_t max_open_files = 512;
  };
  static Result<std::unique_ptr<PooledOutputFiles>> Make(Options options,
                                                         const sign::Crypto& crypto,
                                                         std::function<void()> wake);
  ~PooledOutputFiles() override;

  // Deletes growing results that no row names, and uploads that nobody went on with for a week.
  void RemoveStray(const std::vector<Nonce16>& named);
  // Jobs that have ended.
  std::vector<FileDone> Drain();

  void Start(FileJob job) override;
  Result<std::string> Read(const FileName& file, std::uint64_t offset,
                           std::size_t max_bytes) override;
  Result<std::string> ReadSealed(FileArea area, const Digest& sha256, std::uint64_t offset,
                                 std::size_t max_bytes) override;
  std::optional<std::uint64_t> LengthOf(const FileName& file) override;
  std::optional<std::uint64_t> LengthOfSealed(FileArea area, const Digest& sha256) override;
  void Forget(const FileName& file) override;

 private:
  struct Entry {
    std::shared_ptr<GrowingFile> file;  // shared with the job that is running on it
    bool running = false;
    std::uint64_t used = 0;
  };
  PooledOutputFiles(Options options, const sign::Crypto& crypto, std::function<void()> wake);
  const std::string& Root(FileArea area) const;
  std::string IncomingPath(const FileName& file) const;
  std::string SealedPath(FileArea area, const Digest& sha256) const;
  void MakeRoom();

  const Options options_;
  const sign::Crypto& crypto_;
  std::map<FileName, Entry> open_;
  std::uint64_t uses_ = 0;
  std::vector<FileDone> done_;
  ThreadPool pool_;  // last: its jobs end before what they use
};

}  // namespace holdfast::backend
