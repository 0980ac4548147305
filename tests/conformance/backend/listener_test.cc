#include "backend/adapters/linux/listener.h"

#include <memory>
#include <vector>

#include <arpa/inet.h>
#include <ev.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace holdfast::backend {
namespace {

// Takes everybody, and counts how often it was asked to.
struct TakesAll final : ListenerDelegate {
  void OnAcceptable(Listener& listener) override {
    ++asked;
    while (auto accepted = listener.Accept()) taken.push_back(std::move(*accepted));
  }
  int asked = 0;
  std::vector<Listener::Accepted> taken;
};

class ListenerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = Listener::Open(loop_, ListenAddress{"127.0.0.1", 0}, delegate_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    listener_ = std::move(opened).value();
    listener_->SetAccepting(true);
  }
  UniqueFd Connect() {
    const auto at = ParseListenAddress(listener_->address());
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(at.value().port);
    ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  void RunFor(double seconds) {
    ev_timer end;
    ev_timer_init(
        &end, [](struct ev_loop* loop, ev_timer*, int) { ev_break(loop, EVBREAK_ALL); }, seconds,
        0);
    ev_now_update(loop_);
    ev_timer_start(loop_, &end);
    ev_run(loop_, 0);
    ev_timer_stop(loop_, &end);
  }

  struct ev_loop* const loop_ = ev_default_loop(EVFLAG_AUTO);
  TakesAll delegate_;
  std::unique_ptr<Listener> listener_;
};

TEST_F(ListenerTest, AcceptsAndSaysWhoItIs) {
  const UniqueFd peer = Connect();
  RunFor(0.05);
  ASSERT_EQ(delegate_.taken.size(), 1U);
  EXPECT_TRUE(delegate_.taken[0].peer_address.starts_with("127.0.0.1:"));
}

TEST_F(ListenerTest, WithoutDescriptorsItLooksAgainOnlyNowAndThen) {
  const UniqueFd peer = Connect();
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit before = limit;
  const int next = ::fcntl(peer.get(), F_DUPFD_CLOEXEC, 0);  // the lowest that is free
  ::close(next);
  limit.rlim_cur = static_cast<rlim_t>(next);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  RunFor(0.45);
  const int asked = delegate_.asked;
  // Switched on by its owner again and again, as the supervisor's tick does: still no busy loop.
  for (int i = 0; i < 50; ++i) {
    listener_->SetAccepting(true);
    ev_run(loop_, EVRUN_NOWAIT);
  }
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(delegate_.taken.empty());
  EXPECT_GE(asked, 2);
  EXPECT_LE(delegate_.asked, 6);
  RunFor(0.2);
  EXPECT_EQ(delegate_.taken.size(), 1U);
}

TEST(SourceTest, IsAnIPv4AddressOrTheNetOfAnIPv6One) {
  EXPECT_EQ(SourceOf("192.0.2.1:567"), "192.0.2.1");
  EXPECT_EQ(SourceOf("[2001:db8:1:2:3:4:5:6]:567"), "2001:db8:1:2::");
  EXPECT_EQ(SourceOf("[2001:db8:1:2:ffff::1]:1"), SourceOf("[2001:db8:1:2::9]:2"));
  EXPECT_NE(SourceOf("[2001:db8:1:3::1]:1"), SourceOf("[2001:db8:1:2::1]:1"));
  EXPECT_EQ(SourceOf("[::1]:567"), "::");
  EXPECT_EQ(SourceOf(""), "");
}

TEST_F(ListenerTest, WhoIsNotWantedWaits) {
  listener_->SetAccepting(false);
  const UniqueFd peer = Connect();
  RunFor(0.25);
  EXPECT_EQ(delegate_.asked, 0);
  listener_->SetAccepting(true);
  RunFor(0.05);
  EXPECT_EQ(delegate_.taken.size(), 1U);
}

}  // namespace
}  // namespace holdfast::backend
