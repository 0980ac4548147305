// What the kernel says of itself, over the fixture tree.
#include <gtest/gtest.h>

#include "tests/support/query_harness.h"

namespace holdfast::agent {
namespace {

TEST(KernelTablesTest, TellTheKernelAndHowItWasStarted) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM kernel_info"),
            Rows{"6.1.0-18-fixture|ro quiet init=/bin/\xfft|/boot/vmlinuz-6.1|UUID=abcd"});
}

TEST(KernelTablesTest, ListModulesWithHostileNamesAndWithoutTornLines) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM kernel_modules"),
            (Rows{"nf_nat|61440|nft_chain_nat,xt_MASQUERADE|Live|0x0000000000000000",
                  "ext4|921600|-|Live|0xffffffffc0a00000",
                  "rootk\x1b[2Jit|4096|-|Unloading|0xffffffffc0b00000"}));
}

TEST(KernelTablesTest, TellLoadAndTimesOfProcessors) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM load_average"), (Rows{"1m|0.52", "5m|1.04", "15m|12.00"}));
  EXPECT_EQ(harness.Ask("SELECT * FROM cpu_time"),
            (Rows{"0|100|1|50|9000|7|0|3|2|0|0", "1|200|2|60|8000|8|1|4|NULL|NULL|NULL"}));
}

TEST(KernelTablesTest, TellMemoryInBytesAndLeaveNullWhatIsNoSuchNumber) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM memory_info"),
            Rows{"2097152000|1024|1048576000|2048|3072|4096|5120|NULL|NULL|NULL"});
  EXPECT_EQ(harness.Ask("SELECT * FROM memory_map"),
            (Rows{"Reserved|0x00000000|0x00000fff", "System RAM|0x00100000|0x7fffffff",
                  "Kernel code: part|0x01000000|0x01ffffff"}));
}

TEST(KernelTablesTest, ListSharedMemory) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM shared_memory"),
            (Rows{"5|1001|0|51|50|1700000100|1700000200|1700000000|0600|4096|2|dest|1",
                  "6|0|0|0|1|0|0|1700000001|0644|512|0||0"}));
}

TEST(KernelTablesTest, ListLimitsThatHaveAName) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM ulimit_info"),
            (Rows{"cpu|unlimited|unlimited", "nofile|1024|524288"}));
}

class MountsTableTest : public ::testing::Test {
 protected:
  MountsTableTest() {
    harness_.machine.rooms["/"] = {.block_size = 4096,
                                   .blocks = 100,
                                   .blocks_free = 50,
                                   .blocks_available = 40,
                                   .inodes = 30,
                                   .inodes_free = 20};
    harness_.machine.rooms["/net"] = {.block_size = 1};
  }
  QueryHarness harness_;
};

TEST_F(MountsTableTest, UnescapesNamesAndFollowsDevices) {
  EXPECT_EQ(harness_.Ask("SELECT device, device_alias, path, type, flags FROM mounts"),
            (Rows{"/dev/sda1|/dev/sda1|/|ext4|rw,relatime",
                  "/dev/mapper/data|/dev/dm-0|/srv/with space\\x|ext4|ro",
                  "proc|proc|/proc|proc|rw,nosuid", "server:/x|server:/x|/net|nfs4|rw,hard",
                  "tmpfs|tmpfs|/tmp/\xff\x1b[2J\nnew|tmpfs|rw",
                  "selinuxfs|selinuxfs|/sys/fs/selinux|selinuxfs|rw"}));
  EXPECT_TRUE(harness_.machine.room_asked.empty()) << "no column of it was asked for";
}

TEST_F(MountsTableTest, AsksNoNetworkFileSystemForItsRoom) {
  EXPECT_EQ(harness_.Ask("SELECT path, blocks_size, blocks, blocks_free, blocks_available, inodes, "
                         "inodes_free FROM mounts WHERE path IN ('/', '/net')"),
            (Rows{"/|4096|100|50|40|30|20", "/net|NULL|NULL|NULL|NULL|NULL|NULL"}));
  for (const std::string& path : harness_.machine.room_asked) EXPECT_NE(path, "/net");
}

}  // namespace
}  // namespace holdfast::agent
