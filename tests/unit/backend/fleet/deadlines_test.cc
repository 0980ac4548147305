#include "backend/fleet/deadlines.h"

#include <map>
#include <random>

#include <gtest/gtest.h>

namespace holdfast::fleet {
namespace {

TimePoint At(int ms) { return TimePoint(Duration(ms)); }

TEST(DeadlinesTest, GivesOutWhatIsDueEarliestFirst) {
  Deadlines deadlines;
  deadlines.Set(3, At(30));
  deadlines.Set(1, At(10));
  deadlines.Set(2, At(20));
  EXPECT_EQ(deadlines.Earliest(), At(10));
  EXPECT_EQ(deadlines.TakeDue(At(9)), std::nullopt);
  EXPECT_EQ(deadlines.TakeDue(At(25)), 1U);
  EXPECT_EQ(deadlines.TakeDue(At(25)), 2U);
  EXPECT_EQ(deadlines.TakeDue(At(25)), std::nullopt);
}

TEST(DeadlinesTest, MovesAndClearsAsAnOrderedSetWould) {
  Deadlines deadlines;
  std::map<std::uint32_t, TimePoint> expected;
  std::minstd_rand random(7);
  for (int i = 0; i < 20000; ++i) {
    const auto index = static_cast<std::uint32_t>(random() % 300);
    if (random() % 4 == 0) {
      deadlines.Set(index, std::nullopt);
      expected.erase(index);
    } else {
      const TimePoint at = At(static_cast<int>(random() % 1000));
      deadlines.Set(index, at);
      expected[index] = at;
    }
    ASSERT_EQ(deadlines.size(), expected.size());
  }
  TimePoint last{};
  while (const auto index = deadlines.TakeDue(At(1000))) {
    ASSERT_TRUE(expected.contains(*index));
    EXPECT_GE(expected[*index], last);
    last = expected[*index];
    expected.erase(*index);
  }
  EXPECT_TRUE(expected.empty());
}

}  // namespace
}  // namespace holdfast::fleet
