#include "backend/adapters/linux/adoption_socket.h"

#include <array>
#include <optional>
#include <string>
#include <utility>

#include <ev.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/adapters/linux/counters_page.h"
#include "backend/adapters/linux/files.h"
#include "tests/support/temp_dir.h"

namespace holdfast::backend {
namespace {

const Introduction kGateway{.slot = "g0", .instance = "host.g0.01ab", .program = "1-2-3.4"};

struct Supervisor final : AdoptionDelegate {
  void OnOrphan(Orphan orphan) override { adopted.emplace(std::move(orphan)); }
  std::optional<Orphan> adopted;
};

class AdoptionSocketTest : public ::testing::Test {
 protected:
  AdoptionSocketTest() : loop_(ev_loop_new(EVFLAG_AUTO)), path_(dir_ / "adopt.sock") {}
  ~AdoptionSocketTest() override {
    socket_.reset();
    ev_loop_destroy(loop_);
  }
  void Listen() {
    auto opened = AdoptionSocket::Open(loop_, path_, supervisor_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    socket_ = std::move(opened).value();
  }
  void Turn() { ev_run(loop_, EVRUN_NOWAIT); }
  std::size_t Descriptors() const {
    std::size_t count = 0;
    for (int fd = 0; fd < 256; ++fd) count += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    return count;
  }

  testing::TempDir dir_;
  struct ev_loop* const loop_;
  const std::string path_;
  Supervisor supervisor_;
  std::unique_ptr<AdoptionSocket> socket_;
};

bool IsReadable(int fd) {
  pollfd one{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&one, 1, 0) == 1;
}

TEST_F(AdoptionSocketTest, AnOrphanArrivesWithAllThatItsSupervisorHad) {
  Listen();
  auto page = CountersPage::Make();
  ASSERT_TRUE(page.ok());
  page.value().block().Set(Counter::kLinks, 7);
  auto channel = SeekSupervisor(path_, kGateway, page.value().fd(), "[log]\n");
  ASSERT_TRUE(channel.ok()) << channel.error().message;
  Turn();
  ASSERT_TRUE(supervisor_.adopted);
  Orphan& orphan = *supervisor_.adopted;
  EXPECT_EQ(orphan.introduction, kGateway);
  const auto text = ReadWholeFile("/proc/self/fd/" + std::to_string(orphan.config.get()), 100);
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(text.value(), "[log]\n");
  auto theirs = CountersPage::Map(std::move(orphan.counters));
  ASSERT_TRUE(theirs.ok());
  EXPECT_EQ(theirs.value().block().Get(Counter::kLinks), 7U);
  ASSERT_EQ(::send(orphan.channel.get(), "x", 1, 0), 1);
  EXPECT_TRUE(IsReadable(channel.value().get()));
  EXPECT_FALSE(IsReadable(orphan.process.get())) << "we live";
}

TEST_F(AdoptionSocketTest, ItsEndIsSeenThoughItIsNobodysChild) {
  Listen();
  const pid_t child = ::fork();
  if (child == 0) {
    auto page = CountersPage::Make();
    auto channel = SeekSupervisor(path_, kGateway, page.value().fd(), "");
    ::_exit(channel.ok() ? 0 : 1);
  }
  int status = 1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  Turn();
  ASSERT_TRUE(supervisor_.adopted);
  EXPECT_TRUE(IsReadable(supervisor_.adopted->process.get()));
  EXPECT_TRUE(IsReadable(supervisor_.adopted->channel.get())) << "closed";
}

TEST_F(AdoptionSocketTest, WithoutASupervisorSeekingFailsAtOnce) {
  EXPECT_EQ(SeekSupervisor(path_, kGateway, 0, "").error().code, Code::kUnavailable);
  Listen();
  socket_.reset();  // the file is there, and nobody listens
  EXPECT_EQ(SeekSupervisor(path_, kGateway, 0, "").error().code, Code::kUnavailable);
}

TEST_F(AdoptionSocketTest, ASupervisorThatEndsBeforeItHasReadClosesTheChannel) {
  Listen();
  auto channel = SeekSupervisor(path_, kGateway, 0, "");
  ASSERT_TRUE(channel.ok());
  EXPECT_FALSE(IsReadable(channel.value().get()));
  socket_.reset();
  EXPECT_TRUE(IsReadable(channel.value().get()));
}

TEST_F(AdoptionSocketTest, IsForThisUserAlone) {
  Listen();
  struct stat facts {};
  ASSERT_EQ(::stat(path_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0600U);
}

// Of another version, or no gateway at all: nothing is kept of it.
TEST_F(AdoptionSocketTest, WhatIsNoIntroductionLeavesNothingBehind) {
  Listen();
  const std::size_t before = Descriptors();
  Introduction bad = kGateway;
  bad.slot = "no name";
  {
    auto channel = SeekSupervisor(path_, bad, 0, "");
    ASSERT_TRUE(channel.ok());
    Turn();
    EXPECT_TRUE(IsReadable(channel.value().get())) << "closed";
  }
  const UniqueFd plain(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  path_.copy(at.sun_path, sizeof at.sun_path - 1);
  const std::string words = EncodeIntroduction(kGateway);  // without descriptors
  EXPECT_EQ(::sendto(plain.get(), words.data(), words.size(), 0,
                     reinterpret_cast<const sockaddr*>(&at), sizeof at),
            static_cast<ssize_t>(words.size()));
  Turn();
  EXPECT_FALSE(supervisor_.adopted);
  EXPECT_EQ(Descriptors(), before + 1) << "plain alone";
}

}  // namespace
}  // namespace holdfast::backend
