// interface_addresses, interface_details, routes: what the kernel lists over rtnetlink.
#include "agent/tables/netlink_messages.h"
#include "agent/tables/registry.h"
#include "agent/tables/rows.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Column kAddressColumns[] = {
    {"interface", kT, "Name of the interface"},
    {"address", kT, "Address"},
    {"mask", kT, "Network mask"},
    {"broadcast", kT, "Broadcast address"},
    {"point_to_point", kT, "Address of the other end"},
    {"type", kT, "manual: has no lifetime; dhcp (IPv4), auto (IPv6): has one"},
};

constexpr Column kDetailColumns[] = {
    {"interface", kT, "Name of the interface"},
    {"mac", kT, "Hardware address"},
    {"type", kI, "Kind of hardware (ARPHRD_*): 1 Ethernet, 772 loopback, ..."},
    {"mtu", kI, "Bytes of the largest packet"},
    {"metric", kI, "Always 0 on Linux"},
    {"flags", kI, "IFF_* bits: 1 up, 8 loopback, 64 running, 256 promiscuous, ..."},
    {"ipackets", kB, "Packets received"},
    {"opackets", kB, "Packets sent"},
    {"ibytes", kB, "Bytes received"},
    {"obytes", kB, "Bytes sent"},
    {"ierrors", kB, "Errors while receiving"},
    {"oerrors", kB, "Errors while sending"},
    {"idrops", kB, "Received packets that were dropped"},
    {"odrops", kB, "Packets dropped before they were sent"},
    {"collisions", kB, "Collisions"},
    {"last_change", kB, "Always -1: Linux does not say"},
    {"link_speed", kB, "Mbit/s; NULL where the hardware does not say", kLinux},
    {"pci_slot", kT, "PCI slot of the hardware", kLinux},
};
enum DetailAt : std::size_t { kLinkSpeed = 16, kPciSlot = 17 };

constexpr Column kRouteColumns[] = {
    {"destination", kT, "Network or host; 0.0.0.0 or :: for the default"},
    {"netmask", kI, "Bits of the destination that count"},
    {"gateway", kT, "Next hop; empty when the link reaches it directly"},
    {"source", kT, "Own address that is preferred"},
    {"flags", kI, "RTM_F_* and RTNH_F_* bits"},
    {"interface", kT, "Name of the interface"},
    {"mtu", kI, "Bytes of the largest packet, where the route says so"},
    {"metric", kI, "The lower, the rather"},
    {"type", kT, "gateway, local, broadcast, anycast, other", kAdditional},
    {"hopcount", kI, "Hop limit, where the route says so", kLinux},
};

std::string Dump(Machine& machine, NetworkDump what) {
  auto messages = machine.DumpNetwork(what);
  return messages.ok() ? std::move(messages).value() : std::string();
}

std::vector<NetLink> Links(Machine& machine) {
  return ReadLinkDump(Dump(machine, NetworkDump::kLinks));
}

void FillAddresses(const Request&, Machine& machine, TableRows& rows) {
  auto names = LinkNames(Links(machine));
  for (const NetAddress& at : ReadAddressDump(Dump(machine, NetworkDump::kAddresses))) {
    rows.Begin().Text(names[at.link]).Text(at.address).Text(MaskText(at.is_v6, at.prefix));
    rows.TextOrNull(at.broadcast).TextOrNull(at.peer);
    rows.Text(at.permanent ? "manual" : at.is_v6 ? "auto" : "dhcp");
  }
}

void FillDetails(const Request& request, Machine& machine, TableRows& rows) {
  for (const NetLink& link : Links(machine)) {
    rows.Begin().Text(link.name).Text(link.mac).Int(link.type).IntOrNull(link.mtu).Int(0);
    rows.Int(link.flags);
    if (link.counters) {
      const NetLink::Counters& at = *link.counters;
      for (const std::uint64_t count :
           {at.packets_in, at.packets_out, at.bytes_in, at.bytes_out, at.errors_in, at.errors_out,
            at.drops_in, at.drops_out, at.collisions}) {
        rows.Int(count);
      }
    } else {
      for (int i = 0; i < 9; ++i) rows.Skip();
    }
    rows.Int(-1);
    const std::string directory = "/sys/class/net/" + link.name + "/";
    if (link.name.find('/') != std::string::npos) continue;  // no kernel allows it
    const auto speed =
        request.Uses(kLinkSpeed) ? ParseInt(ReadValue(machine, directory + "speed")) : std::nullopt;
    rows.IntOrNull(speed && *speed > 0 ? speed : std::nullopt);
    if (!request.Uses(kPciSlot)) continue;
    const auto device = machine.ReadLink(directory + "device");
    const std::string_view slot = device.ok() ? BaseName(device.value()) : std::string_view();
    // "0000:00:03.0"; a virtual machine's device is "virtio0".
    rows.TextOrNull(slot.find(':') != std::string_view::npos ? slot : std::string_view());
  }
}

std::string_view RouteType(int kind) {
  switch (kind) {  // RTN_*
    case 1: return "gateway";
    case 2: return "local";
    case 3: return "broadcast";
    case 4: return "anycast";
    default: return "other";
  }
}

void FillRoutes(const Request&, Machine& machine, TableRows& rows) {
  auto names = LinkNames(Links(machine));
  for (const NetRoute& route : ReadRouteDump(Dump(machine, NetworkDump::kRoutes))) {
    const std::string_view all = route.is_v6 ? "::" : "0.0.0.0";
    rows.Begin().Text(route.destination.empty() ? all : route.destination).Int(route.prefix);
    rows.Text(route.gateway).Text(route.source).Int(route.flags).Text(names[route.link]);
    rows.IntOrNull(route.mtu).Int(route.metric).Text(RouteType(route.kind));
    rows.IntOrNull(route.hop_limit);
  }
}

}  // namespace

const Table kInterfaceAddressesTable = {
    .name = "interface_addresses",
    .description = "Addresses of network interfaces.",
    .example = "SELECT interface, address, mask FROM interface_addresses;",
    .cost = Cost::kFixed,
    .columns = kAddressColumns,
    .open = OpenFilled<kAddressColumns, FillAddresses>,
};

const Table kInterfaceDetailsTable = {
    .name = "interface_details",
    .description = "Network interfaces and their counters.",
    .example = "SELECT interface, mac, ibytes FROM interface_details WHERE flags & 256;",
    .cost = Cost::kFixed,
    .columns = kDetailColumns,
    .open = OpenFilled<kDetailColumns, FillDetails>,
};

const Table kRoutesTable = {
    .name = "routes",
    .description = "All routing tables of the kernel.",
    .example = "SELECT destination, netmask, gateway, interface FROM routes WHERE gateway <> '';",
    .cost = Cost::kFixed,
    .columns = kRouteColumns,
    .open = OpenFilled<kRouteColumns, FillRoutes>,
};

}  // namespace holdfast::agent
