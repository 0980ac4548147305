#include "backend/core/death_tally.h"

#include <string>

#include <gtest/gtest.h>

namespace holdfast::backend {
namespace {

TEST(DeathTallyTest, CountsEachSuspectByItself) {
  DeathTally tally;
  EXPECT_EQ(tally.OnDeath("a"), 1U);
  EXPECT_EQ(tally.OnDeath("b"), 1U);
  EXPECT_EQ(tally.OnDeath("a"), 2U);
  EXPECT_EQ(tally.OnDeath("a"), 3U);
  EXPECT_EQ(tally.OnDeath("a"), 4U);
  EXPECT_EQ(tally.OnDeath("b"), 2U);
}

TEST(DeathTallyTest, ForgetsWhoWasNotHeardOfForLongest) {
  DeathTally tally;
  tally.OnDeath("old");
  tally.OnDeath("heard of again");
  for (std::size_t i = 2; i < DeathTally::kMaxSuspects; ++i) tally.OnDeath(std::to_string(i));
  EXPECT_EQ(tally.OnDeath("heard of again"), 2U);
  tally.OnDeath("one too many");
  EXPECT_EQ(tally.OnDeath("heard of again"), 3U);
  EXPECT_EQ(tally.OnDeath("old"), 1U);
}

}  // namespace
}  // namespace holdfast::backend
