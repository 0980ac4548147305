#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend/adapters/libpcap/packet_filter.h"
#include "tests/support/temp_dir.h"
#include "tests/support/worker_harness.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::ReadWhole;
using holdfast::testing::TempDir;

namespace pb = command::v1;

struct PcapngBlock {
  std::uint32_t type;
  std::string body;
};
// Every block must be whole.
std::vector<PcapngBlock> BlocksOf(const std::string& bytes) {
  std::vector<PcapngBlock> blocks;
  std::size_t at = 0;
  while (at + 12 <= bytes.size()) {
    std::uint32_t head[2] = {};
    std::memcpy(head, bytes.data() + at, sizeof head);
    if (head[1] < 12 || at + head[1] > bytes.size()) break;
    std::uint32_t again = 0;
    std::memcpy(&again, bytes.data() + at + head[1] - 4, 4);
    EXPECT_EQ(again, head[1]);
    blocks.push_back({head[0], bytes.substr(at + 8, head[1] - 12)});
    at += head[1];
  }
  EXPECT_EQ(at, bytes.size());
  return blocks;
}
std::size_t PacketsOf(const std::string& bytes) {
  std::size_t count = 0;
  for (const auto& block : BlocksOf(bytes)) count += block.type == 6 ? 1 : 0;
  return count;
}

// In a network of its own, where nothing but this test speaks.
class CaptureVerbTest : public ::testing::Test {
 protected:
  void SetUp() override {
    before_ = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "makes a network";
    const int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq lo = {};
    std::strcpy(lo.ifr_name, "lo");
    lo.ifr_flags = IFF_UP | IFF_RUNNING;
    ASSERT_EQ(ioctl(control, SIOCSIFFLAGS, &lo), 0);
    close(control);
    args().set_duration_ms(20'000);
    sender_ = std::thread([this] {
      const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      sockaddr_in to = {};
      to.sin_family = AF_INET;
      to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      const std::string text(200, 'm');
      while (!is_over_) {
        for (const std::uint16_t port : {std::uint16_t{5353}, std::uint16_t{7777}}) {
          to.sin_port = htons(port);
          (void)sendto(fd, text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&to),
                       sizeof to);
        }
        usleep(2000);
      }
      close(fd);
    });
  }
  void TearDown() override {
    is_over_ = true;
    if (sender_.joinable()) sender_.join();
    if (before_ >= 0) {
      EXPECT_EQ(setns(before_, CLONE_NEWNET), 0);
      close(before_);
    }
  }
  pb::CaptureArgs& args() { return *command_.mutable_capture(); }
  WorkerRun Run() { return RunWorkerProcess(command_); }
  void Filter(const std::string& expression) {
    auto filter = backend::CompileFilter(expression, 262'144);
    ASSERT_TRUE(filter.ok()) << filter.error().message;
    args().set_expression(expression);
    args().set_filter(filter.value());
  }

  int before_ = -1;
  std::atomic<bool> is_over_ = false;
  std::thread sender_;
  pb::Command command_;
};

TEST_F(CaptureVerbTest, IsPcapngOfWhatPasses) {
  args().set_packets(20);
  const WorkerRun run = Run();
  ASSERT_EQ(run.result.outcome(), pb::OUTCOME_DONE) << run.result.message();
  const auto blocks = BlocksOf(run.output);
  ASSERT_GE(blocks.size(), 3U);
  EXPECT_EQ(blocks[0].type, 0x0A0D0D0AU);
  EXPECT_EQ(blocks[1].type, 1U);
  EXPECT_NE(blocks[1].body.find("lo"), std::string::npos);
  EXPECT_EQ(blocks.back().type, 5U) << "the counts come last";
  EXPECT_EQ(PacketsOf(run.output), 20U);
  EXPECT_EQ(run.result.message().find("20 packets, 0 dropped"), 0U) << run.result.message();
  EXPECT_NE(run.output.find(std::string(200, 'm')), std::string::npos);
}

TEST_F(CaptureVerbTest, OpensInTcpdump) {
  if (std::system("command -v tcpdump >/dev/null 2>&1") != 0) GTEST_SKIP() << "no tcpdump here";
  args().set_packets(10);
  const TempDir dir;
  const std::string file = dir.Write("c.pcapng", Run().output);
  const std::string said = dir / "said";
  ASSERT_EQ(std::system(("tcpdump -n -r " + file + " >" + said + " 2>/dev/null").c_str()), 0);
  EXPECT_NE(ReadWhole(said).find("> 127.0.0.1.7777: UDP, length 200"), std::string::npos)
      << ReadWhole(said);
}

TEST_F(CaptureVerbTest, TheFilterRunsInTheKernel) {
  args().set_packets(10);
  Filter("udp and dst port 7777");
  const WorkerRun run = Run();
  ASSERT_EQ(run.result.outcome(), pb::OUTCOME_DONE) << run.result.message();
  for (const auto& block : BlocksOf(run.output)) {
    if (block.type != 6) continue;
    // Ethernet 14, IP 20, then the ports.
    EXPECT_EQ(static_cast<unsigned char>(block.body[20 + 36]) << 8 |
                  static_cast<unsigned char>(block.body[20 + 37]),
              7777);
  }
  args().set_duration_ms(300);
  Filter("tcp port 1");
  EXPECT_EQ(PacketsOf(Run().output), 0U);
  Filter("arp");
  EXPECT_EQ(PacketsOf(Run().output), 0U);
}

TEST_F(CaptureVerbTest, KeepsOnlyTheFirstBytesOfEachPacketAndItsLength) {
  args().set_packets(3);
  args().set_snap_bytes(60);
  Filter("udp");
  for (const auto& block : BlocksOf(Run().output)) {
    if (block.type != 6) continue;
    std::uint32_t lengths[2] = {};
    std::memcpy(lengths, block.body.data() + 12, sizeof lengths);
    EXPECT_EQ(lengths[0], 60U);
    EXPECT_EQ(lengths[1], 242U);
  }
}

TEST_F(CaptureVerbTest, EndsBeforeMoreBytesThanAskedAndWhenTheTimeIsOver) {
  args().set_max_bytes(2000);
  WorkerRun run = Run();
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE);
  EXPECT_LE(run.output.size(), 2100U);
  EXPECT_GT(PacketsOf(run.output), 3U);
  EXPECT_NE(run.result.message().find("ended at 2000 bytes"), std::string::npos);
  args().clear_max_bytes();
  args().set_duration_ms(200);
  run = Run();
  EXPECT_EQ(run.result.outcome(), pb::OUTCOME_DONE);
  EXPECT_GT(PacketsOf(run.output), 1U);
}

TEST_F(CaptureVerbTest, EndsInWholeBlocksAtTheLimit) {
  command_.mutable_limits()->set_out_bytes(150'000);
  const WorkerRun run = Run();
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_OUTPUT_LIMIT);
  EXPECT_TRUE(run.result.truncated());
}

TEST_F(CaptureVerbTest, RefusesWhatTheKernelOrTheMachineDoesNotHave) {
  args().set_filter(std::string(8, '\xff'));
  WorkerRun run = Run();
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  EXPECT_NE(run.result.message().find("the kernel does not take the filter"), std::string::npos);
  args().set_filter("1234567");
  EXPECT_EQ(Run().result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  args().clear_filter();
  args().set_interface("none0");
  EXPECT_EQ(Run().result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
  args().clear_interface();
  args().set_promiscuous(true);
  EXPECT_EQ(Run().result.failure(), pb::COMMAND_FAILURE_BAD_ARGUMENT);
}

TEST_F(CaptureVerbTest, WithoutTheRightItSaysWhichOneItTakes) {
  ASSERT_EQ(seteuid(65534), 0);
  const WorkerRun run = Run();
  ASSERT_EQ(seteuid(0), 0);
  EXPECT_EQ(run.result.failure(), pb::COMMAND_FAILURE_PERMISSION);
  EXPECT_NE(run.result.message().find("CAP_NET_RAW"), std::string::npos);
}

TEST(PacketFilterTest, AnExpressionThatMeansNothingIsRefusedWithItsWords) {
  const auto filter = backend::CompileFilter("prot 53", 65535);
  ASSERT_FALSE(filter.ok());
  EXPECT_NE(filter.error().message.find("--filter: "), std::string::npos);
  EXPECT_EQ(backend::CompileFilter("", 65535).value(), "");
}

}  // namespace
}  // namespace holdfast::agent
