// docker_container_ports, _mounts and _networks: lists of each container.
#include "agent/tables/docker_rows.h"
#include "agent/tables/registry.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;

constexpr Column kPortColumns[] = {
    {"id", kT, "Id of the container", kAdditional},
    {"type", kT, "tcp, udp"},
    {"port", kI, "Port inside"},
    {"host_ip", kT, "Address outside; NULL when it is not published"},
    {"host_port", kI, "Port outside"},
};
constexpr std::string_view kPortPaths[] = {"Type", "PrivatePort", "IP", "PublicPort"};

constexpr Column kMountColumns[] = {
    {"id", kT, "Id of the container", kIndex},
    {"type", kT, "bind, volume, tmpfs"},
    {"name", kT, "Name of the volume", kIndex},
    {"source", kT, "Path outside"},
    {"destination", kT, "Path inside"},
    {"driver", kT, "Driver of the volume"},
    {"mode", kT, "Options"},
    {"rw", kI, "1: it can be written"},
    {"propagation", kT, "How mounts are passed on"},
};
constexpr std::string_view kMountPaths[] = {"Type",   "Name", "Source", "Destination",
                                            "Driver", "Mode", "RW",     "Propagation"};

template <const auto& kTableColumns, const auto& kPaths>
Result<std::unique_ptr<RowSource>> OpenParts(const Request& request, Machine& machine,
                                             std::string_view member) {
  std::vector<Row> rows;
  EachContainer(request, machine, [&](std::string_view container, const std::string& id) {
    std::string_view rest = JsonMember(container, member);
    std::string_view part;
    while (NextJsonElement(rest, part)) {
      Row& row = rows.emplace_back(std::size(kTableColumns));
      row[0] = id;
      AddDockerValues(part, kPaths, kTableColumns, 1, row);
    }
  });
  return ReadyDockerRows(std::move(rows));
}
Result<std::unique_ptr<RowSource>> OpenPorts(const Request& request, Machine& machine) {
  return OpenParts<kPortColumns, kPortPaths>(request, machine, "Ports");
}
Result<std::unique_ptr<RowSource>> OpenMounts(const Request& request, Machine& machine) {
  return OpenParts<kMountColumns, kMountPaths>(request, machine, "Mounts");
}

constexpr Column kNetworkColumns[] = {
    {"id", kT, "Id of the container", kIndex},
    {"name", kT, "Name of the network", kIndex},
    {"network_id", kT, "Id of it"},
    {"endpoint_id", kT, "Id of the container's end"},
    {"gateway", kT, "Gateway"},
    {"ip_address", kT, "IPv4 address"},
    {"ip_prefix_len", kI, "Bits of its network"},
    {"ipv6_gateway", kT, "Gateway for IPv6"},
    {"ipv6_address", kT, "IPv6 address"},
    {"ipv6_prefix_len", kI, "Bits of its network"},
    {"mac_address", kT, "Hardware address"},
};
constexpr std::string_view kNetworkPaths[] = {
    "NetworkID",         "EndpointID",          "Gateway",
    "IPAddress",         "IPPrefixLen",         "IPv6Gateway",
    "GlobalIPv6Address", "GlobalIPv6PrefixLen", "MacAddress"};

Result<std::unique_ptr<RowSource>> OpenNetworks(const Request& request, Machine& machine) {
  std::vector<Row> rows;
  EachContainer(request, machine, [&](std::string_view container, const std::string& id) {
    std::string_view rest = JsonMember(JsonMember(container, "NetworkSettings"), "Networks");
    std::string_view name;
    std::string_view network;
    while (NextJsonMember(rest, name, network)) {
      Row& row = rows.emplace_back(std::size(kNetworkColumns));
      row[0] = id;
      row[1] = Text(name);
      AddDockerValues(network, kNetworkPaths, kNetworkColumns, 2, row);
    }
  });
  return ReadyDockerRows(std::move(rows));
}

}  // namespace

const Table kDockerContainerMountsTable = {
    .name = "docker_container_mounts",
    .description = "What is mounted into containers of Docker.",
    .example =
        "SELECT id, source, destination FROM docker_container_mounts WHERE source LIKE '/%';",
    .cost = Cost::kDevices,
    .columns = kMountColumns,
    .open = OpenMounts,
};

const Table kDockerContainerNetworksTable = {
    .name = "docker_container_networks",
    .description = "Networks that containers of Docker are in.",
    .example = "SELECT name, ip_address FROM docker_container_networks;",
    .cost = Cost::kDevices,
    .columns = kNetworkColumns,
    .open = OpenNetworks,
};

const Table kDockerContainerPortsTable = {
    .name = "docker_container_ports",
    .description = "Ports of containers of Docker.",
    .example =
        "SELECT id, port, host_ip, host_port FROM docker_container_ports WHERE host_port > 0;",
    .cost = Cost::kDevices,
    .columns = kPortColumns,
    .open = OpenPorts,
};

}  // namespace holdfast::agent
