// RowWriter: rows of a verb to RowBatch messages on the channel (result.proto says the format).
//
//   Columns() once -> BeginRow() Add*() EndRow() ... -> Finish()
//
// Ordering:  the columns go out with the first batch, also when there are no rows.
// Limits:    a batch goes out at kBatchBytes or kBatchAge; at Options::rows or the channel's out_bytes
//            EndRow() returns false and the verb ends: whole batches only, the rows so far are delivered.
// Threading: one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/verbs/output_port.h"
#include "holdfast/command/v1/result.pb.h"

namespace holdfast::agent {

struct RowColumn {
  std::string_view name;
  std::string_view type;  // "TEXT", "INTEGER", "BIGINT", "DOUBLE", "BLOB" or ""
};

class RowWriter {
 public:
  RowWriter(OutputPort& channel, std::uint64_t max_rows);

  void Columns(std::span<const RowColumn> columns);
  void AddNull();
  void AddInteger(std::int64_t value);
  void AddReal(double value);
  void AddText(std::string_view bytes);
  void AddBlob(std::string_view bytes);
  bool EndRow();  // false: a limit is reached, write no more

  // Sends what is left and turns `result` into ROW_LIMIT or OUTPUT_LIMIT where one was reached.
  command::v1::Result Finish(command::v1::Result result);
  std::uint64_t rows() const { return sent_rows_; }

 private:
  bool Flush();
  command::v1::Value& NewValue();

  OutputPort& channel_;
  std::uint64_t max_rows_;
  std::uint64_t rows_ = 0;       // taken
  std::uint64_t sent_rows_ = 0;  // in a batch that went out
  std::size_t batch_bytes_ = 0;  // about
  bool columns_pending_ = false;
  bool row_limit_ = false;
  bool output_limit_ = false;
  command::v1::RowBatch batch_;
  command::v1::Row* row_ = nullptr;  // in batch_, while it is filled
  std::string encoded_;
  std::chrono::steady_clock::time_point batch_since_;
};

}  // namespace holdfast::agent
