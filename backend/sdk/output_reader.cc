#include "backend/sdk/output_reader.h"

#include <utility>

namespace holdfast::sdk {

Result<std::optional<::holdfast::command::v1::RowBatch>> RowReader::Next() {
  HF_ASSIGN_OR_RETURN(const auto record, reader_.Next());
  if (!record) return std::optional<::holdfast::command::v1::RowBatch>();
  ::holdfast::command::v1::RowBatch batch;
  if (!batch.ParseFromString(*record)) return Error{Code::kCorrupt, "the output holds no rows"};
  if (columns_ < 0) {
    columns_ = batch.columns_size();
  } else if (batch.columns_size() > 0) {
    return Error{Code::kCorrupt, "the output names its columns twice"};
  }
  if (columns_ == 0 && batch.rows_size() > 0) {
    return Error{Code::kCorrupt, "the output has rows without columns"};
  }
  for (const auto& row : batch.rows()) {
    if (row.values_size() != columns_) {
      return Error{Code::kCorrupt, "a row does not have as many values as there are columns"};
    }
  }
  return std::optional(std::move(batch));
}

Result<std::optional<::holdfast::command::v1::StdioChunk>> StdioReader::Next() {
  HF_ASSIGN_OR_RETURN(const auto record, reader_.Next());
  if (!record) return std::optional<::holdfast::command::v1::StdioChunk>();
  ::holdfast::command::v1::StdioChunk chunk;
  if (!chunk.ParseFromString(*record)) {
    return Error{Code::kCorrupt, "the output holds no program output"};
  }
  return std::optional(std::move(chunk));
}

}  // namespace holdfast::sdk
