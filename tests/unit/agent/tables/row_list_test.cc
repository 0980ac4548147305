// RowList: rows as they are written, and no more than it may hold.
#include "agent/tables/row_list.h"

#include <gtest/gtest.h>

namespace holdfast::agent {
namespace {

TEST(RowListTest, KeepsColumnsInTheirOrder) {
  RowList rows;
  rows.Begin().Text("a").Integer(-1).TextOrNull("").Null();
  rows.Begin().Text("");
  EXPECT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows.Take(0), (Row{std::string("a"), std::int64_t{-1}, {}, {}}));
  EXPECT_EQ(rows.Take(1), Row{std::string()});
}

TEST(RowListTest, LeavesOutWhatIsBeyondItsBound) {
  RowList rows;
  for (std::size_t i = 0; i < RowList::kMaxRows + 10; ++i) {
    rows.Begin().Integer(static_cast<std::int64_t>(i)).Integer(0);
  }
  EXPECT_EQ(rows.size(), RowList::kMaxRows);
  const auto last = static_cast<std::int64_t>(RowList::kMaxRows - 1);
  EXPECT_EQ(rows.Take(RowList::kMaxRows - 1), (Row{last, std::int64_t{0}}));
  rows.Clear();
  rows.Begin().Integer(1);
  EXPECT_EQ(rows.Take(0), Row{std::int64_t{1}});
}

}  // namespace
}  // namespace holdfast::agent
