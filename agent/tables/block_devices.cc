// block_devices and disk_encryption.
#include <algorithm>

#include "agent/tables/places.h"
#include "agent/tables/registry.h"
#include "agent/tables/rows.h"
#include "agent/tables/text.h"
#include "agent/tables/udev_data.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Column kDeviceColumns[] = {
    {"name", kT, "Path of the device", kIndex},
    {"parent", kT, "Device that it is part of, or lies on; NULL for none"},
    {"vendor", kT, "Vendor; NULL where the hardware does not say"},
    {"model", kT, "Model"},
    {"serial", kT, "Serial number"},
    {"size", kB, "Blocks of 512 bytes"},
    {"block_size", kI, "Bytes of a block of the hardware"},
    {"uuid", kT, "UUID of the file system, as udev found it"},
    {"type", kT, "Kind of file system or container, as udev found it"},
    {"label", kT, "Label of the file system, as udev found it"},
};

constexpr Column kCryptColumns[] = {
    {"name", kT, "Path of the device", kIndex},
    {"uuid", kT, "UUID of the file system, as udev found it"},
    {"encrypted", kI, "1: it or a device below it is encrypted"},
    {"type", kT, "LUKS1, LUKS2, PLAIN, ...; empty for none"},
    {"encryption_status", kT, "encrypted or not encrypted"},
};

std::string Sys(const std::string& name) { return "/sys/class/block/" + name; }

// Names of /sys have '!' where paths of devices have '/'.
std::string DevicePath(std::string name) {
  std::replace(name.begin(), name.end(), '!', '/');
  return "/dev/" + name;
}

// All, or the one that is asked for.
std::vector<std::string> WantedNames(const Request& request, Machine& machine) {
  constexpr std::string_view kDev = "/dev/";
  if (const auto path = request.EqualText(0)) {
    if (!path->starts_with(kDev)) return {};
    std::string name = path->substr(kDev.size());
    std::replace(name.begin(), name.end(), '/', '!');
    const bool found = !name.empty() && machine.Stat(Sys(name), Links::kFollow).ok();
    return found ? std::vector{std::move(name)} : std::vector<std::string>();
  }
  return SortedNames(machine, Sys(""));
}

// The disk of a partition, else the first device that this one is made of; "" for none.
std::string Parent(Machine& machine, const std::string& name) {
  if (machine.Stat(Sys(name) + "/partition", Links::kFollow).ok()) {
    const auto link = machine.ReadLink(Sys(name));  // ".../block/sda/sda1"
    std::string_view path = link.ok() ? std::string_view(link.value()) : std::string_view();
    path = path.substr(0, path.rfind('/'));
    const std::size_t at = path.rfind('/');
    return at == std::string_view::npos ? std::string() : std::string(path.substr(at + 1));
  }
  const auto below = machine.List(Sys(name) + "/slaves");
  if (!below.ok() || below.value().empty()) return {};
  return *std::min_element(below.value().begin(), below.value().end());
}

void FillDevices(const Request& request, Machine& machine, TableRows& rows) {
  for (const std::string& name : WantedNames(request, machine)) {
    const Device device(machine, Sys(name), "b");
    const std::string parent = Parent(machine, name);
    std::string block = device.Attribute("queue/logical_block_size");
    if (block.empty() && !parent.empty()) {
      block = ReadValue(machine, Sys(parent) + "/queue/logical_block_size");
    }
    std::string serial = device.Udev("ID_SERIAL_SHORT");
    if (serial.empty()) serial = device.Attribute("device/serial");
    if (serial.empty()) serial = device.Attribute("serial");  // virtio
    rows.Begin().Text(DevicePath(name)).TextOrNull(parent.empty() ? "" : DevicePath(parent));
    rows.TextOrNull(device.Attribute("device/vendor")).TextOrNull(device.Attribute("device/model"));
    rows.TextOrNull(serial).IntOrNull(ParseInt(device.Attribute("size")));
    rows.IntOrNull(ParseInt(block)).TextOrNull(device.Udev("ID_FS_UUID"));
    rows.TextOrNull(device.Udev("ID_FS_TYPE")).TextOrNull(device.Udev("ID_FS_LABEL"));
  }
}

// "CRYPT-LUKS2-<uuid>-<name>" is what cryptsetup tells device mapper; devices on it count as well.
std::string EncryptionOf(Machine& machine, std::string name) {
  constexpr int kMaxStack = 16;
  for (int depth = 0; depth < kMaxStack && !name.empty(); ++depth) {
    const std::string uuid = ReadValue(machine, Sys(name) + "/dm/uuid");
    std::string_view rest = uuid;
    if (NextField(rest, '-') == "CRYPT") return std::string(NextField(rest, '-'));
    name = Parent(machine, name);
  }
  return {};
}

void FillCrypt(const Request& request, Machine& machine, TableRows& rows) {
  for (const std::string& name : WantedNames(request, machine)) {
    const Device device(machine, Sys(name), "b");
    const std::string type = EncryptionOf(machine, name);
    rows.Begin().Text(DevicePath(name)).TextOrNull(device.Udev("ID_FS_UUID"));
    rows.Int(type.empty() ? 0 : 1).Text(type);
    rows.Text(type.empty() ? "not encrypted" : "encrypted");
  }
}

}  // namespace

const Table kBlockDevicesTable = {
    .name = "block_devices",
    .description = "Disks, partitions and what is made of them.",
    .example = "SELECT name, size * 512 AS bytes, type, label FROM block_devices;",
    .cost = Cost::kDevices,
    .columns = kDeviceColumns,
    .open = OpenFilled<kDeviceColumns, FillDevices>,
};

const Table kDiskEncryptionTable = {
    .name = "disk_encryption",
    .description = "Which block devices are open through dm-crypt.",
    .example =
        "SELECT m.path, e.encrypted FROM mounts m JOIN disk_encryption e ON e.name = "
        "m.device_alias;",
    .cost = Cost::kDevices,
    .columns = kCryptColumns,
    .open = OpenFilled<kCryptColumns, FillCrypt>,
};

}  // namespace holdfast::agent
