// FileDigest: MD5, SHA-1 and SHA-256 of the same bytes, in one pass. mbedTLS underneath.
//
//   Update(bytes)* -> Finish()
//
// Threading: one thread.
// Errors:    a failing library gives empty hashes, never wrong ones.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "agent/tables/machine.h"

namespace holdfast::agent {

class FileDigest {
 public:
  FileDigest();
  ~FileDigest();
  FileDigest(const FileDigest&) = delete;
  FileDigest& operator=(const FileDigest&) = delete;
  void Update(std::string_view bytes);
  FileHashes Finish();  // once; .size counts the bytes

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::agent
