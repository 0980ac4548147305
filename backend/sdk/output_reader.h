// RowReader, StdioReader: the output of verbs, taken apart as its bytes come.
//
//   Push(bytes) --> Next() --> RowBatch | StdioChunk
//
// Limits:    kMaxRecordBytes for one record; a row has as many values as there are columns.
// Threading: thread-compatible.
// Errors:    kCorrupt, for good: bytes that are no record, rows before their columns or without any.
#pragma once

#include <optional>
#include <string_view>

#include "common/base/delimited.h"
#include "common/base/result.h"
#include "holdfast/command/v1/result.pb.h"

namespace holdfast::sdk {

// A batch of rows holds whole values, and a value may be a file's content.
inline constexpr std::size_t kMaxRecordBytes = std::size_t{64} * 1024 * 1024;

class RowReader {
 public:
  RowReader() : reader_(kMaxRecordBytes) {}
  void Push(std::string_view bytes) { reader_.Push(bytes); }
  Result<std::optional<::holdfast::command::v1::RowBatch>> Next();
  bool empty() const { return reader_.empty(); }

 private:
  DelimitedReader reader_;
  int columns_ = -1;  // before the first batch
};

class StdioReader {
 public:
  StdioReader() : reader_(kMaxRecordBytes) {}
  void Push(std::string_view bytes) { reader_.Push(bytes); }
  Result<std::optional<::holdfast::command::v1::StdioChunk>> Next();

 private:
  DelimitedReader reader_;
};

}  // namespace holdfast::sdk
