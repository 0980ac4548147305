#include "agent/verbs/row_writer.h"

#include "agent/verbs/verb_result.h"
#include "common/base/delimited.h"
#include "common/base/untrusted.h"

namespace holdfast::agent {

namespace pb = command::v1;

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBatchBytes = std::size_t{64} * 1024;
// A watcher sees slow rows trickle in; fast ones fill a batch long before.
constexpr std::chrono::milliseconds kBatchAge{200};
constexpr std::size_t kMaxNameBytes = 128;      // Column.name
constexpr std::size_t kValueOverheadBytes = 6;  // tags and lengths of a value, about
// A batch cut in the middle could not be read: the end of the room is left unused instead.
constexpr std::size_t kMaxLengthBytes = 10;

}  // namespace

RowWriter::RowWriter(OutputPort& channel, std::uint64_t max_rows)
    : channel_(channel), max_rows_(max_rows), batch_since_(Clock::now()) {}

void RowWriter::Columns(std::span<const RowColumn> columns) {
  for (const RowColumn& column : columns) {
    pb::Column& added = *batch_.add_columns();
    // A statement names its columns itself; `string` on the wire is UTF-8.
    added.set_name(ForTerminal(Untrusted(std::string(column.name)), kMaxNameBytes));
    added.set_type(std::string(column.type));
  }
  columns_pending_ = true;
}

pb::Value& RowWriter::NewValue() {
  if (row_ == nullptr) row_ = batch_.add_rows();
  batch_bytes_ += kValueOverheadBytes;
  return *row_->add_values();
}

void RowWriter::AddNull() { (void)NewValue(); }
void RowWriter::AddInteger(std::int64_t value) { NewValue().set_integer(value); }
void RowWriter::AddReal(double value) { NewValue().set_real(value); }
void RowWriter::AddText(std::string_view bytes) {
  batch_bytes_ += bytes.size();
  NewValue().set_text(bytes.data(), bytes.size());
}
void RowWriter::AddBlob(std::string_view bytes) {
  batch_bytes_ += bytes.size();
  NewValue().set_blob(bytes.data(), bytes.size());
}

bool RowWriter::EndRow() {
  row_ = nullptr;
  if (rows_ == max_rows_) {  // one more than allowed: only now is it known that there are more
    row_limit_ = true;
    batch_.mutable_rows()->RemoveLast();
    return false;
  }
  ++rows_;
  if (batch_bytes_ < kBatchBytes && Clock::now() - batch_since_ < kBatchAge) return true;
  return Flush();
}

bool RowWriter::Flush() {
  const std::string record = batch_.SerializeAsString();
  if (record.size() + kMaxLengthBytes > channel_.room_bytes()) {
    output_limit_ = true;
    return false;
  }
  encoded_.clear();
  AppendDelimited(encoded_, record);
  sent_rows_ += static_cast<std::uint64_t>(batch_.rows_size());
  batch_.clear_columns();
  batch_.clear_rows();  // keeps the messages for the next batch
  columns_pending_ = false;
  batch_bytes_ = 0;
  (void)channel_.Output(encoded_);  // there is room
  batch_since_ = Clock::now();
  return true;
}

pb::Result RowWriter::Finish(pb::Result result) {
  if (row_ != nullptr) {  // a row that was not ended
    batch_.mutable_rows()->RemoveLast();
    row_ = nullptr;
  }
  if (!output_limit_ && (columns_pending_ || batch_.rows_size() > 0)) (void)Flush();
  if (output_limit_) {
    result = Failed(pb::COMMAND_FAILURE_OUTPUT_LIMIT,
                    "the output ends after " + std::to_string(sent_rows_) + " rows, " +
                        std::to_string(channel_.written_bytes()) + " bytes");
    result.set_truncated(true);
  } else if (row_limit_) {
    result = Failed(pb::COMMAND_FAILURE_ROW_LIMIT,
                    "there are more than " + std::to_string(max_rows_) + " rows");
    result.set_truncated(true);
  }
  result.set_rows(sent_rows_);
  return result;
}

}  // namespace holdfast::agent
