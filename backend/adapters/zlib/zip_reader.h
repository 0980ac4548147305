// ZipReader: the entries of a collection's zip, in their order. Only the form of zip_layout.h is read: each
// header, all that is said of sizes, times and places is made anew and compared, so that every program that
// unpacks such a zip sees the same.
//
//   Open() --> { Next() --> Read()* }* [--> Rewind() --> ...] --> CheckBytes()
//
// Limits:    a directory of kMaxDirectoryBytes.
// Threading: one thread.
// Errors:    kNotFound, kDenied: the file cannot be opened. kCorrupt: it is no such zip, whatever the bytes are.
// Design:    docs/decisions/0096-collections.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "common/base/result.h"

namespace holdfast::backend {

struct ZipEntry;

class ZipReader {
 public:
  // Some 1.5 million entries.
  static constexpr std::uint64_t kMaxDirectoryBytes = std::uint64_t{256} << 20;

  static Result<std::unique_ptr<ZipReader>> Open(const std::string& path);
  ~ZipReader();
  ZipReader(const ZipReader&) = delete;
  ZipReader& operator=(const ZipReader&) = delete;

  // The next entry; null: there are no more. What was not read of the one before is skipped. Good until the
  // next call.
  Result<const ZipEntry*> Next();
  void Rewind();  // the next is the first again
  // Of that entry; 0 at its end, where sizes and checksum were right.
  Result<std::size_t> Read(std::span<char> out);
  // Every byte once more, against the sum at the end.
  Status CheckBytes();

 private:
  struct State;
  explicit ZipReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::backend
