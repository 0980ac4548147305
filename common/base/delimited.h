// Delimited records: varint length, then that many bytes; how rows and stdio travel in an output.
//
//   Append(out, record)        Push bytes as they come -> [DelimitedReader] -> Next()
//
// Limits:    DelimitedReader refuses a record above max_record_bytes; it buffers at most one.
// Threading: thread-compatible.
// Errors:    Next(): kCorrupt once, for good: a length that is not a varint or above the limit.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace holdfast {

void AppendDelimited(std::string& out, std::string_view record);

class DelimitedReader {
 public:
  explicit DelimitedReader(std::size_t max_record_bytes) : max_record_bytes_(max_record_bytes) {}
  void Push(std::string_view bytes);
  // The next whole record; nullopt when more bytes are needed.
  Result<std::optional<std::string>> Next();
  bool empty() const { return at_ == buffer_.size(); }  // no partial record is left

 private:
  std::size_t max_record_bytes_;
  std::string buffer_;
  std::size_t at_ = 0;
};

}  // namespace holdfast
