// process_envs, process_memory_map, process_namespaces, process_open_files: /proc/PID beyond what
// `processes` tells.
#include "agent/tables/pids.h"
#include "agent/tables/proc_files.h"
#include "agent/tables/process_items.h"
#include "agent/tables/registry.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Column kEnvColumns[] = {
    {"pid", kI, "Process id", kIndex},
    {"key", kT, "Name of the variable"},
    {"value", kT, "Its value when the program was started"},
};

bool FillEnv(Machine&, std::int64_t, std::string_view item, Row& row) {
  if (item.empty()) return false;
  row[1] = Text(NextField(item, '='));
  row[2] = Text(item);
  return true;
}

constexpr Column kMapColumns[] = {
    {"pid", kI, "Process id", kIndex},
    {"start", kT, "First address, hex"},
    {"end", kT, "Address after the last, hex"},
    {"permissions", kT, "r, w, x, and p (private) or s (shared)"},
    {"offset", kB, "Where in the file it begins, bytes"},
    {"device", kT, "Major and minor number of the file's device, hex"},
    {"inode", kI, "Inode of the file; 0 for none"},
    {"path", kT, "Path of the file, or a name in brackets"},
    {"pseudo", kI, "1: the name is that of no file"},
};

// "7f00-7f08 r-xp 00001000 08:01 1234    /usr/lib/a b.so"
bool FillMap(Machine&, std::int64_t, std::string_view line, Row& row) {
  std::string_view end = NextWord(line);
  const std::string_view start = NextField(end, '-');
  const std::string_view permissions = NextWord(line);
  const auto offset = ParseUint(NextWord(line), 16);
  const std::string_view device = NextWord(line);
  const auto inode = ParseUint(NextWord(line));
  if (end.empty() || !offset || !inode) return false;
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  row[1] = "0x" + std::string(start);
  row[2] = "0x" + std::string(end);
  row[3] = Text(permissions);
  row[4] = Integer(*offset);
  row[5] = Text(device);
  row[6] = Integer(*inode);
  row[7] = Text(line);
  row[8] = Integer(*inode == 0 && !line.empty() ? 1 : 0);
  return true;
}

constexpr Column kNamespaceColumns[] = {
    {"pid", kI, "Process id", kIndex},
    {"cgroup_namespace", kT, "Inode of the cgroup namespace; NULL without root, as all"},
    {"ipc_namespace", kT, "Inode of the IPC namespace"},
    {"mnt_namespace", kT, "Inode of the mount namespace"},
    {"net_namespace", kT, "Inode of the network namespace"},
    {"pid_namespace", kT, "Inode of the process id namespace"},
    {"user_namespace", kT, "Inode of the user namespace"},
    {"uts_namespace", kT, "Inode of the host name namespace"},
};

bool FillNamespaces(Machine& machine, std::int64_t pid, std::string_view, Row& row) {
  bool found = false;
  for (std::size_t i = 1; i < std::size(kNamespaceColumns); ++i) {
    std::string_view kind = kNamespaceColumns[i].name;
    kind = NextField(kind, '_');
    const auto link = machine.ReadLink(ProcPath(pid, "ns/" + std::string(kind)));
    const auto inode = link.ok() ? ParseInodeLink(link.value(), kind) : std::nullopt;
    if (!inode) continue;
    row[i] = std::to_string(*inode);
    found = true;
  }
  return found || machine.Stat(ProcPath(pid, "stat"), Links::kKeep).ok();
}

constexpr Column kOpenFileColumns[] = {
    {"pid", kB, "Process id", kIndex},
    {"fd", kB, "Descriptor"},
    {"path", kT, "Path of the open file; ' (deleted)' at its end: it was unlinked"},
};

bool FillOpenFile(Machine& machine, std::int64_t pid, std::string_view name, Row& row) {
  const auto fd = ParseInt(name);
  if (!fd) return false;
  auto link = machine.ReadLink(ProcPath(pid, "fd/" + std::string(name)));
  if (!link.ok() || !link.value().starts_with('/')) return false;  // a socket, pipe, anon_inode
  row[1] = Integer(*fd);
  row[2] = std::move(link).value();
  return true;
}

constexpr ProcessItems kEnvItems = {.file = "environ", .separator = '\0', .fill = FillEnv};
constexpr ProcessItems kMapItems = {.file = "maps", .separator = '\n', .fill = FillMap};
constexpr ProcessItems kNamespaceItems = {.file = "", .fill = FillNamespaces};
constexpr ProcessItems kOpenFileItems = {.file = "fd", .separator = kNames, .fill = FillOpenFile};

template <const ProcessItems& kItems>
Result<std::unique_ptr<RowSource>> Open(const Request& request, Machine& machine) {
  return RowsOfProcesses(request, 0, machine, kItems);
}

}  // namespace

const Table kProcessEnvsTable = {
    .name = "process_envs",
    .description = "Environment variables that processes were started with.",
    .example = "SELECT value FROM process_envs WHERE pid = 1 AND key = 'PATH';",
    .cost = Cost::kProcesses,
    .columns = kEnvColumns,
    .open = Open<kEnvItems>,
};

const Table kProcessMemoryMapTable = {
    .name = "process_memory_map",
    .description = "What is mapped into the memory of processes.",
    .example = "SELECT pid, start, path FROM process_memory_map WHERE permissions LIKE '%wx%';",
    .cost = Cost::kProcesses,
    .columns = kMapColumns,
    .open = Open<kMapItems>,
};

const Table kProcessNamespacesTable = {
    .name = "process_namespaces",
    .description = "The namespaces that processes live in.",
    .example =
        "SELECT pid FROM process_namespaces WHERE mnt_namespace <> (SELECT mnt_namespace FROM "
        "process_namespaces WHERE pid = 1);",
    .cost = Cost::kProcesses,
    .columns = kNamespaceColumns,
    .open = Open<kNamespaceItems>,
};

const Table kProcessOpenFilesTable = {
    .name = "process_open_files",
    .description = "Files that processes hold open; sockets and pipes have tables of their own.",
    .example = "SELECT pid, fd, path FROM process_open_files WHERE path LIKE '% (deleted)';",
    .cost = Cost::kSockets,
    .columns = kOpenFileColumns,
    .open = Open<kOpenFileItems>,
};

}  // namespace holdfast::agent
