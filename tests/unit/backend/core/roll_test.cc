#include "backend/core/roll.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace holdfast::backend {
namespace {

using std::chrono::seconds;

class RollTest : public ::testing::Test {
 protected:
  // Every step until it waits or ends, as letters; the second that everybody gets to settle passes meanwhile.
  std::string Steps(Roll& roll) {
    std::string steps;
    for (const TimePoint now : {now_, now_ + seconds(1)}) {
      while (const auto step = roll.NextStep(view_, now)) {
        steps += "STCRDF"[static_cast<int>(*step)];
        view_ = {};
        if (*step == RollStep::kDone || *step == RollStep::kFailed) return steps;
      }
    }
    return steps;
  }

  RollView view_;
  TimePoint now_{seconds(1000)};
};

TEST_F(RollTest, ReplacesOneProcessAtATimeGatewaysFirstRedisLast) {
  Roll roll({2, true}, now_);
  EXPECT_EQ(Steps(roll), "");  // nothing before all serve
  for (const std::size_t gateway : {0U, 1U}) {
    view_.all_serve = true;
    EXPECT_EQ(Steps(roll), "S");
    EXPECT_EQ(roll.gateway(), gateway);
    EXPECT_EQ(Steps(roll), "");
    view_.next_ready = true;
    EXPECT_EQ(Steps(roll), "T");
    EXPECT_EQ(roll.gateway(), gateway);
    view_.all_serve = true;
    EXPECT_EQ(Steps(roll), "");  // the old one is still there
    view_ = {};
    view_.old_gone = true;
    EXPECT_EQ(Steps(roll), "");  // gone, but not all serve
  }
  view_.all_serve = true;
  EXPECT_EQ(Steps(roll), "C");
  EXPECT_EQ(Steps(roll), "");
  view_.restart_ended = true;
  EXPECT_EQ(Steps(roll), "");
  view_.all_serve = true;
  EXPECT_EQ(Steps(roll), "R");
  view_.restart_ended = view_.all_serve = true;
  EXPECT_EQ(Steps(roll), "D");
}

TEST_F(RollTest, GivesEverybodyTimeToComeBackBeforeTheNext) {
  Roll roll({1, false}, now_);
  view_.all_serve = true;
  EXPECT_EQ(roll.NextStep(view_, now_), RollStep::kStartGateway);  // the first need not wait
  view_.next_ready = true;
  EXPECT_EQ(roll.NextStep(view_, now_), RollStep::kTakeOver);
  view_.old_gone = true;
  EXPECT_EQ(roll.NextStep(view_, now_), std::nullopt);
  now_ += std::chrono::milliseconds(999);
  EXPECT_EQ(roll.NextStep(view_, now_), std::nullopt);
  now_ += std::chrono::milliseconds(1);
  EXPECT_EQ(roll.NextStep(view_, now_), RollStep::kRestartControl);
}

TEST_F(RollTest, LeavesARedisOfOthersAlone) {
  Roll roll({0, false}, now_);
  view_.all_serve = true;
  EXPECT_EQ(Steps(roll), "C");
  view_.restart_ended = view_.all_serve = true;
  EXPECT_EQ(Steps(roll), "D");
}

TEST_F(RollTest, FailsWhenAReplacementEndsOrDoesNotComeUp) {
  for (const bool ends : {true, false}) {
    Roll roll({1, true}, now_);
    view_ = {};
    view_.all_serve = true;
    EXPECT_EQ(Steps(roll), "S");
    if (ends) {
      view_.next_ended = true;
    } else {
      now_ += seconds(118);
      EXPECT_EQ(Steps(roll), "");
      now_ += seconds(3);
    }
    EXPECT_EQ(Steps(roll), "F");
    EXPECT_NE(roll.failure().find("the old one goes on"), std::string::npos);
  }
}

TEST_F(RollTest, FailsWhenControlDoesNotComeBack) {
  Roll roll({0, true}, now_);
  view_.all_serve = true;
  EXPECT_EQ(Steps(roll), "C");
  now_ += seconds(121);
  EXPECT_EQ(Steps(roll), "F");
  EXPECT_FALSE(roll.failure().empty());
}

TEST_F(RollTest, WaitsForWhoeverIsDownAndGivesUpOnIt) {
  Roll roll({1, true}, now_);
  now_ += seconds(118);
  EXPECT_EQ(Steps(roll), "");
  now_ += seconds(2);
  EXPECT_EQ(Steps(roll), "F");
}

}  // namespace
}  // namespace holdfast::backend
