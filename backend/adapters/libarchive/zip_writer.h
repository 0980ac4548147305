// ZipWriter: a zip archive, written from front to back. libarchive underneath.
//
//   { BeginEntry() Append()* EndEntry() }* --> Finish()
//
// Entries are deflated regular files of mode 0600; sizes need not be known. Names are ASCII.
//
// Limits:    none of its own; keeps some 100 bytes of each entry until Finish().
// Ownership: owns the archive; borrows what `write` refers to.
// Threading: one thread.
// Errors:    what `write` returned, or kInternal with libarchive's words; then only the destructor is left.
// Design:    docs/decisions/0096-collections.md
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace holdfast::backend {

class ZipWriter {
 public:
  using Write = std::function<Status(std::string_view)>;
  static Result<std::unique_ptr<ZipWriter>> Create(Write write);
  ~ZipWriter();
  ZipWriter(const ZipWriter&) = delete;
  ZipWriter& operator=(const ZipWriter&) = delete;

  // `mtime_s`: Unix s, shown by whoever unpacks.
  Status BeginEntry(const std::string& name, std::int64_t mtime_s);
  Status Append(std::string_view bytes);
  Status EndEntry();
  Status Finish();  // once

 private:
  struct State;
  explicit ZipWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::backend
