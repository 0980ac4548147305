// PartialFile: a file that is only there once it is complete and checked.
//
// Written under a temporary name in the same directory, readable by its owner alone; Commit() syncs it
// and gives it its name, otherwise it goes away.
//
// Ownership: owns the temporary file until Commit().
// Threading: one thread.
// Errors:    those of files.h.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace holdfast::sdk {

class PartialFile {
 public:
  // Makes the directories above it.
  static Result<std::unique_ptr<PartialFile>> Create(const std::string& path);
  // Nowhere: for content that is passed on later (ReadBack).
  static Result<std::unique_ptr<PartialFile>> CreateUnnamed();
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  Status Append(std::string_view bytes);
  Status Restart();  // empty again
  // What Commit() calls it, instead; in the same directory.
  void Rename(std::string path) { path_ = std::move(path); }
  enum class IfThere : std::uint8_t { kReplace, kNumber, kRefuse };
  // Returns the name it got: with kNumber "name.2", "name.3", ... when "name" is taken.
  // kExists: with kRefuse it is taken.
  Result<std::string> Commit(IfThere if_there);
  // The content from `offset`, at most `max` bytes; empty at the end.
  Result<std::string> ReadBack(std::uint64_t offset, std::size_t max) const;

 private:
  PartialFile(int fd, std::string path, std::string temporary)
      : fd_(fd), path_(std::move(path)), temporary_(std::move(temporary)) {}

  Status MoveOut();

  int fd_;
  std::uint64_t length_ = 0;
  std::uint64_t behind_ = 0;  // bytes before it may leave the page cache
  std::string path_;          // empty: unnamed
  std::string temporary_;     // empty: unnamed, or committed
};

}  // namespace holdfast::sdk
