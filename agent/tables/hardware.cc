// pci_devices and usb_devices.
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

constexpr Column kPciColumns[] = {
    {"pci_slot", kT, "Slot, e.g. 0000:00:03.0"},
    {"pci_class", kT, "Class in words; as all names NULL where the machine has no list of them"},
    {"driver", kT, "Driver that uses it"},
    {"vendor", kT, "Name of the vendor"},
    {"vendor_id", kT, "Number of the vendor, hex"},
    {"model", kT, "Name of the model"},
    {"model_id", kT, "Number of the model, hex"},
    {"pci_class_id", kT, "Number of the class, hex", kLinux},
    {"pci_subclass_id", kT, "Number of the class within it, hex", kLinux},
    {"pci_subclass", kT, "Class within it in words", kLinux},
    {"subsystem_vendor_id", kT, "Number of the maker of the card, hex", kLinux},
    {"subsystem_vendor", kT, "Name of the maker of the card", kLinux},
    {"subsystem_model_id", kT, "Number of the card, hex", kLinux},
    {"subsystem_model", kT, "Name of the card", kLinux},
};

constexpr Column kUsbColumns[] = {
    {"usb_address", kI, "Number of the bus"},
    {"usb_port", kI, "Number of the device on the bus"},
    {"vendor", kT, "Name of the vendor"},
    {"vendor_id", kT, "Number of the vendor, hex"},
    {"version", kT, "Version of the device"},
    {"model", kT, "Name of the model"},
    {"model_id", kT, "Number of the model, hex"},
    {"serial", kT, "Serial number"},
    {"class", kT, "Class; 0: each interface has its own"},
    {"subclass", kT, "Class within it"},
    {"protocol", kT, "Protocol within that"},
    {"removable", kI, "1: can be taken off, 0: fixed, -1: unknown"},
};

// pci.ids: "8086  Intel", below it "\t1237  Card", below that "\t\t1af4 1100  Kind". The rest of the
// line of `key` among those of the depth of the first, "" if it is not there; `list` becomes what
// lies below it.
std::string_view Entry(std::string_view& list, std::string_view key, std::size_t depth) {
  std::string_view rest = list;
  std::string_view line;
  list = {};
  while (NextLine(rest, line)) {
    const std::size_t tabs = std::min(line.find_first_not_of('\t'), line.size());
    if (line.empty() || line.front() == '#') continue;
    if (tabs < depth) break;
    if (tabs > depth || !line.substr(tabs).starts_with(key)) continue;
    const std::string_view name = line.substr(tabs + key.size());
    if (!name.starts_with(' ')) continue;
    list = rest;
    return Trim(name);
  }
  return {};
}

std::string PciIds(Machine& machine) {
  constexpr std::size_t kMaxBytes = std::size_t{8} << 20;  // 1.5 MB in 2026
  for (const char* path :
       {"/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids", "/usr/share/pci.ids"}) {
    std::string text = ReadOr(machine, path, kMaxBytes);
    if (!text.empty()) return text;
  }
  return {};
}

std::string Or(std::string first, std::string_view second) {
  return first.empty() ? std::string(second) : first;
}

std::string Hex(std::string_view digits) {
  return digits.empty() ? std::string() : "0x" + std::string(digits);
}

void AddPci(const Device& device, std::string_view ids, TableRows& rows) {
  const std::string numbers = LowerCase(device.Kernel("PCI_ID"));  // "8086:1237"
  std::string_view model = numbers;
  const std::string_view vendor = NextField(model, ':');
  const std::string card = LowerCase(device.Kernel("PCI_SUBSYS_ID"));
  std::string_view card_model = card;
  const std::string_view maker = NextField(card_model, ':');
  std::string kind = LowerCase(device.Kernel("PCI_CLASS"));  // "60000", "10700"
  if (kind.size() == 5) kind.insert(0, 1, '0');
  if (kind.size() != 6) kind.clear();
  const std::string_view sub = kind.empty() ? "" : std::string_view(kind).substr(2, 2);
  const std::string_view top = std::string_view(kind).substr(0, kind.empty() ? 0 : 2);

  std::string_view list = ids;
  const std::string_view vendor_name = Entry(list, vendor, 0);
  const std::string_view model_name = Entry(list, model, 1);
  const std::string card_key = std::string(maker) + " " + std::string(card_model);
  const std::string_view card_name = Entry(list, card_key, 2);
  list = ids;
  const std::string_view maker_name = maker.empty() ? "" : Entry(list, maker, 0);
  list = ids;
  const std::string_view top_name = top.empty() ? "" : Entry(list, "C " + std::string(top), 0);
  const std::string_view sub_name = top.empty() ? "" : Entry(list, sub, 1);

  rows.Begin().Text(device.Kernel("PCI_SLOT_NAME"));
  rows.TextOrNull(Or(device.Udev("ID_PCI_CLASS_FROM_DATABASE"), top_name));
  rows.Text(device.Kernel("DRIVER"));
  rows.TextOrNull(Or(device.Udev("ID_VENDOR_FROM_DATABASE"), vendor_name)).Text(Hex(vendor));
  rows.TextOrNull(Or(device.Udev("ID_MODEL_FROM_DATABASE"), model_name)).Text(Hex(model));
  rows.TextOrNull(Hex(top)).TextOrNull(Hex(sub));
  rows.TextOrNull(Or(device.Udev("ID_PCI_SUBCLASS_FROM_DATABASE"), sub_name));
  rows.TextOrNull(Hex(maker)).TextOrNull(maker_name);
  rows.TextOrNull(Hex(card_model)).TextOrNull(card_name);
}

void FillPci(const Request&, Machine& machine, TableRows& rows) {
  const std::string directory = "/sys/bus/pci/devices";
  const std::vector<std::string> names = SortedNames(machine, directory);
  const std::string ids = names.empty() ? std::string() : PciIds(machine);
  for (const std::string& name : names) {
    AddPci(Device(machine, directory + "/" + name, "+pci:"), ids, rows);
  }
}

void FillUsb(const Request&, Machine& machine, TableRows& rows) {
  const std::string directory = "/sys/bus/usb/devices";
  for (const std::string& name : SortedNames(machine, directory)) {
    const Device device(machine, directory + "/" + name, "c");
    const auto bus = ParseInt(device.Attribute("busnum"));
    const auto number = ParseInt(device.Attribute("devnum"));
    if (!bus || !number) continue;                   // an interface of a device
    const std::string kind = device.Kernel("TYPE");  // "9/0/1"
    std::string_view protocol = kind;
    const std::string_view top = NextField(protocol, '/');
    const std::string_view sub = NextField(protocol, '/');
    const std::string removable = device.Attribute("removable");
    rows.Begin().Int(*bus).Int(*number);
    rows.Text(Or(device.Udev("ID_VENDOR_FROM_DATABASE"), device.Attribute("manufacturer")));
    rows.Text(device.Attribute("idVendor")).Text(device.Attribute("bcdDevice"));
    rows.Text(Or(device.Udev("ID_MODEL_FROM_DATABASE"), device.Attribute("product")));
    rows.Text(device.Attribute("idProduct")).Text(device.Attribute("serial"));
    rows.Text(top).Text(sub).Text(protocol);
    rows.Int(removable == "removable" ? 1 : removable == "fixed" ? 0 : -1);
  }
}

}  // namespace

const Table kPciDevicesTable = {
    .name = "pci_devices",
    .description = "PCI hardware.",
    .example = "SELECT pci_slot, vendor, model, driver FROM pci_devices;",
    .cost = Cost::kDevices,
    .columns = kPciColumns,
    .open = OpenFilled<kPciColumns, FillPci>,
};

const Table kUsbDevicesTable = {
    .name = "usb_devices",
    .description = "USB devices, hubs included.",
    .example = "SELECT vendor, model, serial FROM usb_devices WHERE class <> '9';",
    .cost = Cost::kDevices,
    .columns = kUsbColumns,
    .open = OpenFilled<kUsbColumns, FillUsb>,
};

}  // namespace holdfast::agent
