// The real fence in a network namespace of its own. What passes it and what does not: tests/faults/isolation_test.py.
#include <cstdio>
#include <vector>

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/adapters/linux/nft_fence.h"
#include "agent/app/isolation_state.h"
#include "agent/app/link_fence.h"
#include "tests/support/temp_dir.h"

namespace holdfast::agent {
namespace {

constexpr Duration kMinute = std::chrono::minutes(1);

// In a process of its own, so that no other test loses its network.
int InNamespace(int (*what)(), bool as_nobody = false) {
  const pid_t child = fork();
  if (child == 0) {
    const int flags = CLONE_NEWNET | (geteuid() == 0 ? 0 : CLONE_NEWUSER);
    if (unshare(flags) != 0) _exit(100);
    if (as_nobody && setresuid(65534, 65534, 65534) != 0) _exit(101);
    _exit(what());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

NftPeer Peer(const char* text, std::uint8_t protocol = 0) {
  return {ParseIpNetwork(text).value(), protocol, {}};
}

TEST(NftFenceTest, ClosesReplacesAndOpens) {
  EXPECT_EQ(InNamespace([] {
              NftFence fence;
              if (!fence.Open().ok()) return 1;  // nothing is there
              std::vector<NftPeer> peers = {Peer("192.0.2.7:443", 6), Peer("2001:db8::/32"),
                                            Peer("0.0.0.0/0")};
              peers.front().user = 65534;
              if (!fence.Close(peers, kMinute).ok()) return 2;
              if (!fence.IsUntouched().ok() || !fence.IsUntouched().value()) return 3;
              if (!fence.Close({}, kMinute).ok()) return 4;
              if (!fence.IsUntouched().value()) return 5;
              if (!NftFence().Open().ok() || fence.IsUntouched().value())
                return 6;  // somebody else
              return fence.Open().ok() ? 0 : 7;
            }),
            0);
}

TEST(NftFenceTest, TakesAllThatCanEverBeAllowed) {
  EXPECT_EQ(InNamespace([] {
              std::vector<NftPeer> peers(64, Peer("[2001:db8:1:2:3:4:5:0/127]:65535", 17));
              peers.insert(peers.end(), 8 * 18, Peer("[2001:db8:1:2:3:4:5:6/128]:65535", 6));
              for (NftPeer& peer : peers) peer.user = 65534;
              const auto closed = NftFence().Close(peers, kMinute);
              if (!closed.ok()) puts(closed.error().message.c_str());
              return closed.ok() ? 0 : 1;
            }),
            0);
}

TEST(NftFenceTest, SaysThatItMayNot) {
  EXPECT_EQ(InNamespace(
                [] {
                  const auto closed = NftFence().Close({}, kMinute);
                  if (closed.ok()) return 1;
                  return closed.error().code == Code::kDenied ? 0 : 2;
                },
                true),
            0);
}

TEST(LinkFenceTest, ReadsNameServersAsTheResolverDoes) {
  const auto found = NameServersIn(
      "# nameserver 192.0.2.1\nsearch example\nnameserver\t192.0.2.2 # two\nnameserver "
      "2001:db8::3\r\n"
      "nameservers 192.0.2.4\nnameserver\nnameserver nonsense\nnameserver fe80::5%eth0\nnameserver "
      "192.0.2.6");
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0], ParseIpAddress("192.0.2.2"));
  EXPECT_EQ(found[1], ParseIpAddress("2001:db8::3"));
  EXPECT_EQ(found[2], ParseIpAddress("fe80::5"));
  EXPECT_TRUE(NameServersIn("").empty());
}

TEST(LinkFenceTest, RefusesANetworkThatIsNone) {
  testing::TempDir temp;
  const StateDir dir = StateDir::Open(temp.path() + "/s", StateDir::Mode::kCreateAndOwn).value();
  const RouteFile routes(dir, {});
  LinkFence fence(routes, {"wss://192.0.2.7:443"}, 65534);
  const auto closed = fence.Close({"10.0.0.0/99"}, kMinute);
  ASSERT_FALSE(closed.ok());
  EXPECT_EQ(closed.error().code, Code::kInvalid);
}

TEST(IsolationStateTest, KeepsTheRecordAndTakesAWishOnce) {
  testing::TempDir temp;
  const StateDir dir = StateDir::Open(temp.path() + "/s", StateDir::Mode::kCreateAndOwn).value();
  IsolationState state(dir);
  EXPECT_EQ(state.Load().error().code, Code::kNotFound);
  EXPECT_TRUE(state.Remove().ok());
  EXPECT_FALSE(state.BootId().empty());
  EXPECT_EQ(state.BootId(), IsolationState(dir).BootId());
  const Moment at{TimePoint(kMinute), WallTime(1'796'064'000'000)};
  EXPECT_FALSE(state.Read(at).value());
  IsolationRecord record;
  record.held.emplace().until = at.now + kMinute;
  record.held->allow = {"10.0.0.0/8"};
  ASSERT_TRUE(state.Save(FormatIsolation(record, state.BootId(), at)).ok());
  const auto read = IsolationState(dir).Read(at);
  ASSERT_TRUE(read.ok() && read.value());
  EXPECT_EQ(read.value()->until, record.held->until);
  EXPECT_EQ(read.value()->allow, record.held->allow);
  EXPECT_FALSE(state.TakeReleaseRequest());
  ASSERT_TRUE(state.AskForRelease().ok());
  EXPECT_TRUE(state.TakeReleaseRequest());
  EXPECT_FALSE(state.TakeReleaseRequest());
  EXPECT_TRUE(state.Remove().ok());
  EXPECT_EQ(state.Load().error().code, Code::kNotFound);
}

}  // namespace
}  // namespace holdfast::agent
