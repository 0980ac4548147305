// ArchiveWriter, ArchiveReader: a backup's bytes, to a descriptor and from one, hashed on their way.
//
//   AddBytes AddFile ... Finish --> bytes          bytes --> Next, CopyTo | Text, ... CheckManifest
//
// Ordering:  Reader: each member is read (or skipped) before the next Next().
// Limits:    those of backup_format.h; kPieceBytes of memory.
// Ownership: borrow descriptor, crypto and the request to stop for their life.
// Errors:    kCancelled: stop was asked for. kCorrupt: not a backup, or not all of it, or not what was written.
//            kUnavailable: the disk. The message names the member.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "backend/core/backup_format.h"
#include "backend/supervisor/stop_request.h"
#include "common/sign/crypto.h"

namespace holdfast::backend {

// Of the members' own bytes, so far.
using OnProgress = std::function<void(std::uint64_t bytes)>;

class ArchiveWriter {
 public:
  ArchiveWriter(int fd, const sign::Crypto& crypto, const StopRequest& stop, std::uint64_t now_s,
                OnProgress on_progress);

  Status AddBytes(const std::string& name, std::string_view bytes);
  struct Added {
    Digest sha256;      // of what is in the archive
    std::string fault;  // what kept it from being read to its end: from there on it is zeros
  };
  // The first `size` bytes of a file, which may grow meanwhile.
  Result<Added> AddFile(const std::string& name, int from, std::uint64_t size);
  Status Finish();
  const Manifest& members() const { return members_; }

 private:
  Status Begin(const BackupMember& member);
  Status Write(std::string_view bytes);
  std::string ReadSome(int from, std::string& piece, std::size_t want, std::size_t& got) const;

  const int fd_;
  const sign::Crypto& crypto_;
  const StopRequest& stop_;
  const std::uint64_t now_s_;
  const OnProgress on_progress_;
  std::uint64_t passed_ = 0;
  Manifest members_;
};

class ArchiveReader {
 public:
  ArchiveReader(int fd, const sign::Crypto& crypto, const StopRequest& stop,
                OnProgress on_progress);

  // kCorrupt at the end of the bytes: the manifest comes last, and nobody asks beyond it.
  Result<BackupMember> Next();
  // The whole member: handed over piece by piece, or as one text of at most `max_bytes`.
  Status CopyTo(const std::function<Status(std::string_view)>& take);
  Result<std::string> Text(std::uint64_t max_bytes);
  // The member at hand is the manifest: all that came before it is what it says.
  Status CheckManifest();
  const Manifest& members() const { return found_; }

 private:
  Status Read(char* to, std::size_t size);

  const int fd_;
  const sign::Crypto& crypto_;
  const StopRequest& stop_;
  const OnProgress on_progress_;
  std::uint64_t passed_ = 0;
  BackupMember member_;
  Manifest found_;
};

}  // namespace holdfast::backend
