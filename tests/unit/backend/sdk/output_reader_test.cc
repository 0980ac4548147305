#include "backend/sdk/output_reader.h"

#include <gtest/gtest.h>

namespace holdfast::sdk {
namespace {

std::string Output(const ::holdfast::command::v1::RowBatch& batch) {
  std::string out;
  AppendDelimited(out, batch.SerializeAsString());
  return out;
}

TEST(RowReaderTest, RefusesRowsWithoutColumns) {
  ::holdfast::command::v1::RowBatch batch;
  batch.add_rows();
  RowReader reader;
  reader.Push(Output(batch));
  const auto next = reader.Next();
  ASSERT_FALSE(next.ok());
  EXPECT_EQ(next.error().code, Code::kCorrupt);
}

TEST(RowReaderTest, ReadsRowsThatFitTheirColumns) {
  ::holdfast::command::v1::RowBatch batch;
  batch.add_columns()->set_name("one");
  batch.add_rows()->add_values()->set_integer(1);
  RowReader reader;
  reader.Push(Output(batch));
  const auto next = reader.Next();
  ASSERT_TRUE(next.ok());
  ASSERT_TRUE(next.value());
  EXPECT_EQ(next.value()->rows_size(), 1);
  EXPECT_TRUE(reader.empty());
}

}  // namespace
}  // namespace holdfast::sdk
