#include "backend/core/source_admission.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace holdfast::backend {
namespace {

using std::chrono::seconds;
using Verdict = SourceAdmission::Verdict;

class SourceAdmissionTest : public ::testing::Test {
 protected:
  Verdict Come(SourceAdmission& admission, const std::string& source) {
    const Verdict verdict = admission.Ask(source, ++ticket_, now_);
    if (verdict == Verdict::kGo) admission.Started(&gateway_, source);
    return verdict;
  }
  // The tickets whose turn it is, all started.
  std::vector<std::uint64_t> Serve(SourceAdmission& admission) {
    std::vector<std::uint64_t> tickets;
    while (const auto next = admission.NextReady()) {
      tickets.push_back(next->ticket);
      admission.Started(&gateway_, next->source);
    }
    return tickets;
  }

  int gateway_ = 0;
  int other_gateway_ = 0;
  std::uint64_t ticket_ = 0;
  TimePoint now_{seconds(1000)};
};

TEST_F(SourceAdmissionTest, WhoIsAboveItsShareWaitsAndOthersDoNot) {
  SourceAdmission admission(2, 40);
  EXPECT_EQ(Come(admission, "a"), Verdict::kGo);
  EXPECT_EQ(Come(admission, "a"), Verdict::kGo);
  EXPECT_EQ(Come(admission, "a"), Verdict::kWait);  // ticket 3
  EXPECT_EQ(Come(admission, "a"), Verdict::kWait);  // ticket 4
  EXPECT_EQ(Come(admission, "b"), Verdict::kGo);
  EXPECT_TRUE(Serve(admission).empty());
  admission.Done(&gateway_, "b");
  EXPECT_TRUE(Serve(admission).empty());
  admission.Done(&gateway_, "a");
  // Whoever comes now stands behind those who wait.
  EXPECT_EQ(Come(admission, "a"), Verdict::kWait);  // ticket 6
  EXPECT_EQ(Serve(admission), std::vector<std::uint64_t>({3}));
  admission.Done(&gateway_, "a");
  admission.Done(&gateway_, "a");
  EXPECT_EQ(Serve(admission), std::vector<std::uint64_t>({4, 6}));
}

TEST_F(SourceAdmissionTest, OneSourceTakesAQuarterOfTheWaitingRoomAtMost) {
  SourceAdmission admission(1, 8);
  EXPECT_EQ(Come(admission, "a"), Verdict::kGo);
  EXPECT_EQ(Come(admission, "a"), Verdict::kWait);
  EXPECT_EQ(Come(admission, "a"), Verdict::kWait);
  EXPECT_EQ(Come(admission, "a"), Verdict::kRefuse);
  EXPECT_EQ(Come(admission, "b"), Verdict::kGo);
  EXPECT_EQ(Come(admission, "b"), Verdict::kWait);
}

TEST_F(SourceAdmissionTest, SourcesWithRoomTakeTurns) {
  SourceAdmission admission(1, 40);
  for (const char* source : {"a", "b"}) {
    EXPECT_EQ(Come(admission, source), Verdict::kGo);
    EXPECT_EQ(Come(admission, source), Verdict::kWait);
    EXPECT_EQ(Come(admission, source), Verdict::kWait);
  }
  admission.SetLimit(3);
  EXPECT_EQ(Serve(admission), std::vector<std::uint64_t>({2, 5, 3, 6}));
}

TEST_F(SourceAdmissionTest, TheWaitingRoomIsBounded) {
  SourceAdmission admission(1, 4);
  for (const char* source : {"a", "b", "c", "d"}) {
    EXPECT_EQ(Come(admission, source), Verdict::kGo);
    EXPECT_EQ(Come(admission, source), Verdict::kWait);
  }
  EXPECT_EQ(admission.waiting(), 4U);
  EXPECT_EQ(Come(admission, "e"), Verdict::kGo);
  EXPECT_EQ(Come(admission, "e"), Verdict::kRefuse);
}

TEST_F(SourceAdmissionTest, WhoWaitedTooLongGoes) {
  SourceAdmission admission(1, 40);
  Come(admission, "a");
  EXPECT_EQ(Come(admission, "a"), Verdict::kWait);
  now_ += seconds(9);
  EXPECT_EQ(Come(admission, "a"), Verdict::kWait);
  EXPECT_EQ(admission.NextExpired(now_), std::nullopt);
  now_ += seconds(1);
  EXPECT_EQ(admission.NextExpired(now_), 2U);
  EXPECT_EQ(admission.NextExpired(now_), std::nullopt);
  admission.Done(&gateway_, "a");
  EXPECT_EQ(Serve(admission), std::vector<std::uint64_t>({3}));
}

TEST_F(SourceAdmissionTest, WhatADeadGatewayHeldIsFree) {
  SourceAdmission admission(2, 40);
  Come(admission, "a");
  EXPECT_EQ(admission.Ask("a", 50, now_), Verdict::kGo);
  admission.Started(&other_gateway_, "a");
  EXPECT_EQ(Come(admission, "a"), Verdict::kWait);
  admission.OwnerGone(&other_gateway_);
  EXPECT_EQ(Serve(admission).size(), 1U);
  admission.Done(&other_gateway_, "a");  // said before it died, read after: counts nothing
  EXPECT_EQ(Come(admission, "a"), Verdict::kWait);
}

TEST_F(SourceAdmissionTest, WithoutABoundEverybodyGoes) {
  SourceAdmission admission(0, 40);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(Come(admission, "a"), Verdict::kGo);
}

TEST_F(SourceAdmissionTest, KeepsNothingOfSourcesThatAreDone) {
  SourceAdmission admission(1, 100);
  for (int i = 0; i < 50; ++i) {
    const std::string source = std::to_string(i);
    Come(admission, source);
    EXPECT_EQ(Come(admission, source), Verdict::kWait);
    admission.Done(&gateway_, source);
    EXPECT_EQ(Serve(admission).size(), 1U);
    EXPECT_EQ(Come(admission, source), Verdict::kWait);
    admission.Done(&gateway_, source);
    now_ += seconds(10);
    while (admission.NextExpired(now_)) {
    }
  }
  EXPECT_TRUE(Serve(admission).empty());
  EXPECT_EQ(admission.sources(), 0U);
  EXPECT_EQ(admission.waiting(), 0U);
}

}  // namespace
}  // namespace holdfast::backend
