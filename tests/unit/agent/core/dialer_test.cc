#include "agent/core/dialer.h"

#include <vector>

#include <gtest/gtest.h>

namespace holdfast::agent {
namespace {

namespace pb = ::holdfast::link::v1;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class DialerTest : public testing::Test {
 protected:
  static constexpr TimePoint kStart{hours(100)};

  Dialer Make(std::size_t servers = 1, std::uint32_t seed = 1) {
    Dialer::Options options;
    options.servers = servers;
    return Dialer(options, seed, now_);
  }
  // Ticks at the dialer's own deadlines until it wants to dial; what that waited, or -1 s for never.
  Duration WaitForDial(Dialer& dialer) {
    const TimePoint from = now_;
    for (int i = 0; i < 10; ++i) {
      dialer.OnTick(now_);
      if (const auto server = dialer.TakeDial()) {
        server_ = *server;
        return now_ - from;
      }
      const auto next = dialer.NextDeadline();
      if (!next) break;
      now_ = std::max(now_, *next);
    }
    return seconds(-1);
  }
  void Up(Dialer& dialer) {
    ASSERT_GE(WaitForDial(dialer), seconds(0));
    dialer.OnOpened(now_);
    dialer.OnWelcomed(seconds(60), seconds(25), now_);
  }

  TimePoint now_ = kStart;
  std::size_t server_ = 99;
};

TEST_F(DialerTest, DialsTheFirstServerAtOnce) {
  Dialer dialer = Make(3);
  EXPECT_EQ(WaitForDial(dialer), seconds(0));
  EXPECT_EQ(server_, 0U);
  EXPECT_FALSE(dialer.TakeDial().has_value());
  EXPECT_FALSE(dialer.NextDeadline().has_value());  // the transport has its own deadline
}

TEST_F(DialerTest, GoesThroughTheListWhileServersFailAndStaysWithOneThatWelcomed) {
  Dialer dialer = Make(3);
  for (const std::size_t expected : {0U, 1U, 2U, 0U, 1U}) {
    ASSERT_GE(WaitForDial(dialer), seconds(0));
    EXPECT_EQ(server_, expected);
    dialer.OnClosed(pb::CLOSE_REASON_CONNECT_FAILED, {}, now_);
  }
  Up(dialer);
  EXPECT_EQ(server_, 2U);
  dialer.OnClosed(pb::CLOSE_REASON_PEER_GONE, {}, now_);
  ASSERT_GE(WaitForDial(dialer), seconds(0));
  EXPECT_EQ(server_, 2U);
}

TEST_F(DialerTest, WaitsRandomlyUpToADoublingBoundAndNeverAboveTheCap) {
  double sum = 0;
  constexpr int kRuns = 200;
  for (std::uint32_t seed = 1; seed <= kRuns; ++seed) {
    Dialer dialer = Make(1, seed * 7919);
    WaitForDial(dialer);
    for (int failure = 0; failure < 12; ++failure) {
      dialer.OnClosed(pb::CLOSE_REASON_CONNECT_FAILED, {}, now_);
      const Duration waited = WaitForDial(dialer);
      EXPECT_LE(waited, std::min<Duration>(seconds(60), seconds(1) * (1 << std::min(failure, 10))));
      if (failure == 11) sum += static_cast<double>(waited.count());
    }
  }
  // Full jitter: the mean of [0, 60 s] is 30 s. A herd that waited the same time would show here.
  EXPECT_NEAR(sum / kRuns / 1000, 30, 5);
}

TEST_F(DialerTest, TriesAtOnceAgainAfterALinkThatStood) {
  Dialer dialer = Make();
  for (int i = 0; i < 8; ++i) {
    WaitForDial(dialer);
    dialer.OnClosed(pb::CLOSE_REASON_CONNECT_FAILED, {}, now_);
  }
  Up(dialer);
  now_ += seconds(61);
  dialer.OnClosed(pb::CLOSE_REASON_PEER_GONE, {}, now_);
  EXPECT_LE(WaitForDial(dialer), seconds(1));
}

TEST_F(DialerTest, DoesNotTakeAShortLinkForAStableOne) {
  Duration longest{};
  Dialer dialer = Make();
  for (int i = 0; i < 30; ++i) {
    Up(dialer);
    now_ += seconds(5);
    dialer.OnClosed(pb::CLOSE_REASON_PEER_GONE, {}, now_);
    const auto due = dialer.NextDeadline();
    ASSERT_TRUE(due.has_value());
    longest = std::max(longest, *due - now_);
  }
  EXPECT_GT(longest, seconds(20));
}

TEST_F(DialerTest, RedialsWithinASecondHoweverOftenAWorkingLinkIsCut) {
  for (const CloseReason reason : {pb::CLOSE_REASON_PEER_GONE, pb::CLOSE_REASON_PEER_SILENT}) {
    Dialer dialer = Make();
    dialer.OnBusy(true, now_);
    for (int i = 0; i < 50; ++i) {
      ASSERT_LE(WaitForDial(dialer), seconds(1));
      dialer.OnOpened(now_);
      dialer.OnWelcomed(seconds(60), seconds(25), now_);
      now_ += seconds(3);
      dialer.OnClosed(reason, {}, now_);
    }
  }
}

TEST_F(DialerTest, WaitsLongerWhenAServerIsAwayWithWorkOpenOrBreaksOffForAReason) {
  const auto longest = [&](bool welcomed, CloseReason reason) {
    Dialer dialer = Make();
    dialer.OnBusy(true, now_);
    Duration most{};
    for (int i = 0; i < 30; ++i) {
      most = std::max(most, WaitForDial(dialer));
      if (welcomed) dialer.OnOpened(now_);
      if (welcomed) dialer.OnWelcomed(seconds(60), seconds(25), now_);
      dialer.OnClosed(reason, {}, now_);
    }
    return most;
  };
  EXPECT_GT(longest(false, pb::CLOSE_REASON_CONNECT_FAILED), seconds(20));
  EXPECT_GT(longest(false, pb::CLOSE_REASON_PEER_GONE), seconds(20));
  EXPECT_GT(longest(true, pb::CLOSE_REASON_BAD_FRAME), seconds(20));  // it will be bad again
}

TEST_F(DialerTest, SpreadsOverHalfAMinuteWhenAServerGoesAwayUnlessWorkIsOpen) {
  double sum = 0;
  constexpr int kRuns = 100;
  for (std::uint32_t seed = 1; seed <= kRuns; ++seed) {
    for (const bool busy : {false, true}) {
      Dialer dialer = Make(1, seed * 7919);
      Up(dialer);
      dialer.OnBusy(busy, now_);
      dialer.OnServerClose(pb::CLOSE_REASON_GOING_AWAY, {});
      dialer.OnClosed(pb::CLOSE_REASON_PEER_GONE, {}, now_);
      const Duration waited = WaitForDial(dialer);
      EXPECT_LE(waited, busy ? seconds(1) : seconds(30));
      if (!busy) sum += static_cast<double>(waited.count());
    }
  }
  EXPECT_NEAR(sum / kRuns / 1000, 15, 3);
}

TEST_F(DialerTest, KeepsItsDrawWhenTheServerClosesBeforeTheGoawaysWindowIsOver) {
  for (std::uint32_t seed = 1; seed <= 50; ++seed) {
    Dialer dialer = Make(1, seed * 7919);
    Up(dialer);
    dialer.OnGoaway(seconds(4), now_);
    dialer.OnServerClose(pb::CLOSE_REASON_GOING_AWAY, {});
    dialer.OnClosed(pb::CLOSE_REASON_PEER_GONE, {}, now_);
    EXPECT_LE(WaitForDial(dialer), seconds(4));
  }
}

TEST_F(DialerTest, BeatsMoreOftenAfterAPathForgotAQuietLink) {
  const auto next_beat = [&](Dialer& dialer) {
    Up(dialer);
    const Duration wait = *dialer.NextDeadline() - now_;
    return wait;
  };
  Dialer dialer = Make();
  EXPECT_GE(next_beat(dialer), seconds(60));
  // A reset for an answer: the NAT had forgotten the flow.
  now_ = *dialer.NextDeadline();
  dialer.OnTick(now_);
  ASSERT_TRUE(dialer.TakeBeat());
  dialer.OnSpoke(now_);
  dialer.OnClosed(pb::CLOSE_REASON_PEER_GONE, {}, now_ + milliseconds(30));
  EXPECT_LE(next_beat(dialer), seconds(50));
  EXPECT_GE(*dialer.NextDeadline() - now_, seconds(40));
  // This one stood until the server left: the next tries the long interval again.
  dialer.OnServerClose(pb::CLOSE_REASON_GOING_AWAY, {});
  dialer.OnClosed(pb::CLOSE_REASON_PEER_GONE, {}, now_);
  EXPECT_GE(next_beat(dialer), seconds(60));
  // A proxy that cuts what was quiet for long; dials that fail in between change nothing.
  dialer.OnClosed(pb::CLOSE_REASON_PEER_GONE, {}, now_ + seconds(50));
  now_ += seconds(50);
  WaitForDial(dialer);
  dialer.OnClosed(pb::CLOSE_REASON_CONNECT_FAILED, {}, now_);
  EXPECT_LE(next_beat(dialer), seconds(50));
  // A server that died: nothing says that quiet was the reason.
  dialer.OnHeard(now_ + seconds(20));
  dialer.OnClosed(pb::CLOSE_REASON_PEER_GONE, {}, now_ + seconds(30));
  EXPECT_GE(next_beat(dialer), seconds(60));
  // Nor is it while work is open.
  dialer.OnBusy(true, now_);
  dialer.OnClosed(pb::CLOSE_REASON_PEER_GONE, {}, now_ + seconds(50));
  dialer.OnBusy(false, now_);
  EXPECT_GE(next_beat(dialer), seconds(60));
}

TEST_F(DialerTest, AsksAtOnceAfterASuspendAndIsBackWithinTenSeconds) {
  Dialer dialer = Make();
  Up(dialer);
  now_ += seconds(5);
  const TimePoint woke = now_;
  dialer.OnWake(now_);
  ASSERT_TRUE(dialer.TakeBeat());
  dialer.OnSpoke(now_);
  EXPECT_TRUE(dialer.awaits_answer());
  now_ = *dialer.NextDeadline();
  dialer.OnTick(now_);
  ASSERT_EQ(dialer.TakeHangUp(), pb::CLOSE_REASON_PEER_SILENT);
  now_ += seconds(3);  // the socket's own close finds nobody
  dialer.OnClosed(pb::CLOSE_REASON_PEER_GONE, {}, now_);
  ASSERT_GE(WaitForDial(dialer), seconds(0));
  EXPECT_LE(now_ - woke, seconds(8));
}

TEST_F(DialerTest, ASuspendEndsAWaitButNotWhatAServerAskedFor) {
  Dialer dialer = Make();
  for (int i = 0; i < 12; ++i) {
    WaitForDial(dialer);
    dialer.OnClosed(pb::CLOSE_REASON_CONNECT_FAILED, {}, now_);
  }
  dialer.OnWake(now_);
  EXPECT_LE(WaitForDial(dialer), seconds(1));
  dialer.OnOpened(now_);
  dialer.OnServerClose(pb::CLOSE_REASON_TRY_LATER, seconds(120));
  dialer.OnClosed(pb::CLOSE_REASON_PEER_GONE, {}, now_);
  dialer.OnWake(now_);
  EXPECT_GE(WaitForDial(dialer), seconds(120));
}

TEST_F(DialerTest, IsPatientWithABeatBehindALargeMessage) {
  Dialer dialer = Make();
  Up(dialer);
  dialer.OnDraining(now_);  // nothing is asked
  now_ = *dialer.NextDeadline();
  dialer.OnTick(now_);
  ASSERT_TRUE(dialer.TakeBeat());
  dialer.OnSpoke(now_);
  for (int i = 0; i < 5; ++i) {
    now_ += seconds(9);
    dialer.OnDraining(now_);
    dialer.OnTick(now_);
    EXPECT_FALSE(dialer.TakeHangUp().has_value());
  }
  now_ += seconds(10);
  dialer.OnTick(now_);
  EXPECT_EQ(dialer.TakeHangUp(), pb::CLOSE_REASON_PEER_SILENT);
}

TEST_F(DialerTest, TriesTheWholeListBeforeItWaitsForABarredWay) {
  Dialer dialer = Make(3);
  WaitForDial(dialer);
  for (const bool round_is_over : {false, false, true, false, false, true}) {
    dialer.OnClosed(pb::CLOSE_REASON_UPGRADE_BLOCKED, {}, now_);
    const Duration waited = WaitForDial(dialer);
    if (round_is_over) {
      EXPECT_GE(waited, seconds(30));
      EXPECT_EQ(server_, 0U);
    }
  }
  Dialer fresh = Make(2);
  WaitForDial(fresh);
  fresh.OnClosed(pb::CLOSE_REASON_UPGRADE_BLOCKED, {}, now_);
  EXPECT_LE(WaitForDial(fresh), seconds(1));
}

TEST_F(DialerTest, GivesUpOnAServerThatDoesNotGreet) {
  Dialer dialer = Make();
  WaitForDial(dialer);
  dialer.OnOpened(now_);
  now_ = *dialer.NextDeadline();
  EXPECT_EQ(now_ - kStart, seconds(20));
  dialer.OnTick(now_);
  EXPECT_EQ(dialer.TakeHangUp(), pb::CLOSE_REASON_HANDSHAKE_TIMEOUT);
  EXPECT_FALSE(dialer.TakeHangUp().has_value());
  EXPECT_EQ(dialer.OnClosed(pb::CLOSE_REASON_PEER_GONE, {}, now_),
            pb::CLOSE_REASON_HANDSHAKE_TIMEOUT);
}

TEST_F(DialerTest, BeatsWhenSilentAndHangsUpOnAPeerThatDoesNotAnswer) {
  Dialer dialer = Make();
  Up(dialer);
  now_ = *dialer.NextDeadline();
  EXPECT_NEAR(static_cast<double>((now_ - kStart).count()), 66666, 6667);
  dialer.OnTick(now_);
  EXPECT_TRUE(dialer.TakeBeat());
  EXPECT_FALSE(dialer.TakeBeat());
  dialer.OnSpoke(now_);
  dialer.OnHeard(now_ + milliseconds(5));
  now_ = *dialer.NextDeadline();
  dialer.OnTick(now_);
  EXPECT_TRUE(dialer.TakeBeat());
  dialer.OnSpoke(now_);
  EXPECT_FALSE(dialer.TakeHangUp().has_value());
  now_ += seconds(10);
  dialer.OnTick(now_);
  EXPECT_EQ(dialer.TakeHangUp(), pb::CLOSE_REASON_PEER_SILENT);
}

TEST_F(DialerTest, BeatsOnlyOncePerIntervalWhileIdle) {
  Dialer dialer = Make();
  Up(dialer);
  int beats = 0;
  const TimePoint end = now_ + hours(1);
  while (now_ < end) {
    dialer.OnTick(now_);
    if (dialer.TakeBeat()) {
      ++beats;
      dialer.OnSpoke(now_);
      dialer.OnHeard(now_);
    }
    now_ = *dialer.NextDeadline();
  }
  EXPECT_LE(beats, 60);  // never two in a minute
  EXPECT_GE(beats, 48);
}

TEST_F(DialerTest, RemembersThatItIsBusyAcrossLinks) {
  Dialer dialer = Make();
  dialer.OnBusy(true, now_);
  Up(dialer);
  EXPECT_NEAR(static_cast<double>((*dialer.NextDeadline() - now_).count()), 25000, 5000);
}

TEST_F(DialerTest, KnowsWhetherAnythingIsOpen) {
  Dialer dialer = Make();
  EXPECT_TRUE(dialer.is_idle());
  dialer.OnBusy(true, now_);
  EXPECT_FALSE(dialer.is_idle());
  dialer.OnBusy(false, now_);
  EXPECT_TRUE(dialer.is_idle());
}

TEST_F(DialerTest, KeepsTheServersBeatIntervalsWithinItsOwnBounds) {
  for (const Duration asked : {Duration(0), Duration(hours(1000))}) {
    Dialer dialer = Make();
    WaitForDial(dialer);
    dialer.OnOpened(now_);
    dialer.OnWelcomed(asked, asked, now_);
    const Duration wait = *dialer.NextDeadline() - now_;
    EXPECT_GE(wait, milliseconds(900));
    EXPECT_LE(wait, seconds(294));
  }
}

TEST_F(DialerTest, LeavesAtARandomMomentOfAGoawaysWindowAndRedialsAtOnce) {
  double sum = 0;
  constexpr int kRuns = 100;
  for (std::uint32_t seed = 1; seed <= kRuns; ++seed) {
    now_ = kStart;
    Dialer dialer = Make(1, seed * 104729);
    Up(dialer);
    now_ += seconds(10);
    const TimePoint told = now_;
    dialer.OnGoaway(seconds(30), now_);
    dialer.OnGoaway(seconds(30), now_);  // said twice: no second draw
    now_ = *dialer.NextDeadline();
    EXPECT_LE(now_ - told, seconds(30));
    sum += static_cast<double>((now_ - told).count());
    dialer.OnTick(now_);
    ASSERT_EQ(dialer.TakeHangUp(), pb::CLOSE_REASON_GOING_AWAY);
    EXPECT_EQ(dialer.OnClosed(pb::CLOSE_REASON_PEER_GONE, {}, now_), pb::CLOSE_REASON_GOING_AWAY);
    EXPECT_EQ(WaitForDial(dialer), seconds(0));
  }
  EXPECT_NEAR(sum / kRuns / 1000, 15, 3);
}

// Before its Welcome or right after it, with a Close or without: not a dial after a dial for ever.
TEST_F(DialerTest, WaitsLongerWhenAServerSendsEachLinkAwayAtOnce) {
  for (const bool is_welcomed : {false, true}) {
    for (const bool closes : {false, true}) {
      now_ = kStart;
      Dialer dialer = Make();
      Duration longest{};
      for (int i = 0; i < 30; ++i) {
        longest = std::max(longest, WaitForDial(dialer));
        dialer.OnOpened(now_);
        if (is_welcomed) dialer.OnWelcomed(seconds(60), seconds(25), now_);
        dialer.OnGoaway(seconds(0), now_);
        if (closes) {
          dialer.OnServerClose(pb::CLOSE_REASON_GOING_AWAY, {});
        } else {
          dialer.OnTick(now_);
          ASSERT_EQ(dialer.TakeHangUp(), pb::CLOSE_REASON_GOING_AWAY);
        }
        dialer.OnClosed(pb::CLOSE_REASON_PEER_GONE, {}, now_);
      }
      EXPECT_GT(longest, seconds(20)) << is_welcomed << closes;
    }
  }
}

TEST_F(DialerTest, ComesBackNotBeforeTheDelayItWasGiven) {
  Dialer dialer = Make();
  WaitForDial(dialer);
  dialer.OnOpened(now_);
  dialer.OnServerClose(pb::CLOSE_REASON_TRY_LATER, seconds(120));
  EXPECT_EQ(dialer.OnClosed(pb::CLOSE_REASON_PEER_GONE, {}, now_), pb::CLOSE_REASON_TRY_LATER);
  const Duration waited = WaitForDial(dialer);
  EXPECT_GE(waited, seconds(120));
  EXPECT_LE(waited, seconds(121));
}

TEST_F(DialerTest, IsNotKeptAwayForEverByAHostileServer) {
  Dialer dialer = Make();
  Up(dialer);
  dialer.OnGoaway(hours(100000), now_);
  dialer.OnServerClose(pb::CLOSE_REASON_TRY_LATER, hours(100000));
  dialer.OnClosed(pb::CLOSE_REASON_PEER_GONE, {}, now_);
  EXPECT_LE(WaitForDial(dialer), hours(1) + minutes(1));
}

TEST_F(DialerTest, LeavesTwinsAndRefusalsMoreRoomThanFailures) {
  for (const auto& [reason, least] : std::vector<std::pair<CloseReason, Duration>>{
           {pb::CLOSE_REASON_SUPERSEDED, seconds(10)},
           {pb::CLOSE_REASON_CLONE, seconds(30)},
           {pb::CLOSE_REASON_NOT_ENROLLED, seconds(30)},
           {pb::CLOSE_REASON_REVOKED, seconds(30)},
           {pb::CLOSE_REASON_SERVER_UNTRUSTED, seconds(30)},
           {pb::CLOSE_REASON_UPGRADE_BLOCKED, seconds(30)}}) {
    Dialer dialer = Make();
    Up(dialer);
    dialer.OnServerClose(reason, {});
    dialer.OnClosed(pb::CLOSE_REASON_PEER_GONE, {}, now_);
    EXPECT_GE(WaitForDial(dialer), least);
  }
}

TEST_F(DialerTest, HangsUpWhenToldAndKeepsTheFirstReason) {
  Dialer dialer = Make();
  Up(dialer);
  dialer.OnHangUp(pb::CLOSE_REASON_UNEXPECTED_FRAME);
  dialer.OnHangUp(pb::CLOSE_REASON_BAD_FRAME);
  EXPECT_EQ(dialer.TakeHangUp(), pb::CLOSE_REASON_UNEXPECTED_FRAME);
  EXPECT_FALSE(dialer.NextDeadline().has_value());
  EXPECT_EQ(dialer.OnClosed(pb::CLOSE_REASON_PEER_GONE, {}, now_),
            pb::CLOSE_REASON_UNEXPECTED_FRAME);
}

}  // namespace
}  // namespace holdfast::agent
