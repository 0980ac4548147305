#include "agent/verbs/pace.h"

#include <gtest/gtest.h>

namespace holdfast::agent {
namespace {

TEST(PaceBucketTest, AsksForNoSleepWithinTheBurst) {
  PaceBucket bucket(0.1, 0.3);
  EXPECT_EQ(bucket.Spend(0.1, 0.1), 0);
  EXPECT_EQ(bucket.Spend(0.1, 0.1), 0);
}

TEST(PaceBucketTest, WhatIsOwedTakesItsTimeByTheShare) {
  PaceBucket bucket(0.1, 0);
  EXPECT_NEAR(bucket.Spend(0.01, 0.01), 0.09, 1e-9);  // a tenth: 10 ms of work in 100 ms
}

TEST(PaceBucketTest, LongWorkAfterItsSleepsHasTakenTheShare) {
  PaceBucket bucket(0.1, 0.3);
  double wall = 0;
  double worked = 0;
  double slept = 0;
  for (int tick = 0; tick < 1000; ++tick) {
    const double sleep = bucket.Spend(0.01, 0.01 + slept);
    slept = sleep;
    worked += 0.01;
    wall += 0.01 + sleep;
  }
  EXPECT_NEAR(worked, 0.3 + 0.1 * wall, 0.02);
}

TEST(PaceBucketTest, WhoHasWaitedLongMayHurryNoMoreThanOneBurst) {
  PaceBucket bucket(0.1, 0.3);
  EXPECT_EQ(bucket.Spend(0, 3600), 0);
  EXPECT_NEAR(bucket.Spend(0.3, 0), 0, 1e-9);
  EXPECT_GT(bucket.Spend(0.01, 0.01), 0);
}

}  // namespace
}  // namespace holdfast::agent
