// GrowingFile: one file that jobs write to, its length and the hash of what it holds so far.
//
// Threading: one thread at a time; which one may change between jobs.
// Errors:    kUnavailable for whatever the system refuses: the caller drops the object, and the next
//            one starts from what is on disk (a failed fsync must not be asked again). kCorrupt: the
//            hash to seal under did not come out, or bytes that were stored are gone (length 0).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "backend/core/output_files.h"
#include "common/sign/crypto.h"

namespace holdfast::backend {

class GrowingFile {
 public:
  GrowingFile(const sign::Crypto& crypto, std::string path)
      : crypto_(crypto), path_(std::move(path)) {}
  ~GrowingFile();
  GrowingFile(const GrowingFile&) = delete;
  GrowingFile& operator=(const GrowingFile&) = delete;

  // sealed_path: where FileJob::seal links it.
  FileDone Run(const FileJob& job, const std::string& sealed_path);

 private:
  Status Open(std::uint64_t offset);
  Status HashPrefix(std::uint64_t length);
  Status Append(const std::string& piece);
  void LeaveCache();
  Status Seal(const Digest& sha256, const Digest& wanted, const std::string& sealed_path) const;

  const sign::Crypto& crypto_;
  const std::string path_;
  int fd_ = -1;
  std::uint64_t length_ = 0;
  std::uint64_t left_cache_ = 0;  // bytes before it were given back to the system
  std::unique_ptr<sign::Hasher> hasher_;
};

// Syncs a directory, so that a name in it survives.
Status SyncDirectory(const std::string& path);
// mkdir with mode 0700; there already is fine.
Status MakeDirectory(const std::string& path);

}  // namespace holdfast::backend
