#include "backend/core/scale.h"

#include <string>

#include <gtest/gtest.h>

namespace holdfast::backend {
namespace {

using std::chrono::seconds;

constexpr TimePoint kNow{seconds(1000)};

TEST(ScaleTest, TakesAWholeNumberFromOneTo256) {
  EXPECT_EQ(ParseGatewayCount("1").value(), 1U);
  EXPECT_EQ(ParseGatewayCount("256").value(), 256U);
  for (const char* const wrong : {"", "0", "257", "-1", "+3", " 3", "3 ", "3x", "x", "1.5", "0x4",
                                  "4294967297", "99999999999999999999", "1\n2"}) {
    const auto count = ParseGatewayCount(wrong);
    ASSERT_FALSE(count.ok()) << wrong;
    EXPECT_EQ(count.error().message, "the number of gateways must be from 1 to 256");
  }
}

TEST(ScaleTest, RefusesWhatDescriptorsDoNotAllow) {
  const ScaleRoom room{.gateways = 2, .sockets = 100, .max_sockets = 1000, .descriptors = 40};
  EXPECT_TRUE(CheckScale(10, room).ok());
  const Status refused = CheckScale(11, room);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message, "descriptors allow no more than 10 gateways (ulimit -Hn)");
}

TEST(ScaleTest, ThoseThatRunAreNoneTooManyHoweverFewDescriptorsThereAre) {
  const ScaleRoom room{.gateways = 3, .sockets = 0, .max_sockets = 10, .descriptors = 0};
  EXPECT_TRUE(CheckScale(3, room).ok());
  EXPECT_FALSE(CheckScale(4, room).ok());
}

TEST(ScaleTest, RefusesToLeaveLinksWithoutAPlace) {
  const ScaleRoom room{.gateways = 4, .sockets = 2001, .max_sockets = 1000, .descriptors = 4000};
  EXPECT_TRUE(CheckScale(3, room).ok());
  const Status refused = CheckScale(2, room);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message,
            "2 gateways cannot hold the 2001 links that are open (1000 each); at least 3 can");
  EXPECT_EQ(CheckScale(1, room).error().message,
            "1 gateway cannot hold the 2001 links that are open (1000 each); at least 3 can");
}

TEST(ScaleTest, MoreIsDoneWhenAllNewOnesAreReady) {
  Scale scale(2, 4);
  EXPECT_EQ(scale.NextStep({}, kNow), ScaleStep::kStart);
  EXPECT_EQ(scale.NextStep({}, kNow), std::nullopt);
  EXPECT_EQ(scale.NextStep({.new_ready = true}, kNow), ScaleStep::kDone);
}

TEST(ScaleTest, FewerIsDoneWhenThoseSentAwayHaveEnded) {
  Scale scale(4, 2);
  EXPECT_EQ(scale.NextStep({.old_gone = true}, kNow), ScaleStep::kDrain);  // nothing before that
  EXPECT_EQ(scale.NextStep({.new_ready = true}, kNow + seconds(3700)), std::nullopt);
  EXPECT_EQ(scale.NextStep({.old_gone = true}, kNow), ScaleStep::kDone);
}

TEST(ScaleTest, AsManyAsThereAreIsDoneAtOnce) {
  Scale scale(3, 3);
  EXPECT_EQ(scale.NextStep({}, kNow), ScaleStep::kDone);
}

TEST(ScaleTest, FailsWhenANewOneEndsOrDoesNotBecomeReady) {
  Scale ended(2, 3);
  (void)ended.NextStep({}, kNow);
  EXPECT_EQ(ended.NextStep({.new_ended = true}, kNow), ScaleStep::kFailed);
  EXPECT_EQ(ended.failure(), "a new gateway ended; 2 gateways, as before");
  Scale late(1, 3);
  (void)late.NextStep({}, kNow);
  EXPECT_EQ(late.NextStep({}, kNow + seconds(59)), std::nullopt);
  EXPECT_EQ(late.NextStep({}, kNow + seconds(60)), ScaleStep::kFailed);
  EXPECT_EQ(late.failure(), "not all new gateways became ready; 1 gateway, as before");
}

}  // namespace
}  // namespace holdfast::backend
