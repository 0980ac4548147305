#include "backend/adapters/hiredis/redis_streams.h"

#include <chrono>
#include <filesystem>
#include <string>

#include <ev.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/conformance/backend/redis_world.h"

namespace holdfast::testing {
namespace {

using backend::RedisStreams;

INSTANTIATE_TEST_SUITE_P(Real, StreamTransportSuite, ::testing::Values(StreamWorldMaker([] {
                           return std::make_unique<RealWorld>();
                         })),
                         [](const auto&) { return "OverRedis"; });

TEST(RedisStreamsTest, ReadsAStreamThatWasMadeAnewWithLowerIds) {
  RealWorld world;
  RecordingDelegate events;
  const auto reader = world.Make("own", events);
  const auto turn_until = [&](std::size_t count) {
    for (int i = 0; i < 2000 && events.messages.size() < count; ++i) world.Turn();
    return events.messages.size() >= count;
  };
  world.Command("XADD own 9000000000000-0 m first");
  ASSERT_TRUE(turn_until(1));
  world.Flush();
  world.Command("XADD own 5-0 m second");
  ASSERT_TRUE(turn_until(2));
  EXPECT_EQ(events.messages[1], "second");
}

TEST(RedisStreamsTest, AStreamThatNobodyAddsToIsGoneAfterItsLife) {
  RealWorld world;
  RecordingDelegate events;
  const auto streams = world.MakeAs({}, "own", events, 1);
  for (int i = 0; i < 2000 && events.restored == 0; ++i) world.Turn();
  ASSERT_EQ(events.restored, 1);
  // Of its life of a second it lives two and more, while somebody adds to it now and then.
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(2500);
  for (int sent = 0; std::chrono::steady_clock::now() < until; world.Turn()) {
    if (++sent % 40 == 0) {
      ASSERT_TRUE(streams->Add("of the dead", "unread").ok());
    }
    if (sent > 100) {
      ASSERT_TRUE(world.Exists("of the dead"));
    }
  }
  for (int i = 0; i < 1000 && world.Exists("of the dead"); ++i) world.Turn();
  EXPECT_FALSE(world.Exists("of the dead"));
  EXPECT_EQ(events.lost, 0);
}

TEST(RedisStreamsTest, GoesOnWhereItMayNotSayHowLongAStreamLives) {
  RealWorld world;
  world.Command("ACL SETUSER u reset on >good +ping (+xread +xrevrange %%R~own) (+xadd %%W~other)");
  RecordingDelegate events;
  const auto streams = world.MakeAs({"u", "good"}, "own", events);
  for (int i = 0; i < 2000 && events.restored == 0; ++i) world.Turn();
  for (int i = 0; i < 2000 && (i < 50 || events.denied.empty()); ++i) {
    ASSERT_TRUE(streams->Add("other", "m").ok());
    world.Turn();
  }
  EXPECT_EQ(events.denied.size(), 1U);
  EXPECT_EQ(events.lost, 0);
}

TEST(RedisStreamsTest, LogsInAndSaysOnceWhatRedisDoesNotLetItDo) {
  RealWorld world;
  world.Command(
      "ACL SETUSER u reset on >good +ping (+xread +xrevrange %%R~own) "
      "(+xadd +expire %%W~other)");
  RecordingDelegate events;
  const auto streams = world.MakeAs({"u", "good"}, "own", events);
  const auto until = [&](const auto& done) {
    for (int i = 0; i < 2000 && !done(); ++i) world.Turn();
    return done();
  };
  ASSERT_TRUE(until([&] { return events.restored == 1; }));
  ASSERT_TRUE(streams->Add("other", "m").ok());
  world.Command("XADD own * m hello");
  ASSERT_TRUE(until([&] { return events.messages.size() == 1; }));
  EXPECT_TRUE(events.denied.empty());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(until([&] { return streams->Add("third", "m").ok(); }));  // refuses for a moment
    ASSERT_TRUE(until([&] { return !events.denied.empty(); }));
  }
  ASSERT_EQ(events.denied.size(), 1U);
  EXPECT_NE(events.denied[0].find("NOPERM"), std::string::npos) << events.denied[0];
  EXPECT_EQ(events.lost, 0);
}

TEST(RedisStreamsTest, SaysOnceThatItIsNotLetInAndComesBackWhenItIs) {
  RealWorld world;
  world.Command("ACL SETUSER u reset on >other +ping (+xread +xrevrange %%R~own)");
  RecordingDelegate events;
  const auto streams = world.MakeAs({"u", "good"}, "own", events);
  for (int i = 0; i < 200; ++i) world.Turn();  // and is told once
  ASSERT_EQ(events.denied.size(), 1U);
  EXPECT_NE(events.denied[0].find("WRONGPASS"), std::string::npos) << events.denied[0];
  EXPECT_EQ(events.denied[0].find("good"), std::string::npos);
  EXPECT_EQ(events.lost, 1);
  EXPECT_EQ(events.restored, 0);
  world.Command("ACL SETUSER u >good");
  for (int i = 0; i < 2000 && events.restored == 0; ++i) world.Turn();
  EXPECT_EQ(events.restored, 1);
  EXPECT_EQ(events.denied.size(), 1U);
}

TEST(RedisStreamsTest, KeepsARedisThatIsOnlyIdle) {
  RealWorld world;
  RecordingDelegate events;
  const auto reader = world.Make("own", events);
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(5500);
  while (std::chrono::steady_clock::now() < end) world.Turn();
  EXPECT_EQ(events.restored, 1);
  EXPECT_EQ(events.lost, 0);
}

// A server that answers everything with one text of its own, or with more of it than anybody wants.
class HostileServer {
 public:
  // `endless`: follows the answer, for as long as somebody takes it.
  explicit HostileServer(std::string answer, std::string endless = "")
      : answer_(std::move(answer)), endless_(std::move(endless)) {
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    path().copy(at.sun_path, sizeof at.sun_path - 1);
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    EXPECT_EQ(::listen(listener_, 16), 0);
  }
  ~HostileServer() {
    for (const int fd : clients_) ::close(fd);
    ::close(listener_);
    std::filesystem::remove_all(directory_);
  }
  std::string path() const { return directory_ + "/redis.sock"; }
  // Says +PONG to the probe, and the hostile answer to everything else.
  void Serve() {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      clients_.push_back(fd);
      ++accepted;
    }
    for (const int client : clients_) {
      char buffer[4096];
      const ssize_t got = ::recv(client, buffer, sizeof buffer, 0);
      if (got > 0) {
        const std::string_view said(buffer, static_cast<std::size_t>(got));
        const bool is_probe = said.find("PING") != said.npos && !answers_probes;
        Say(client, is_probe ? std::string_view("+PONG\r\n") : answer_);
        if (!is_probe && !endless_.empty()) flooded_ = client;
      }
      if (client == flooded_) Flood();
    }
  }
  int accepted = 0;
  bool answers_probes = false;  // with the hostile answer, too
  std::size_t flood_bytes = 0;  // that were taken

 private:
  static ssize_t Say(int client, std::string_view text) {
    return ::send(client, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  void Flood() {
    for (;;) {
      const auto at = flood_bytes % endless_.size();
      const ssize_t sent = Say(flooded_, std::string_view(endless_).substr(at));
      if (sent <= 0) return;
      flood_bytes += static_cast<std::size_t>(sent);
    }
  }
  const std::string directory_ = NewDirectory();
  const std::string answer_;
  const std::string endless_;
  int flooded_ = -1;
  int listener_ = -1;
  std::vector<int> clients_;
};

class HostileRedisTest : public ::testing::TestWithParam<std::string> {};

// Two connections, twice.
bool IsDialledTwice(HostileServer& server, RecordingDelegate& events) {
  struct ev_loop* const loop = ev_loop_new(EVFLAG_AUTO);
  {
    RedisStreams streams(loop, {"unix://" + server.path(), "own", nullptr, {}}, events);
    for (int i = 0; i < 8000 && server.accepted < 4; ++i) {
      server.Serve();
      TurnLoop(loop);
    }
  }
  ev_loop_destroy(loop);
  return server.accepted >= 4;
}

TEST_P(HostileRedisTest, IsLeftAndDialledAgain) {
  HostileServer server(GetParam());
  RecordingDelegate events;
  EXPECT_TRUE(IsDialledTwice(server, events));
  EXPECT_GE(events.lost, 1);
  EXPECT_TRUE(events.messages.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Answers, HostileRedisTest,
    ::testing::Values("*2147483647\r\n", "*1000000\r\n", "$99999999999999999999\r\n",
                      "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
                      "+OK\r\n", ":1\r\n", "*0\r\n", "*1\r\n*0\r\n",
                      "*1\r\n*2\r\n$1\r\na\r\n:1\r\n",
                      "*1\r\n*2\r\n$1\r\na\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*1\r\n$1\r\nm\r\n",
                      "nonsense\r\n"));

// hiredis would abort the process.
TEST(UnaskedRedisTest, IsLeftWhenItAnswersMoreThanItWasAsked) {
  HostileServer server("+PONG\r\n+PONG\r\n");
  server.answers_probes = true;
  RecordingDelegate events;
  EXPECT_TRUE(IsDialledTwice(server, events));
}

struct Flood {
  std::string answer;
  std::string endless;
};
std::string Many(std::size_t count, std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += text;
  return out;
}

class FloodingRedisTest : public ::testing::TestWithParam<Flood> {};

TEST_P(FloodingRedisTest, IsLeftBeforeItHasFilledTheMemory) {
  HostileServer server(GetParam().answer, GetParam().endless);
  RecordingDelegate events;
  EXPECT_TRUE(IsDialledTwice(server, events));
  // The socket's buffers took some, too.
  EXPECT_LE(server.flood_bytes, 2 * (backend::kMaxReadBytes + (std::size_t{1} << 20)));
}

INSTANTIATE_TEST_SUITE_P(
    Answers, FloodingRedisTest,
    ::testing::Values(Flood{"+no end of ", "words "}, Flood{"$2147483647\r\n", Many(4096, "x")},
                      Flood{"*1000\r\n", "$50000\r\n" + Many(50'000, "x") + "\r\n"},
                      Flood{"*1000\r\n", "*1000\r\n" + Many(1000, ":1\r\n")}),
    [](const auto& flood) { return "Flood" + std::to_string(flood.index); });

}  // namespace
}  // namespace holdfast::testing
