#include "backend/core/ticket_keys.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace holdfast::backend {
namespace {

using std::chrono::milliseconds;

class TicketKeysTest : public ::testing::Test {
 protected:
  static constexpr TimePoint kStart{milliseconds(5000)};
  std::uint8_t next_ = 0;
  TicketKeys keys_{
      [this](std::span<std::uint8_t> out) { std::fill(out.begin(), out.end(), ++next_); }};
};

TEST_F(TicketKeysTest, TheFirstKeyIsThereAtOnceAndHasNoOneBeforeIt) {
  EXPECT_TRUE(keys_.OnTime(kStart));
  EXPECT_FALSE(keys_.pair().previous);
}

TEST_F(TicketKeysTest, AKeySealsForItsPeriodAndOpensForTheLifeOfItsLastTicket) {
  keys_.OnTime(kStart);
  const TicketKey first = keys_.pair().current;
  EXPECT_FALSE(keys_.OnTime(kStart + TicketKeys::kPeriod - milliseconds(1)));
  EXPECT_TRUE(keys_.OnTime(kStart + TicketKeys::kPeriod));
  EXPECT_NE(keys_.pair().current, first);
  EXPECT_EQ(keys_.pair().previous, first);
  EXPECT_TRUE(keys_.OnTime(kStart + 2 * TicketKeys::kPeriod));
  EXPECT_NE(keys_.pair().previous, first);
}

TEST_F(TicketKeysTest, AfterALongPauseNothingOldOpens) {
  keys_.OnTime(kStart);
  EXPECT_TRUE(keys_.OnTime(kStart + TicketKeys::kPeriod + kTicketLife));
  EXPECT_FALSE(keys_.pair().previous);
}

TEST_F(TicketKeysTest, TravelAsBytesWithAndWithoutAPreviousKey) {
  keys_.OnTime(kStart);
  EXPECT_EQ(DecodeTicketKeys(EncodeTicketKeys(keys_.pair())), keys_.pair());
  keys_.OnTime(kStart + TicketKeys::kPeriod);
  EXPECT_EQ(DecodeTicketKeys(EncodeTicketKeys(keys_.pair())), keys_.pair());
  EXPECT_FALSE(DecodeTicketKeys(EncodeTicketKeys(keys_.pair()) + "x"));
  EXPECT_FALSE(DecodeTicketKeys(""));
}

}  // namespace
}  // namespace holdfast::backend
