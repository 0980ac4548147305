#include "backend/adapters/linux/kept_sockets.h"

#include <array>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <ev.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "backend/adapters/linux/listener.h"
#include "tests/support/temp_dir.h"

namespace holdfast::backend {
namespace {

UniqueFd Listening() {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
  EXPECT_EQ(::listen(fd.get(), 8), 0);
  return fd;
}

struct Nobody final : ListenerDelegate {
  void OnAcceptable(Listener&) override {}
};

using Message = std::pair<std::string, int>;

// systemd's end: what it was told, and how many descriptors came along.
class Systemd {
 public:
  Systemd() : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::memcpy(at.sun_path, path().data(), path().size());
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
  }
  std::string path() const { return dir_ / "notify"; }
  Message Read() const {
    std::array<char, 256> text{};
    alignas(cmsghdr) std::array<char, 256> space{};
    iovec part{text.data(), text.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = space.data();
    message.msg_controllen = space.size();
    const ssize_t size = ::recvmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0) return {"", 0};
    int count = 0;
    if (const cmsghdr* const head = CMSG_FIRSTHDR(&message); head != nullptr) {
      count = static_cast<int>((head->cmsg_len - CMSG_LEN(0)) / sizeof(int));
      for (int i = 0; i < count; ++i) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(head) + static_cast<std::size_t>(i) * sizeof fd, sizeof fd);
        ::close(fd);
      }
    }
    return {std::string(text.data(), static_cast<std::size_t>(size)), count};
  }

 private:
  const testing::TempDir dir_;
  const UniqueFd fd_;
};

TEST(KeptSocketsTest, AListenerGoesOnWithTheOneThatIsKeptForItsAddress) {
  std::vector<UniqueFd> inherited;
  inherited.push_back(Listening());
  inherited.push_back(Listening());
  const int second = inherited[1].get();
  const std::string address = LocalAddress(second);
  KeptSockets kept(std::move(inherited), "");
  Nobody nobody;
  auto opened = Listener::Open(ev_default_loop(EVFLAG_AUTO), ParseListenAddress(address).value(),
                               nobody, &kept);
  ASSERT_TRUE(opened.ok()) << opened.error().message;  // opened anew it would be taken
  EXPECT_EQ(opened.value()->fd(), second);
  EXPECT_FALSE(kept.Take(address).valid());
}

TEST(KeptSocketsTest, WhatNobodyListensOnAnyMoreIsClosedAndSystemdIsToldWhatIs) {
  const Systemd systemd;
  std::vector<UniqueFd> inherited;
  inherited.push_back(Listening());
  const std::string given_up = LocalAddress(inherited[0].get());
  KeptSockets kept(std::move(inherited), systemd.path());
  EXPECT_FALSE(kept.Take("127.0.0.1:1").valid());
  const UniqueFd agents = Listening();
  const UniqueFd api = Listening();
  kept.Store({agents.get(), api.get()});
  EXPECT_EQ(systemd.Read(), Message("FDSTOREREMOVE=1\nFDNAME=listener", 0));
  EXPECT_EQ(systemd.Read(), Message("FDSTORE=1\nFDNAME=listener", 2));
  Nobody nobody;
  EXPECT_TRUE(
      Listener::Open(ev_default_loop(EVFLAG_AUTO), ParseListenAddress(given_up).value(), nobody)
          .ok());
}

TEST(KeptSocketsTest, WithoutSystemdNothingIsKeptAndNobodyIsTold) {
  KeptSockets kept({}, "");
  EXPECT_FALSE(kept.Take("127.0.0.1:8443").valid());
  const UniqueFd agents = Listening();
  kept.Store({agents.get()});
  KeptSockets({}, "/nowhere").Store({agents.get()});
}

}  // namespace
}  // namespace holdfast::backend
