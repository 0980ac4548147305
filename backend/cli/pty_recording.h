// CastFile: the recording of a terminal on the analyst's machine, as it grows.
//
// Not PartialFile: what was recorded until the machine stopped is worth keeping.
//
// Ownership: owns the descriptor.
// Threading: one thread.
// Errors:    those of sdk/files.h.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace holdfast::cli {

class CastFile {
 public:
  // 0600, a new file: DIRECTORY/NAME.cast, or NAME.2.cast, ... Makes the directories above it.
  static Result<std::unique_ptr<CastFile>> Create(const std::string& directory,
                                                  const std::string& name);
  ~CastFile();
  CastFile(const CastFile&) = delete;
  CastFile& operator=(const CastFile&) = delete;
  Status Append(std::string_view text);
  Status Sync();
  const std::string& path() const { return path_; }

 private:
  CastFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  int fd_;
  std::string path_;
};

}  // namespace holdfast::cli
