#include "backend/core/metrics_text.h"

#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "holdfast/link/v1/close_reason.pb.h"

namespace holdfast::backend {
namespace {

TEST(MetricsTextTest, ShowsEachProcessUnderOneHeader) {
  CounterBlock g0{};
  CounterBlock g1{};
  g0.Set(Counter::kLinks, 3);
  g1.Add(Counter::kMessagesUp, 7);
  g1.Add(static_cast<Counter>(static_cast<std::size_t>(Counter::kClosedBase) +
                              ::holdfast::link::v1::CLOSE_REASON_NOT_A_LINK));
  MetricsText text;
  text.Add("g0", g0);
  text.Add("g1", g1);
  text.AddOne("holdfast_redis_up", "1 while Redis answers", "", 1);
  const std::string out = text.Text();
  EXPECT_NE(out.find("# TYPE holdfast_links gauge\nholdfast_links{proc=\"g0\"} 3\n"
                     "holdfast_links{proc=\"g1\"} 0\n"),
            std::string::npos);
  EXPECT_NE(out.find("holdfast_messages_up_total{proc=\"g1\"} 7\n"), std::string::npos);
  EXPECT_NE(out.find("holdfast_closed_total{proc=\"g1\",reason=\"not_a_link\"} 1\n"),
            std::string::npos);
  EXPECT_NE(out.find("\nholdfast_redis_up 1\n"), std::string::npos);
  EXPECT_EQ(out.find("unspecified"), std::string::npos);
  EXPECT_EQ(out.find("# HELP holdfast_links "), out.rfind("# HELP holdfast_links "));
}

TEST(MetricsTextTest, ShowsFractionsWithThreeDigits) {
  for (const auto& [permille, shown] : {std::pair{0U, "0.000"},
                                        {7U, "0.007"},
                                        {1000U, "1.000"},
                                        {1042U, "1.042"},
                                        {25600U, "25.600"}}) {
    MetricsText text;
    text.AddPermille("holdfast_links_balance", "Of the fullest", "", permille);
    EXPECT_NE(text.Text().find("# TYPE holdfast_links_balance gauge\nholdfast_links_balance " +
                               std::string(shown) + "\n"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace holdfast::backend
