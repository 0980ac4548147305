// PCI, USB and block devices, over the fixture's /sys and what udev keeps.
#include <gtest/gtest.h>

#include "tests/support/query_harness.h"

namespace holdfast::agent {
namespace {

TEST(PciDevicesTableTest, TakesNamesFromTheListOfNumbersOrFromUdev) {
  QueryHarness harness;
  EXPECT_EQ(
      harness.Ask("SELECT * FROM pci_devices"),
      (Rows{"0000:00:01.0|Mass storage controller|piix|Intel Corporation|0x8086|82371SB PIIX3 "
            "IDE|0x7010|0x01|0x01|IDE interface|0x1af4|Red Hat, Inc.|0x1100|Virtual machine",
            "0000:\xff\x1b[2J|NULL||From \xff udev|0xabcd|Model of udev|0x0001|NULL|NULL|NULL|"
            "NULL|NULL|NULL|NULL"}));
}

TEST(UsbDevicesTableTest, LeavesOutInterfacesAndKeepsHostileNames) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM usb_devices"),
            (Rows{"1|4|SanDisk|0781|0100|Cruzer Ultra|5581|4C53|0|0|0|1",
                  "1|1||1d6b|0601|hub\xff\n\x1b[2J|0002||9|0|1|-1"}));
}

TEST(BlockDevicesTableTest, TellsDisksPartitionsAndWhatLiesOnThem) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM block_devices"),
            (Rows{"/dev/cciss/c0d0|NULL|NULL|NULL|NULL|9|NULL|NULL|NULL|NULL",
                  "/dev/dm-0|/dev/sda1|NULL|NULL|NULL|1000|NULL|NULL|NULL|NULL",
                  "/dev/dm-1|/dev/dm-0|NULL|NULL|NULL|500|NULL|4567|ext4|d\xff\x1b[2J",
                  "/dev/sda|NULL|ATA|Fixture SSD|S1|2048|4096|NULL|NULL|NULL",
                  "/dev/sda1|/dev/sda|NULL|NULL|NULL|1024|4096|0123|crypto_LUKS|NULL"}));
}

TEST(BlockDevicesTableTest, LooksAtTheNamedDeviceOnly) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT size FROM block_devices WHERE name = '/dev/cciss/c0d0'"),
            Rows{"9"});
  EXPECT_EQ(harness.Ask("SELECT size FROM block_devices WHERE name = '/dev/nothing'"), Rows{});
  for (const std::string& path : harness.machine.listed) EXPECT_NE(path, "/sys/class/block/");
}

TEST(DiskEncryptionTableTest, CountsWhatLiesOnAnEncryptedDevice) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM disk_encryption"),
            (Rows{"/dev/cciss/c0d0|NULL|0||not encrypted", "/dev/dm-0|NULL|1|LUKS2|encrypted",
                  "/dev/dm-1|4567|1|LUKS2|encrypted", "/dev/sda|NULL|0||not encrypted",
                  "/dev/sda1|0123|0||not encrypted"}));
}

}  // namespace
}  // namespace holdfast::agent
