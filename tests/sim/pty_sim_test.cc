// Both ends of a terminal and a hostile way between them: what arrives is what was typed, in order, once, or it is over.
#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "tests/support/pty_pair.h"

namespace holdfast::testing {
namespace {

using Over = agent::PtySession::Over;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(PtySimTest, KeysArriveOnceAndInOrderWhateverTheWayDoes) {
  int lost = 0;
  int doubled = 0;
  int held = 0;
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    std::mt19937 random(seed);
    PtyPair pair;
    pair.Open();
    std::string typed;
    std::string arrived;
    std::vector<PtyPair::Typed> way;
    for (int turn = 0; turn < 20'000 && (turn < 200 || arrived != typed); ++turn) {
      if (turn < 200) {
        const std::string keys(1 + random() % 5, static_cast<char>('a' + random() % 26));
        typed += keys;
        pair.client->Type(keys);
      }
      if (random() % 40 == 0) pair.client->OnConnected();  // the connection was lost
      for (auto& one : pair.Up()) {
        if (random() % 4 == 0) {
          ++lost;
          continue;
        }
        if (random() % 4 == 0) {
          ++doubled;
          way.push_back(one);
        }
        way.push_back(std::move(one));
      }
      std::shuffle(way.begin(), way.end(), random);
      const std::size_t now = way.empty() ? 0 : random() % (way.size() + 1);
      held += static_cast<int>(way.size() - now);
      for (std::size_t i = 0; i < now; ++i) pair.Take(way[i]);
      if (random() % 2 == 0) way.erase(way.begin(), way.begin() + static_cast<std::ptrdiff_t>(now));
      arrived += pair.Keys();
      ASSERT_TRUE(typed.starts_with(arrived)) << seed;
      if (random() % 3 == 0) pair.session->OnTerminal("echo", static_cast<std::uint64_t>(turn));
      if (random() % 3 == 0) pair.Down();
      pair.Advance(milliseconds(random() % 300));
    }
    pair.Down();
    ASSERT_EQ(arrived, typed) << seed;
    ASSERT_FALSE(pair.session->over()) << seed;
    pair.session->Close();
    pair.client->Close();
    EXPECT_EQ(pair.session->cast_sha256(), pair.client->cast_sha256()) << seed;
    EXPECT_EQ(pair.session->cast_bytes(), pair.client->cast_bytes()) << seed;
  }
  std::printf("lost %d, doubled %d, held back %d\n", lost, doubled, held);
  EXPECT_GT(std::min({lost, doubled, held}), 1000);  // the way did what it was there for
}

TEST(PtySimTest, InputThatNobodyTypedEndsItAndTypesNothing) {
  for (int way = 0; way < 4; ++way) {
    PtyPair pair;
    pair.Open();
    pair.client->Type("a");
    const auto first = pair.Up();
    pair.Take(first.at(0));
    pair.client->Type("b");
    auto next = pair.Up().at(0);
    if (way == 0) next.sealed[3] ^= 1;
    if (way == 1) next.sealed = first.at(0).sealed;  // an old one under the next number
    if (way == 2) next.sealed = std::string(40, 'x');
    if (way == 3) next.sealed.pop_back();
    pair.Take(next);
    EXPECT_EQ(pair.session->over(), Over::kForged) << way;
    EXPECT_EQ(pair.Keys(), "a") << way;
    pair.client->Type("c");
    for (const auto& typed : pair.Up()) pair.Take(typed);
    EXPECT_EQ(pair.Keys(), "") << way;
  }
}

TEST(PtySimTest, OutputInOneDirectionIsNoInputInTheOther) {
  PtyPair pair;
  pair.Open();
  pair.session->OnTerminal("k", 0);
  pair.session->TakeCast();
  std::string frame = pair.session->NextFrame().value();
  pair.Take({0, frame.substr(5)});
  EXPECT_EQ(pair.session->over(), Over::kForged);
}

TEST(PtySimTest, ReplayedAndEarlyInputIsDropped) {
  PtyPair pair;
  pair.Open();
  pair.client->Type("a");
  const auto first = pair.Up();
  pair.client->Type("b");
  const auto second = pair.Up();
  pair.Take(second.at(0));  // before its turn
  EXPECT_EQ(pair.Keys(), "");
  for (int i = 0; i < 3; ++i) pair.Take(first.at(0));
  EXPECT_EQ(pair.Keys(), "a");
  pair.Take(second.at(0));
  pair.Take(first.at(0));
  EXPECT_EQ(pair.Keys(), "b");
  EXPECT_FALSE(pair.session->over());
}

TEST(PtySimTest, TheToolBelievesNoOtherKeyThanTheAgents) {
  PtyPair pair;
  const auto stranger = pair.crypto->GenerateKey().value();
  pty::SessionNames other = pair.names;
  other.command = pair.crypto->Sha256("another command");
  std::string flipped = pair.KeyFrame();
  flipped[flipped.size() - 3] ^= 1;
  for (const std::string& frame :
       {pair.KeyFrame(*stranger, pair.names), pair.KeyFrame(*pair.identity, other), flipped}) {
    PtyPair fresh;
    sdk::PtyClient client(*pair.crypto, *pair.sealing, pair.sealing->NewKey().value(),
                          {pair.names.command, pair.names.agent, PtyPair::kSize, "xterm"},
                          pair.now);
    EXPECT_FALSE(client.OnOutput(frame, pair.now).ok());
    EXPECT_FALSE(client.is_open());
    client.Type("a secret");
    EXPECT_FALSE(client.NextInput(pair.now));  // nothing is said before
  }
  EXPECT_TRUE(pair.client->OnOutput(pair.KeyFrame(), pair.now).ok());
  EXPECT_FALSE(pair.client->OnOutput(pair.KeyFrame(), pair.now).ok());  // a second one
}

TEST(PtySimTest, TheToolShowsNothingThatTheAgentDidNotSeal) {
  for (int way = 0; way < 3; ++way) {
    PtyPair pair;
    pair.Open();
    pair.session->OnTerminal("first", 1);
    pair.session->OnTerminal("second", 2);
    std::string first = pair.session->NextFrame().value();
    std::string second = pair.session->NextFrame().value();
    if (way == 0) first[first.size() - 1] ^= 1;
    if (way == 1) std::swap(first, second);
    if (way == 2) second = first;  // again
    const bool is_first_good = pair.client->OnOutput(first, pair.now).ok();
    EXPECT_EQ(is_first_good, way == 2);
    EXPECT_FALSE(pair.client->OnOutput(second, pair.now).ok() && is_first_good);
  }
}

TEST(PtySimTest, IdleCountsKeysAndSilenceCountsTheTool) {
  PtyPair pair;
  pair.Open();
  for (int i = 0; i < 85; ++i) {  // 14 minutes and 10 seconds of presence without a key
    pair.Advance(seconds(10));
    for (const auto& typed : pair.Up()) pair.Take(typed);
  }
  pair.Down();
  EXPECT_NE(pair.notices.find("this terminal ends in"), std::string::npos);
  EXPECT_FALSE(pair.session->over());
  pair.client->Type("x");
  for (const auto& typed : pair.Up()) pair.Take(typed);
  for (int i = 0; i < 89; ++i) {
    pair.Advance(seconds(10));
    for (const auto& typed : pair.Up()) pair.Take(typed);
  }
  EXPECT_FALSE(pair.session->over());
  pair.Advance(seconds(10));
  EXPECT_EQ(pair.session->over(), Over::kIdle);

  PtyPair alone;
  alone.Open();
  alone.Advance(seconds(59));
  EXPECT_FALSE(alone.session->over());
  alone.Advance(seconds(1));
  EXPECT_EQ(alone.session->over(), Over::kGone);
}

TEST(PtySimTest, EndsAtItsWallLimitAndWhenTheRecordingIsFull) {
  auto options = PtyPair::Wide();
  options.wall = seconds(40);
  PtyPair pair(options);
  pair.Open();
  pair.Advance(seconds(30));
  pair.Down();
  EXPECT_NE(pair.notices.find("its time is up"), std::string::npos);
  pair.Advance(seconds(10));
  EXPECT_EQ(pair.session->over(), Over::kWall);

  options = PtyPair::Wide();
  options.max_cast_bytes = 1000;
  PtyPair full(options);
  full.Open();
  for (int i = 0; i < 10; ++i) full.session->OnTerminal(std::string(100, 'x'), 0);
  EXPECT_EQ(full.session->over(), Over::kCastFull);
}

TEST(PtySimTest, WaitsForTheOperatorsEyesBeforeItReadsOn) {
  PtyPair pair;
  pair.Open();
  int pieces = 0;
  while (pair.session->wants_terminal() && pieces < 100) {
    pair.session->OnTerminal(std::string(pty::kMaxOutputBytes, 'x'), 0);
    ++pieces;
  }
  EXPECT_EQ(pieces, 4);
  pair.Down();
  for (const auto& typed : pair.Up()) pair.Take(typed);
  EXPECT_TRUE(pair.session->wants_terminal());
}

TEST(PtySimTest, KeepsKeysThatTheTerminalDoesNotTakeWithinBounds) {
  PtyPair pair;
  pair.Open();
  while (pair.client->wants_keys()) pair.client->Type(std::string(1000, 'k'));
  EXPECT_LE(pair.client->is_open() ? 66000U : 0U, 66000U);
  for (const auto& typed : pair.Up()) {
    if (!pair.session->wants_input()) break;
    pair.Take(typed);
  }
  EXPECT_FALSE(pair.session->wants_input());
  pair.Advance(minutes(5));  // it is the program that does not read: the tool is not gone
  EXPECT_FALSE(pair.session->over());
  pair.Keys();
  EXPECT_TRUE(pair.session->wants_input());
}

TEST(PtySimTest, AHangUpIsTheOperatorsWord) {
  PtyPair pair;
  pair.Open();
  pair.client->Resize({100, 30});
  pair.client->HangUp();
  for (const auto& typed : pair.Up()) pair.Take(typed);
  EXPECT_EQ(pair.session->over(), Over::kHungUp);
  EXPECT_EQ(pair.session->NextSize(), (pty::Size{100, 30}));
}

}  // namespace
}  // namespace holdfast::testing
