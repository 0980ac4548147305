// RedisStreams on a cluster: on one of three real masters, and on nodes that say what they like.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ev.h>
#include <sys/socket.h>

#include "backend/adapters/hiredis/redis_finder.h"
#include "backend/adapters/hiredis/redis_streams.h"
#include "tests/conformance/backend/redis_world.h"

namespace holdfast::testing {
namespace {

using backend::kClusterTag;
using backend::SlotOf;

INSTANTIATE_TEST_SUITE_P(Cluster, StreamTransportSuite, ::testing::Values(StreamWorldMaker([] {
                           return std::make_unique<RealWorld>(RealWorld::Kind::kCluster);
                         })),
                         [](const auto&) { return "OverACluster"; });

// Two ends of the streams at three masters, and the slot that they lie in.
class RedisClusterTest : public ::testing::Test {
 protected:
  static constexpr std::string_view kReader = "hf:{c.h.c0.1}:in";

  void SetUp() override {
    sender_ = world_.Make("hf:{g.h.g0.1}:in", sender_events_);
    reader_ = world_.Make(std::string(kReader), events_);
    ASSERT_TRUE(world_.Until([&] { return sender_->connected() && reader_->connected(); }));
  }
  bool Received(std::size_t count) {
    return world_.Until([&] { return events_.messages.size() >= count; });
  }
  bool Come(int restored) {
    return world_.Until(
        [&] { return events_.restored >= restored && sender_events_.restored >= restored; });
  }
  void SetSlot(std::size_t at, const std::string& what) {
    world_.CommandAt(
        at, ("CLUSTER SETSLOT " + std::to_string(SlotOf(kClusterTag)) + " " + what).c_str());
  }
  void BeginMove(std::size_t from, std::size_t to) {
    SetSlot(to, "IMPORTING " + world_.id(from));
    SetSlot(from, "MIGRATING " + world_.id(to));
  }
  void MoveStream(std::size_t from, std::size_t to, std::string_view stream) {
    world_.CommandAt(from, ("MIGRATE 127.0.0.1 " + std::to_string(world_.port(to)) + " " +
                            world_.KeyOf(std::string(stream)) + " 0 5000")
                               .c_str());
  }
  void EndMove(std::size_t to) {
    SetSlot(to, "NODE " + world_.id(to));
    for (std::size_t i = 0; i < RealWorld::kMasters; ++i) {
      if (i != to) SetSlot(i, "NODE " + world_.id(to));
    }
  }

  RealWorld world_{RealWorld::Kind::kCluster};
  RecordingDelegate sender_events_;
  RecordingDelegate events_;
  std::unique_ptr<backend::StreamTransport> sender_;
  std::unique_ptr<backend::StreamTransport> reader_;
};

TEST_F(RedisClusterTest, RedisPutsEveryKeyWhereWeExpectIt) {
  const std::string tag(kClusterTag);
  for (const std::string& key :
       {std::string("123456789"), std::string("a"), tag, tag + "hf:{g.h.g0.1}:in",
        tag + "hf:{c.h.c0.2}:in", tag + "hf:probe", std::string("hf:{g.h.g0.1}:in"),
        std::string("{}{hf}"), std::string("{hf"), std::string("}{hf}"), std::string("{{hf}}"),
        std::string("x{hf}{y}"), std::string("\xff\x80{\xfe}\x01")}) {
    EXPECT_EQ(std::to_string(SlotOf(key)), world_.Ask(1, ("CLUSTER KEYSLOT " + key).c_str()))
        << key;
  }
}

TEST_F(RedisClusterTest, StreamsAreFollowedToAnotherMasterAndBack) {
  ASSERT_TRUE(sender_->Add(kReader, "before").ok());
  ASSERT_TRUE(Received(1));
  std::size_t at = 0;
  int restored = 1;
  for (const std::size_t to : {std::size_t{2}, std::size_t{0}}) {
    BeginMove(at, to);
    MoveStream(at, to, kReader);
    EndMove(to);
    // The reader hears it by itself, and whoever only adds when it adds.
    ++restored;
    ASSERT_TRUE(world_.Until([&] {
      static_cast<void>(sender_->Add(kReader, "meanwhile"));
      return events_.restored >= restored && sender_events_.restored >= restored;
    }));
    const std::string mark = "after " + std::to_string(to);
    ASSERT_TRUE(world_.Until([&] { return sender_->Add(kReader, mark).ok(); }));
    ASSERT_TRUE(world_.Until([&] { return events_.messages.back() == mark; }));
    at = to;
  }
  // What lay in the stream went with it, and is read from its start.
  EXPECT_GE(std::ranges::count(events_.messages, "before"), 2);
  EXPECT_EQ(events_.lost, 2);
  EXPECT_EQ(sender_events_.lost, 2);
}

TEST_F(RedisClusterTest, WhileASlotIsOnItsWayNewStreamsAreRefusedAndAnOldOneIsReadUntilItLeaves) {
  ASSERT_TRUE(sender_->Add(kReader, "before").ok());
  ASSERT_TRUE(Received(1));
  BeginMove(0, 1);
  // A stream that is not there yet would have to be made where the slot goes.
  ASSERT_TRUE(world_.Until([&] { return !sender_->Add("hf:{g.h.new.1}:in", "x").ok(); }));
  ASSERT_TRUE(world_.Until([&] { return sender_->Add(kReader, "old").ok(); }));
  ASSERT_TRUE(Received(2));
  EXPECT_EQ(events_.lost, 0);
  EXPECT_EQ(sender_events_.lost, 0);

  MoveStream(0, 1, kReader);
  ASSERT_TRUE(world_.Until([&] { return events_.lost == 1; }));
  EXPECT_FALSE(reader_->connected());
  for (int i = 0; i < 300; ++i) world_.Turn();  // as often as it looks, it is not back
  EXPECT_EQ(events_.lost, 1);
  EXPECT_EQ(events_.restored, 1);

  EndMove(1);
  ASSERT_TRUE(world_.Until([&] { return events_.restored == 2; }));
  ASSERT_TRUE(Received(4));
  EXPECT_EQ(events_.messages, (std::vector<std::string>{"before", "old", "before", "old"}));
}

TEST_F(RedisClusterTest, WhatAClusterDeniesIsNamedAsAtOneRedis) {
  for (std::size_t i = 0; i < RealWorld::kMasters; ++i) {
    world_.CommandAt(i, "ACL SETUSER u reset on >good +ping +role (+xread +xrevrange %%R~{hf}own)");
  }
  const auto is_denied = [&](const std::string& password, std::string_view word) {
    RecordingDelegate events;
    const auto streams = world_.MakeAs({"u", password}, "own", events);
    if (!world_.Until([&] { return !events.denied.empty(); })) return false;
    for (int i = 0; i < 100; ++i) world_.Turn();  // it is said once
    EXPECT_EQ(events.denied.size(), 1U);
    EXPECT_EQ(events.lost, 1);
    return events.denied[0].find(word) != std::string::npos;
  };
  EXPECT_TRUE(is_denied("wrong", "WRONGPASS"));
  EXPECT_TRUE(is_denied("good", "NOPERM"));  // to ask where the slot is
}

// A node that says of everything what it is told to.
class FakeNode {
 public:
  struct Answers {
    std::string map;               // to CLUSTER SLOTS; @PORT@: its own port
    std::string probe = "*0\r\n";  // to XREVRANGE
    std::string read = "*-1\r\n";  // to XREAD
    std::string role = "*1\r\n$6\r\nmaster\r\n";
  };
  explicit FakeNode(Answers answers) : answers_(std::move(answers)) {
    listener_ = BindFreePort(&port_);
    EXPECT_EQ(::listen(listener_.get(), 16), 0);
    const std::string_view self = "@PORT@";
    for (auto at = answers_.map.find(self); at != std::string::npos; at = answers_.map.find(self)) {
      answers_.map.replace(at, self.size(), std::to_string(port_));
    }
  }
  std::string url() const { return "cluster://127.0.0.1:" + std::to_string(port_); }
  int port() const { return port_; }
  void Serve() {
    const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      clients_.push_back({backend::UniqueFd(fd), ""});
      ++accepted;
    }
    for (Client& client : clients_) {
      char buffer[4096];
      const ssize_t got = ::recv(client.fd.get(), buffer, sizeof buffer, 0);
      if (got > 0) Answer(client, std::string_view(buffer, static_cast<std::size_t>(got)));
      const ssize_t sent =
          ::send(client.fd.get(), client.unsent.data(), client.unsent.size(), MSG_NOSIGNAL);
      if (sent > 0) client.unsent.erase(0, static_cast<std::size_t>(sent));
    }
  }
  int accepted = 0;  // connections
  int asked = 0;     // for the map

 private:
  struct Client {
    backend::UniqueFd fd;
    std::string unsent;
  };
  // Commands that came together are answered in their order.
  void Answer(Client& client, std::string_view said) {
    while (!said.empty()) {
      const std::array<std::pair<std::string_view, const std::string*>, 4> known{
          {{"\r\nSLOTS\r\n", &answers_.map},
           {"\r\nROLE\r\n", &answers_.role},
           {"\r\nXREVRANGE\r\n", &answers_.probe},
           {"\r\nXREAD\r\n", &answers_.read}}};
      const auto* first = std::ranges::min_element(
          known, {}, [&](const auto& command) { return said.find(command.first); });
      const std::size_t at = said.find(first->first);
      if (at == said.npos) return;
      if (first->second == &answers_.map) ++asked;
      said.remove_prefix(at + first->first.size());
      client.unsent += *first->second;
    }
  }
  Answers answers_;
  int port_ = 0;
  backend::UniqueFd listener_;
  std::vector<Client> clients_;
};

// For so long, or until `done`: somebody who was told of `node`, and may be told of `other`.
void LetThem(FakeNode& node, RecordingDelegate& events, std::chrono::milliseconds time,
             const std::function<bool()>& done, FakeNode* other = nullptr) {
  struct ev_loop* const loop = ev_loop_new(EVFLAG_AUTO);
  {
    backend::RedisStreams streams(loop, {node.url(), "own", nullptr, {}}, events);
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end && !done()) {
      node.Serve();
      if (other != nullptr) other->Serve();
      TurnLoop(loop);
    }
  }
  ev_loop_destroy(loop);
}

std::string Bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}
std::string Range(int first, int last, const std::string& host, const std::string& port) {
  return "*3\r\n:" + std::to_string(first) + "\r\n:" + std::to_string(last) + "\r\n*3\r\n" + host +
         port + Bulk(std::string(40, 'a'));
}
std::string Whole(const std::string& host, const std::string& port) {
  return "*1\r\n" + Range(0, 16383, host, port);
}
const std::string kHere = Bulk("127.0.0.1");
constexpr std::string_view kItsPort = ":@PORT@\r\n";

class HostileNodeTest : public ::testing::TestWithParam<std::string> {};

TEST_P(HostileNodeTest, IsAskedAgainAndNotFollowed) {
  FakeNode node({.map = GetParam()});
  RecordingDelegate events;
  LetThem(node, events, std::chrono::seconds(10), [&] { return node.asked >= 3; });
  EXPECT_GE(node.asked, 3);
  EXPECT_LE(node.accepted, node.asked + 1);  // nobody came to read or write
  EXPECT_EQ(events.lost, 1);
  EXPECT_EQ(events.restored, 0);
  EXPECT_TRUE(events.denied.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Maps, HostileNodeTest,
    ::testing::Values(
        "+OK\r\n", ":1\r\n", "$-1\r\n", "*-1\r\n", "*0\r\n", "*1\r\n:1\r\n", "*1\r\n*0\r\n",
        "-ERR This instance has cluster support disabled\r\n", "nonsense\r\n", "*2147483647\r\n",
        "*1025\r\n", "*1\r\n*3\r\n$1\r\n0\r\n:16383\r\n*2\r\n$1\r\na\r\n:1\r\n",
        "*1\r\n*3\r\n:0\r\n:16383\r\n*0\r\n", "*1\r\n*3\r\n:0\r\n:16383\r\n:1\r\n",
        "*1\r\n*3\r\n:0\r\n:16383\r\n*1\r\n$1\r\na\r\n", Whole(kHere, "$4\r\n6379\r\n"),
        Whole(kHere, ":0\r\n"), Whole(kHere, ":65536\r\n"), Whole(kHere, ":-1\r\n"),
        Whole(kHere, ":99999999999999999999\r\n"), Whole(Bulk("a b"), std::string(kItsPort)),
        Whole(Bulk("?"), std::string(kItsPort)), Whole(Bulk("a\r\nb"), std::string(kItsPort)),
        Whole(Bulk(std::string(254, 'a')), std::string(kItsPort)),
        "*1\r\n" + Range(0, 3810, kHere, std::string(kItsPort)),
        "*1\r\n" + Range(3812, 16383, kHere, std::string(kItsPort)),
        "*1\r\n" + Range(16383, 0, kHere, std::string(kItsPort)),
        "*2\r\n" + Range(0, 1, kHere, std::string(kItsPort)) + ":1\r\n"));

// Each says that it is who has the slot, and does not serve it.
class EvasiveNodeTest : public ::testing::TestWithParam<FakeNode::Answers> {};

TEST_P(EvasiveNodeTest, IsAskedLessAndLessOften) {
  FakeNode node(GetParam());
  RecordingDelegate events;
  LetThem(node, events, std::chrono::milliseconds(3500), [] { return false; });
  // At 0, 50, 150, 350, 750, 1,550 and 2,550 ms, three connections each time.
  EXPECT_GE(node.asked, 4);
  EXPECT_LE(node.asked, 8);
  EXPECT_LE(node.accepted, 3 * node.asked);
  EXPECT_GE(events.lost, 1);
  EXPECT_TRUE(events.messages.empty());
}

FakeNode::Answers Serving() { return {.map = Whole(kHere, std::string(kItsPort))}; }
FakeNode::Answers Probed(std::string answer) {
  FakeNode::Answers out = Serving();
  out.probe = std::move(answer);
  return out;
}
FakeNode::Answers Read(std::string answer) {
  FakeNode::Answers out = Serving();
  out.read = std::move(answer);
  return out;
}
FakeNode::Answers OfRole(std::string answer) {
  FakeNode::Answers out = Serving();
  out.role = std::move(answer);
  return out;
}

INSTANTIATE_TEST_SUITE_P(
    Nodes, EvasiveNodeTest,
    ::testing::Values(Probed("-MOVED 3811 127.0.0.1:1\r\n"), Probed("-MOVED\r\n"),
                      Probed("-MOVED 99999999999999999999 ::::\r\n"),
                      Probed("-ASK 3811 127.0.0.1:1\r\n"),
                      Probed("-CLUSTERDOWN The cluster is down\r\n"), Read("-MOVED 3811 :1\r\n"),
                      Read("-MOVED " + std::string(60'000, 'x') + "\r\n"),
                      Read("-ASK 3811 127.0.0.1:1\r\n"), Read("-CLUSTERDOWN\r\n"),
                      Read("-READONLY\r\n"), OfRole("*1\r\n$5\r\nslave\r\n"),
                      OfRole("*1\r\n:1\r\n")));

TEST(ServingNodeTest, OneThatIsNamedWithoutAHostIsAtTheHostThatWasAskedWithItsOwnPort) {
  for (const std::string host : {"$-1\r\n", "$0\r\n\r\n"}) {
    FakeNode served(Serving());
    FakeNode asked({.map = Whole(host, ":" + std::to_string(served.port()) + "\r\n"),
                    .probe = "-MOVED 3811 :1\r\n"});
    RecordingDelegate events;
    LetThem(
        asked, events, std::chrono::seconds(10), [&] { return events.restored == 1; }, &served);
    EXPECT_EQ(events.restored, 1);
  }
}

TEST(ServingNodeTest, AMapOf1024RangesWithFiveReplicasEachIsTaken) {
  const std::string node_text = "*4\r\n" + Bulk("10.200.200.200") + ":6379\r\n" +
                                Bulk(std::string(40, 'a')) + "*2\r\n" + Bulk("hostname") +
                                Bulk("redis-0000.redis.example.org");
  std::string map = "*1024\r\n";
  for (int i = 0; i < 1023; ++i) {
    map += "*8\r\n:1\r\n:1\r\n";
    for (int k = 0; k < 6; ++k) map += node_text;
  }
  map += Range(3811, 3811, kHere, std::string(kItsPort));
  FakeNode node({.map = map});
  RecordingDelegate events;
  LetThem(node, events, std::chrono::seconds(10), [&] { return events.restored == 1; });
  EXPECT_EQ(events.restored, 1);
}

}  // namespace
}  // namespace holdfast::testing
