#include "backend/core/record_move.h"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace holdfast::testing {
namespace {

using backend::MoveRecord;
using backend::RecordRow;
using backend::RecordTable;

// A database in memory, in pages of two rows.
class FakeRows final : public backend::RecordRows {
 public:
  Status Rewind(RecordTable table) override {
    reading_ = table;
    at_ = 0;
    return Ok();
  }
  Result<std::vector<RecordRow>> Next() override {
    constexpr std::size_t kPage = 2;
    const std::vector<RecordRow>& rows = tables[reading_];
    std::vector<RecordRow> out;
    while (at_ < rows.size() && out.size() < kPage) out.push_back(rows[at_++]);
    return out;
  }
  Status Insert(RecordTable table, const RecordRow& row) override {
    tables[table].push_back(spoils == table && tables[table].size() == 2 ? RecordRow{"spoilt"}
                                                                         : row);
    if (loses == table && tables[table].size() == 3) tables[table].pop_back();
    return Ok();
  }
  Status Commit() override {
    committed = true;
    return Ok();
  }

  std::map<RecordTable, std::vector<RecordRow>> tables;
  std::optional<RecordTable> spoils, loses;  // the third row that is put there
  bool committed = false;

 private:
  RecordTable reading_ = RecordTable::kAgents;
  std::size_t at_ = 0;
};

FakeRows Full() {
  FakeRows rows;
  for (const RecordTable table : backend::kRecordTables) {
    for (std::uint64_t i = 0; i < 3; ++i) {
      rows.tables[table].push_back(RecordRow{i, std::string("\0a", 2), std::string()});
    }
  }
  return rows;
}

TEST(RecordMoveTest, CopiesEveryRowOfEveryTableAndSaysHowMany) {
  FakeRows from = Full();
  FakeRows to;
  backend::MoveOptions options;
  std::size_t seen = 0;
  options.on_row = [&seen](RecordTable, const RecordRow&) { ++seen; };
  const auto moved = MoveRecord(from, to, options);
  ASSERT_TRUE(moved.ok());
  EXPECT_EQ(from.tables, to.tables);
  EXPECT_EQ(from.tables, Full().tables);
  EXPECT_TRUE(to.committed);
  EXPECT_FALSE(from.committed);
  EXPECT_EQ(seen, 3 * backend::kRecordTables.size());
  for (const std::uint64_t rows : moved.value().rows) EXPECT_EQ(rows, 3U);
  EXPECT_EQ(moved.value().bytes, seen * 10);
}

TEST(RecordMoveTest, RefusesATargetWithOneRowInAnyTable) {
  for (const RecordTable table : backend::kRecordTables) {
    FakeRows from = Full();
    FakeRows to;
    to.tables[table].push_back(RecordRow{std::uint64_t{1}});
    const auto moved = MoveRecord(from, to, {});
    ASSERT_FALSE(moved.ok());
    EXPECT_EQ(moved.error().code, Code::kExists);
    EXPECT_FALSE(to.committed);
    EXPECT_EQ(to.tables[table].size(), 1U);
  }
}

TEST(RecordMoveTest, KeepsNothingWhenARowIsNotWhatWasPutOrIsNotThere) {
  for (const RecordTable table : backend::kRecordTables) {
    for (const bool is_lost : {false, true}) {
      FakeRows from = Full();
      FakeRows to;
      (is_lost ? to.loses : to.spoils) = table;
      const auto moved = MoveRecord(from, to, {});
      ASSERT_FALSE(moved.ok());
      EXPECT_EQ(moved.error().code, Code::kInternal);
      EXPECT_NE(moved.error().message.find("row 3"), std::string::npos) << moved.error().message;
      EXPECT_FALSE(to.committed);
    }
  }
}

TEST(RecordMoveTest, StopsWhereItIsAskedTo) {
  for (int after = 0; after < 12; ++after) {
    FakeRows from = Full();
    FakeRows to;
    backend::MoveOptions options;
    int asked = 0;
    options.stop = [&] { return asked++ == after; };
    const auto moved = MoveRecord(from, to, options);
    ASSERT_FALSE(moved.ok());
    EXPECT_EQ(moved.error().code, Code::kCancelled);
    EXPECT_FALSE(to.committed);
  }
}

}  // namespace
}  // namespace holdfast::testing
