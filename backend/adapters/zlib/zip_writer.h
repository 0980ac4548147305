// ZipWriter: a collection's zip, written from front to back in the form of zip_layout.h.
//
//   { BeginEntry() Append()* EndEntry() }* --> Finish()
//
// Limits:    none of its own; keeps some 100 bytes and the name of each entry until Finish().
// Ownership: borrows what `write` refers to.
// Threading: one thread.
// Errors:    what `write` returned; kInvalid: a name that is none (IsZipName); kCorrupt: an entry has more
//            bytes than were said. Then only the destructor is left.
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

  // `mtime_s`: Unix s, shown by whoever unpacks. `most_bytes`: it will not have more; below 3 GiB it is
  // written so that programs without zip64 can read it.
  Status BeginEntry(const std::string& name, std::int64_t mtime_s, std::uint64_t most_bytes);
  Status Append(std::string_view bytes);
  Status EndEntry();
  Status Finish();  // once

 private:
  struct State;
  explicit ZipWriter(std::unique_ptr<State> state);
  Status Put(std::string_view bytes);
  Status Deflate(std::string_view bytes, int flush);
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::backend
