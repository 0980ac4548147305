// Delimited records: varint length, then that many bytes; how rows and stdio travel in an output.
//
//   Append(out, record)        Push bytes as they come -> [DelimitedReader] -> Next()
//
// Limits:    DelimitedReader refuses a record above max_record_bytes as soon as its length is
// known, and
//            lengths of more than 5 bytes (4 GiB). It holds what was pushed and not yet taken: take
//            all records after every Push, and it holds at most one and the piece pushed.
// Threading: thread-compatible.
// Errors:    Next(): kCorrupt, from then on always: a length that is not a varint in its shortest
// form,
//            or above the limit. What was pushed is dropped.
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
  // No partial record is left: the output ended where a record did.
  bool empty() const { return !corrupt_ && at_ == buffer_.size(); }

 private:
  Error Corrupt(const char* what);

  std::size_t max_record_bytes_;
  std::string buffer_;
  std::size_t at_ = 0;  // first byte of buffer_ not yet taken
  bool corrupt_ = false;
};

}  // namespace holdfast
