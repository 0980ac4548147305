// process_open_sockets and listening_ports.
#include "agent/tables/net_files.h"
#include "agent/tables/registry.h"
#include "agent/tables/socket_rows.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Column kSocketColumns[] = {
    {"pid", kI, "Process that holds it; -1: unknown", kAdditional},
    {"fd", kB, "Its descriptor there; -1: unknown"},
    {"socket", kB, "Inode of the socket"},
    {"family", kI, "2: IPv4, 10: IPv6, 1: Unix"},
    {"protocol", kI, "IP protocol: 6 TCP, 17 UDP, ...; 0 for Unix"},
    {"local_address", kT, "Local address"},
    {"remote_address", kT, "Remote address"},
    {"local_port", kI, "Local port"},
    {"remote_port", kI, "Remote port"},
    {"path", kT, "Unix: path, or abstract name after '@'"},
    {"state", kT, "TCP: LISTEN, ESTABLISHED, ..."},
    {"net_namespace", kT, "Inode of the network namespace", kLinux},
};
enum SocketAt : std::size_t {
  kPid,
  kFd,
  kSocket,
  kFamily,
  kProtocol,
  kLocalAddress,
  kRemoteAddress,
  kLocalPort,
  kRemotePort,
  kPath,
  kState,
  kNetNamespace,
};

constexpr Column kPortColumns[] = {
    {"pid", kI, "Process that listens; -1: unknown"},
    {"port", kI, "Port; 0 for Unix"},
    {"protocol", kI, "IP protocol: 6 TCP, 17 UDP, ...; 0 for Unix"},
    {"family", kI, "2: IPv4, 10: IPv6, 1: Unix"},
    {"address", kT, "Address that it is bound to"},
    {"fd", kB, "Descriptor in the process; -1: unknown"},
    {"socket", kB, "Inode of the socket"},
    {"path", kT, "Unix: path, or abstract name after '@'"},
    {"net_namespace", kT, "Inode of the network namespace", kLinux},
};

class SocketRows : public RowSource {
 public:
  SocketRows(const Request& request, Machine& machine) : walk_(request, kPid, machine) {}
  bool Next(Row& row) override {
    SocketFact socket;
    if (!walk_.Next(socket)) return false;
    row[kPid] = Integer(socket.pid);
    row[kFd] = Integer(socket.fd);
    row[kSocket] = Integer(socket.inode);
    row[kFamily] = Integer(socket.family);
    row[kProtocol] = Integer(socket.protocol);
    row[kLocalAddress] = Text(socket.local_address);
    row[kRemoteAddress] = Text(socket.remote_address);
    row[kLocalPort] = Integer(socket.local_port);
    row[kRemotePort] = Integer(socket.remote_port);
    row[kPath] = Text(socket.path);
    row[kState] = Text(socket.state);
    row[kNetNamespace] = Text(std::to_string(socket.net_namespace));
    return true;
  }

 private:
  SocketWalk walk_;
};

// What is bound and connected to nobody. A TCP socket must listen; Unix sockets need a name.
bool Listens(const SocketFact& socket) {
  if (socket.family == kFamilyUnix) return !socket.path.empty();
  return socket.remote_port == 0 && (socket.state.empty() || socket.state == "LISTEN");
}

class PortRows : public RowSource {
 public:
  PortRows(const Request& request, Machine& machine) : walk_(request, 0, machine) {}
  bool Next(Row& row) override {
    SocketFact socket;
    do {
      if (!walk_.Next(socket)) return false;
    } while (!Listens(socket));
    row = {Integer(socket.pid),
           Integer(socket.local_port),
           Integer(socket.protocol),
           Integer(socket.family),
           Text(socket.local_address),
           Integer(socket.fd),
           Integer(socket.inode),
           Text(socket.path),
           Text(std::to_string(socket.net_namespace))};
    return true;
  }

 private:
  SocketWalk walk_;
};

}  // namespace

const Table kProcessOpenSocketsTable = {
    .name = "process_open_sockets",
    .description = "Sockets and connections, with the processes that hold them.",
    .example =
        "SELECT p.name, s.remote_address, s.remote_port FROM process_open_sockets s "
        "JOIN processes p USING (pid) WHERE s.state = 'ESTABLISHED';",
    .cost = Cost::kSockets,
    .columns = kSocketColumns,
    .open = OpenRows<SocketRows>,
};

const Table kListeningPortsTable = {
    .name = "listening_ports",
    .description =
        "Sockets that wait for others: listening TCP, unconnected UDP and raw, named Unix.",
    .example =
        "SELECT p.name, l.port, l.address FROM listening_ports l JOIN processes p USING (pid) "
        "WHERE l.family = 2;",
    .cost = Cost::kSockets,
    .columns = kPortColumns,
    .open = OpenRows<PortRows>,
};

}  // namespace holdfast::agent
