#include "backend/fleet/machine_model.h"

#include <gtest/gtest.h>

#include "common/base/delimited.h"

namespace holdfast::fleet {
namespace {

namespace pb = ::holdfast::command::v1;

pb::RowBatch RowsOf(const Answer& answer) {
  DelimitedReader reader(1 << 20);
  reader.Push(answer.output);
  pb::RowBatch batch;
  const auto record = reader.Next();
  EXPECT_TRUE(record.ok() && record.value());
  EXPECT_TRUE(batch.ParseFromString(*record.value()));
  return batch;
}

TEST(MachineModelTest, NamesTheMachineInItsRows) {
  pb::Command command;
  command.mutable_query()->set_sql("SELECT 1");
  const Answer answer = AnswerOf(command, "sim-000007", 7);
  EXPECT_EQ(answer.result.outcome(), pb::OUTCOME_DONE);
  EXPECT_EQ(answer.result.rows(), 1U);
  const pb::RowBatch batch = RowsOf(answer);
  EXPECT_EQ(batch.rows(0).values(0).text(), "sim-000007");
  EXPECT_EQ(batch.rows(0).values(1).integer(), 7);
}

TEST(MachineModelTest, MakesFilesOfTheSizeAskedForAndNoOthers) {
  pb::Command command;
  for (const std::uint64_t size : {0U, 1U, 300000U}) {
    command.mutable_get()->set_path("/sim/bytes/" + std::to_string(size));
    const Answer answer = AnswerOf(command, "h", 0);
    EXPECT_EQ(answer.result.outcome(), pb::OUTCOME_DONE);
    EXPECT_EQ(answer.output, GeneratedBytes(size));
    EXPECT_EQ(answer.result.file().size(), size);
  }
  for (const char* path : {"/etc/passwd", "/sim/bytes/", "/sim/bytes/1x", "/sim/bytes/-1",
                           "/sim/bytes/67108865", "/sim/bytes/99999999999999999999999"}) {
    command.mutable_get()->set_path(path);
    const Answer answer = AnswerOf(command, "h", 0);
    EXPECT_EQ(answer.result.failure(), pb::COMMAND_FAILURE_NO_SUCH_FILE) << path;
    EXPECT_TRUE(answer.output.empty());
  }
}

TEST(MachineModelTest, RefusesWhatAModelCannotDo) {
  pb::Command command;
  command.mutable_put()->set_path("/x");
  EXPECT_EQ(AnswerOf(command, "h", 0).result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  EXPECT_EQ(AnswerOf(pb::Command(), "h", 0).result.outcome(), pb::OUTCOME_FAILED);
}

}  // namespace
}  // namespace holdfast::fleet
