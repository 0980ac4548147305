#include "backend/fleet/report.h"

#include <memory>

#include <gtest/gtest.h>

#include "backend/fleet/fleet_options.h"
#include "holdfast/link/v1/close_reason.pb.h"

namespace holdfast::fleet {
namespace {

TEST(HistogramTest, AnswersWithinThreePercent) {
  Histogram histogram;
  for (std::uint64_t value = 1; value <= 100'000; ++value) histogram.Add(value);
  for (const unsigned permille : {1U, 10U, 500U, 990U, 999U}) {
    const auto exact = static_cast<double>(permille) * 100;
    const auto said = static_cast<double>(histogram.AtPermille(permille));
    EXPECT_LE(said, exact + 1) << permille;
    EXPECT_GE(said, exact * 0.96) << permille;
  }
  EXPECT_EQ(histogram.count(), 100'000U);
}

TEST(HistogramTest, IsExactForSmallValuesAndBoundedForLargeOnes) {
  Histogram histogram;
  EXPECT_EQ(histogram.most(), 0U);
  histogram.Add(7);
  EXPECT_EQ(histogram.AtPermille(500), 7U);
  histogram.Add(~std::uint64_t{0});
  EXPECT_GE(histogram.most(), std::uint64_t{4'000'000'000});
}

TEST(ReportTest, SumsWhatTheProcessesCounted) {
  const auto first = std::make_unique<FigurePage>();
  const auto second = std::make_unique<FigurePage>();
  first->Add(Figure::kOnline, 3);
  second->Add(Figure::kOnline, 4);
  second->Sub(Figure::kOnline);
  const auto silent = static_cast<std::size_t>(::holdfast::link::v1::CLOSE_REASON_PEER_SILENT);
  second->Add(static_cast<Figure>(static_cast<std::size_t>(Figure::kEndsBase) + silent), 2);
  first->connect_ms.Add(10);
  second->connect_ms.Add(20);
  Report report;
  report.AddPage(*first);
  report.AddPage(*second);
  report.set_run(7, 6, 0, 1000);
  EXPECT_EQ(report.Get(Figure::kOnline), 6U);
  const std::string json = report.AsJson();
  for (const char* part : {"\"agents\":7", "\"processes\":2", "\"online\":6", "\"online_max\":6",
                           "\"ends\":{\"peer_silent\":2}", "\"connect_p99_ms\":20"}) {
    EXPECT_NE(json.find(part), std::string::npos) << part << " is not in " << json;
  }
  EXPECT_NE(report.AsText().find("7 in 2 processes"), std::string::npos);
}

TEST(FigurePageTest, KeepsAProblemThatIsSafeToShow) {
  const auto page = std::make_unique<FigurePage>();
  page->SetProblem(std::string(300, 'x'));
  EXPECT_LT(page->Problem().size(), 96U);
  page->SetProblem("refused: \x1b[31m");
  EXPECT_EQ(page->Problem(), "refused: ?[31m");
}

TEST(RampTest, AllowsTheFirstAtOnceAndTheRestAtItsRate) {
  Ramp ramp;
  ramp.per_second = 200;
  EXPECT_EQ(ramp.AllowedAfter(0), 1U);
  EXPECT_EQ(ramp.AllowedAfter(1500), 301U);
  ramp.per_second = 0;
  EXPECT_GT(ramp.AllowedAfter(0), 1'000'000'000U);
}

TEST(RampTest, AddsRounds) {
  Ramp ramp;
  ramp.round_agents = 2000;
  ramp.round_seconds = 10;
  EXPECT_EQ(ramp.AllowedAfter(0), 2000U);
  EXPECT_EQ(ramp.AllowedAfter(9999), 2000U);
  EXPECT_EQ(ramp.AllowedAfter(10000), 4000U);
}

}  // namespace
}  // namespace holdfast::fleet
