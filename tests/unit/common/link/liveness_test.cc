#include "common/link/liveness.h"

#include <gtest/gtest.h>

namespace holdfast::link {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kLivenessStart{seconds(1000)};

// Lets time pass to the next deadline.
TimePoint Next(Liveness& liveness) {
  const TimePoint at = *liveness.NextDeadline();
  liveness.OnTick(at);
  return at;
}

TEST(LivenessTest, BeatsWithinTenPercentOfTheIdleInterval) {
  Duration least = seconds(1000);
  Duration most{};
  for (std::uint32_t seed = 1; seed < 500; ++seed) {
    Liveness liveness({}, seed, kLivenessStart);
    const Duration after = Next(liveness) - kLivenessStart;
    EXPECT_TRUE(liveness.TakeBeat());
    EXPECT_FALSE(liveness.TakeBeat());
    least = std::min(least, after);
    most = std::max(most, after);
  }
  EXPECT_GE(least, seconds(54));
  EXPECT_LE(most, seconds(66));
  EXPECT_GT(most - least, seconds(9));  // agents that start together do not beat together
}

TEST(LivenessTest, BeatsWithinTwentyPercentOfTheBusyInterval) {
  for (std::uint32_t seed = 1; seed < 200; ++seed) {
    Liveness liveness({}, seed, kLivenessStart);
    liveness.SetBusy(true, kLivenessStart);
    const Duration after = Next(liveness) - kLivenessStart;
    EXPECT_GE(after, seconds(20));
    EXPECT_LE(after, seconds(30));
  }
}

TEST(LivenessTest, SpeakingPutsTheBeatOff) {
  Liveness liveness({}, 1, kLivenessStart);
  liveness.OnSpoke(kLivenessStart + seconds(50));
  liveness.OnTick(kLivenessStart + seconds(100));
  EXPECT_FALSE(liveness.TakeBeat());
  EXPECT_GE(*liveness.NextDeadline(), kLivenessStart + seconds(104));
}

TEST(LivenessTest, AnUnansweredBeatIsDeathAfterTheAnswerTime) {
  Liveness liveness({}, 1, kLivenessStart);
  const TimePoint beat = Next(liveness);
  EXPECT_TRUE(liveness.TakeBeat());
  liveness.OnSpoke(beat);
  EXPECT_EQ(liveness.NextDeadline(), beat + kBeatAnswer);
  liveness.OnTick(beat + kBeatAnswer - milliseconds(1));
  EXPECT_FALSE(liveness.dead());
  liveness.OnTick(beat + kBeatAnswer);
  EXPECT_TRUE(liveness.dead());
  EXPECT_FALSE(liveness.NextDeadline());
  EXPECT_FALSE(liveness.TakeBeat());
}

TEST(LivenessTest, AnythingHeardIsAnAnswer) {
  Liveness liveness({}, 1, kLivenessStart);
  const TimePoint beat = Next(liveness);
  liveness.OnHeard(beat + seconds(9));
  liveness.OnTick(beat + seconds(11));
  EXPECT_FALSE(liveness.dead());
  EXPECT_GT(*liveness.NextDeadline(), beat + seconds(50));
}

TEST(LivenessTest, ADeadlineNeverLiesInThePast) {
  Liveness liveness({}, 1, kLivenessStart);
  for (TimePoint now = kLivenessStart; now < kLivenessStart + std::chrono::hours(1);
       now += seconds(7)) {
    liveness.OnTick(now);
    if (liveness.TakeBeat()) liveness.OnHeard(now);  // sent, and answered at once
    ASSERT_FALSE(liveness.dead());
    EXPECT_GT(*liveness.NextDeadline(), now);
  }
}

TEST(LivenessTest, BecomingBusyBringsTheBeatForward) {
  Liveness liveness({}, 1, kLivenessStart);
  liveness.SetBusy(true, kLivenessStart + seconds(10));
  EXPECT_LE(*liveness.NextDeadline(), kLivenessStart + seconds(40));
  const auto before = liveness.NextDeadline();
  liveness.SetBusy(true, kLivenessStart + seconds(20));  // no news
  EXPECT_EQ(liveness.NextDeadline(), before);
}

TEST(LivenessTest, TheAnswerTimeBeginsWhenTheBeatLeaves) {
  Liveness liveness({}, 1, kLivenessStart);
  const TimePoint due = Next(liveness);
  EXPECT_TRUE(liveness.TakeBeat());
  EXPECT_FALSE(liveness.awaits_answer());
  const TimePoint left = due + seconds(15);  // a large message was still going out
  liveness.OnTick(left);
  EXPECT_FALSE(liveness.dead());
  liveness.OnSpoke(left);
  EXPECT_TRUE(liveness.awaits_answer());
  EXPECT_EQ(liveness.NextDeadline(), left + kBeatAnswer);
  liveness.OnSpoke(left + seconds(5));  // other words do not prolong it
  liveness.OnTick(left + kBeatAnswer);
  EXPECT_TRUE(liveness.dead());
}

TEST(LivenessTest, WaitsForABeatBehindWhatStillDrains) {
  Liveness liveness({}, 1, kLivenessStart);
  const TimePoint beat = Next(liveness);
  EXPECT_TRUE(liveness.TakeBeat());
  liveness.OnSpoke(beat);
  liveness.OnDraining(beat + seconds(9));
  liveness.OnTick(beat + seconds(18));
  EXPECT_FALSE(liveness.dead());
  liveness.OnTick(beat + seconds(19));
  EXPECT_TRUE(liveness.dead());
  Liveness silent({}, 1, kLivenessStart);
  silent.OnDraining(kLivenessStart);  // nothing is asked
  EXPECT_FALSE(silent.awaits_answer());
}

TEST(LivenessTest, AsksAtOnceAfterAWakeAndWaitsLessForTheAnswer) {
  Liveness liveness({}, 1, kLivenessStart);
  const TimePoint woke = kLivenessStart + seconds(7);
  liveness.OnWake(woke);
  EXPECT_TRUE(liveness.TakeBeat());
  liveness.OnSpoke(woke);
  EXPECT_EQ(liveness.NextDeadline(), woke + kWakeAnswer);
  liveness.OnHeard(woke + seconds(1));
  EXPECT_FALSE(liveness.awaits_answer());
  const TimePoint beat = Next(liveness);
  EXPECT_GE(beat, woke + seconds(54));
  EXPECT_TRUE(liveness.TakeBeat());
  liveness.OnSpoke(beat);
  EXPECT_EQ(liveness.NextDeadline(), beat + kBeatAnswer);  // as ever
}

TEST(LivenessTest, KnowsForHowLongAllWasQuiet) {
  Liveness liveness({}, 1, kLivenessStart);
  EXPECT_EQ(liveness.quiet(kLivenessStart + seconds(3)), seconds(3));
  liveness.OnHeard(kLivenessStart + seconds(4));
  EXPECT_EQ(liveness.quiet(kLivenessStart + seconds(5)), seconds(1));
  liveness.OnSpoke(kLivenessStart + seconds(6));
  EXPECT_EQ(liveness.quiet(kLivenessStart + seconds(6)), seconds(0));
}

TEST(LivenessTest, BeatsOnceWithinTheBusyIntervalAfterItsLastCommand) {
  Liveness liveness({}, 1, kLivenessStart);
  liveness.SetBusy(true, kLivenessStart);
  const TimePoint idle = kLivenessStart + seconds(5);
  liveness.SetBusy(false, idle);
  liveness.OnSpoke(idle);  // the last answer leaves after the command is gone
  const TimePoint first = Next(liveness);
  EXPECT_TRUE(liveness.TakeBeat());  // tells the gateway, which waits for 40 s until then
  EXPECT_LE(first, idle + seconds(30));
  liveness.OnSpoke(first);
  liveness.OnHeard(first);
  EXPECT_GE(Next(liveness), first + seconds(54));
}

}  // namespace
}  // namespace holdfast::link
