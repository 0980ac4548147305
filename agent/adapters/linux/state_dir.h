// StateDir: the agent's directory, held by one process at a time.
//
// Ordering:  WriteFile() is durable (temporary file, fsync, rename, fsync of the directory) or has no
//            effect; RemoveFile() is durable, too.
// Ownership: owns the lock until destroyed.
// Threading: loop thread only.
// Errors:    Open(): kExists: another agent holds it; kDenied: it belongs to someone else or is open to
//            others; kNotFound: there is none. ReadFile(): kNotFound, kExhausted above the limit.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "agent/adapters/linux/unique_fd.h"
#include "common/base/result.h"

namespace holdfast::agent {

class StateDir {
 public:
  enum class Mode { kOwn, kCreateAndOwn, kLook };  // kLook: no lock
  static Result<StateDir> Open(std::string path, Mode mode);

  const std::string& path() const { return path_; }
  std::string PathOf(std::string_view name) const { return path_ + "/" + std::string(name); }
  Result<std::string> ReadFile(std::string_view name, std::size_t max_bytes) const;
  Status WriteFile(std::string_view name, std::string_view bytes) const;
  Status RemoveFile(std::string_view name) const;  // also one that is not there

 private:
  StateDir(std::string path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  Status SyncNames() const;
  std::string path_;
  UniqueFd lock_;
};

// A whole file of at most max_bytes.
Result<std::string> ReadWholeFile(const std::string& path, std::size_t max_bytes);

}  // namespace holdfast::agent
