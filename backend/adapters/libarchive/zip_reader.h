// ZipReader: the entries of a zip archive, in the order in which they lie there. libarchive underneath.
//
//   Next() --> name, Read()* until it gives nothing
//
// Threading: one thread.
// Errors:    kNotFound, kDenied: the file cannot be opened. kCorrupt: it is no zip, an entry cannot be read (its
//            checksum is wrong, it is encrypted, its name is not ASCII); whatever the bytes are.
// Design:    docs/decisions/0096-collections.md
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "common/base/result.h"

namespace holdfast::backend {

class ZipReader {
 public:
  static Result<std::unique_ptr<ZipReader>> Open(const std::string& path);
  ~ZipReader();
  ZipReader(const ZipReader&) = delete;
  ZipReader& operator=(const ZipReader&) = delete;

  // The next entry's name; nullopt: there are no more.
  Result<std::optional<std::string>> Next();
  // Of that entry; 0 at its end, whose checksum was right then.
  Result<std::size_t> Read(std::span<char> out);

 private:
  struct State;
  explicit ZipReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::backend
