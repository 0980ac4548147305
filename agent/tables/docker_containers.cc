// docker_containers and docker_container_processes.
#include "agent/tables/docker_rows.h"
#include "agent/tables/pids.h"
#include "agent/tables/proc_files.h"
#include "agent/tables/registry.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;
constexpr ColumnType kB = ColumnType::kBigint;
constexpr ColumnType kD = ColumnType::kDouble;

constexpr Column kContainerColumns[] = {
    {"id", kT, "Id", kIndex},
    {"name", kT, "Name, with the '/' that the engine puts before it", kIndex},
    {"image", kT, "Image that it was made of"},
    {"image_id", kT, "Id of it"},
    {"command", kT, "Command with its arguments"},
    {"created", kB, "When it was made, Unix s"},
    {"state", kT, "created, running, paused, exited, dead, ..."},
    {"status", kT, "The same in words, with a time"},
    {"pid", kB, "Its first process"},
    {"path", kT, "Program of it"},
    {"config_entrypoint", kT, "Entry point"},
    {"started_at", kT, "Start, RFC 3339"},
    {"finished_at", kT, "End, RFC 3339"},
    {"privileged", kI, "1: it may do nearly everything"},
    {"security_options", kT, "Options of security"},
    {"env_variables", kT, "Environment"},
    {"readonly_rootfs", kI, "1: its root cannot be written"},
    {"cgroup_namespace", kT, "Inode of the namespace", kLinux},
    {"ipc_namespace", kT, "The same of IPC", kLinux},
    {"mnt_namespace", kT, "The same of mounts", kLinux},
    {"net_namespace", kT, "The same of the network", kLinux},
    {"pid_namespace", kT, "The same of process ids", kLinux},
    {"user_namespace", kT, "The same of users", kLinux},
    {"uts_namespace", kT, "The same of the hostname", kLinux},
};
constexpr std::string_view kContainerPaths[] = {"Id",      "",        "Image", "ImageID",
                                                "Command", "Created", "State", "Status"};
constexpr std::size_t kName = 1;
constexpr std::size_t kDetails = std::size(kContainerPaths);
constexpr std::string_view kDetailPaths[] = {"State.Pid",
                                             "Path",
                                             "Config.Entrypoint",
                                             "State.StartedAt",
                                             "State.FinishedAt",
                                             "HostConfig.Privileged",
                                             "HostConfig.SecurityOpt",
                                             "Config.Env",
                                             "HostConfig.ReadonlyRootfs"};
constexpr std::size_t kNamespaces = kDetails + std::size(kDetailPaths);
constexpr std::string_view kNamespaceNames[] = {"cgroup", "ipc",  "mnt", "net",
                                                "pid",    "user", "uts"};
static_assert(kNamespaces + std::size(kNamespaceNames) == std::size(kContainerColumns));

void AddDetails(const std::string& id, Machine& machine, Row& row) {
  if (!IsContainerId(id)) return;
  const std::string details = AskDocker(machine, "/containers/" + id + "/json");
  AddDockerValues(details, kDetailPaths, kContainerColumns, kDetails, row);
  const auto* pid = std::get_if<std::int64_t>(&row[kDetails]);
  if (pid == nullptr || *pid <= 0) return;
  for (std::size_t i = 0; i < std::size(kNamespaceNames); ++i) {
    const auto link = machine.ReadLink(ProcPath(*pid, "ns/" + std::string(kNamespaceNames[i])));
    const auto inode = link.ok() ? ParseInodeLink(link.value(), kNamespaceNames[i]) : std::nullopt;
    if (inode) row[kNamespaces + i] = std::to_string(*inode);
  }
}

Result<std::unique_ptr<RowSource>> OpenContainers(const Request& request, Machine& machine) {
  std::vector<Row> rows;
  bool details = false;
  for (std::size_t i = kDetails; i < std::size(kContainerColumns); ++i) {
    details = details || request.Uses(i);
  }
  EachContainer(request, machine, [&](std::string_view container, const std::string& id) {
    Row& row = rows.emplace_back(std::size(kContainerColumns));
    AddDockerValues(container, kContainerPaths, kContainerColumns, 0, row);
    std::string_view names = JsonMember(container, "Names");
    std::string_view name;
    if (NextJsonElement(names, name)) row[kName] = TextOfJson(name);
    if (details) AddDetails(id, machine, row);
  });
  return ReadyDockerRows(std::move(rows));
}

constexpr Column kProcessColumns[] = {
    {"id", kT, "Id or name of the container", kRequired | kIndex},
    {"pid", kB, "Process id outside", kIndex},
    {"name", kT, "Name of the program, as the kernel keeps it"},
    {"cmdline", kT, "Arguments"},
    {"state", kT, "State, as ps writes it"},
    {"uid", kB, "Real user id"},
    {"gid", kB, "Real group id"},
    {"euid", kB, "Effective user id"},
    {"egid", kB, "Effective group id"},
    {"suid", kB, "Saved user id"},
    {"sgid", kB, "Saved group id"},
    {"wired_size", kB, "Always 0 on Linux"},
    {"resident_size", kB, "Bytes in memory"},
    {"total_size", kB, "Bytes of address space"},
    {"start_time", kB, "Start, Unix s"},
    {"parent", kB, "Process id of the parent"},
    {"pgroup", kB, "Process group"},
    {"threads", kI, "Number of threads"},
    {"nice", kI, "Nice value"},
    {"user", kT, "Name of the user"},
    {"time", kT, "CPU time, [days-]hours:minutes:seconds"},
    {"cpu", kD, "Share of a processor, percent"},
    {"mem", kD, "Share of the memory, percent"},
};
// What ps is asked for, in this order, and the columns that it is for.
constexpr std::string_view kTop =
    "/top?ps_args=-eo%20pid,stat,ruid,rgid,euid,egid,suid,sgid,rss,vsz,etimes,ppid,pgid,nlwp,nice,"
    "user,time,pcpu,pmem,args";
constexpr std::size_t kTopColumns[] = {1,  4,  5,  6,  7,  8,  9,  10, 12, 13,
                                       14, 15, 16, 17, 18, 19, 20, 21, 22, 3};
enum ProcessAt : std::size_t {
  kPid = 1,
  kProcessName = 2,
  kWired = 11,
  kResident = 12,
  kTotal = 13,
  kStart = 14
};

SqlValue PsValue(const std::string& text, ColumnType type) {
  if (type == kT) return text;
  if (type != kD) return IntegerOrNull(ParseInt(text));
  std::string_view whole = text;
  const auto units = ParseInt(NextField(whole, '.'));
  const auto tenths = ParseInt(whole.substr(0, 1));
  if (!units) return Null();
  return static_cast<double>(*units) + static_cast<double>(tenths.value_or(0)) / 10;
}

void AddProcess(std::string_view values, Machine& machine, Row& row) {
  std::string_view value;
  for (std::size_t i = 0; i < std::size(kTopColumns) && NextJsonElement(values, value); ++i) {
    const std::size_t column = kTopColumns[i];
    row[column] = PsValue(TextOfJson(value), kProcessColumns[column].type);
  }
  row[kWired] = Integer(0);
  for (const std::size_t column : {kResident, kTotal}) {  // ps counts in KiB
    constexpr std::int64_t kMost = INT64_MAX / 1024;
    auto* size = std::get_if<std::int64_t>(&row[column]);
    if (size != nullptr && *size >= 0 && *size < kMost) *size *= 1024;
  }
  if (auto* age = std::get_if<std::int64_t>(&row[kStart]); age != nullptr && *age >= 0) {
    *age = machine.Facts().unix_time - *age;
  }
  if (const auto* pid = std::get_if<std::int64_t>(&row[kPid])) {
    row[kProcessName] = TextOrNull(ReadValue(machine, ProcPath(*pid, "comm")));
  }
}

Result<std::unique_ptr<RowSource>> OpenProcesses(const Request& request, Machine& machine) {
  const auto id = request.EqualText(0);
  if (!id) {
    return Error{Code::kInvalid,
                 "table docker_container_processes needs an id, for example WHERE id = 'web'; or "
                 "join it with docker_containers USING (id)"};
  }
  std::vector<Row> rows;
  if (!IsContainerId(*id)) return ReadyDockerRows(std::move(rows));
  const std::string top = AskDocker(machine, "/containers/" + *id + std::string(kTop));
  std::string_view rest = JsonMember(top, "Processes");
  std::string_view values;
  while (NextJsonElement(rest, values)) {
    Row& row = rows.emplace_back(std::size(kProcessColumns));
    row[0] = *id;
    AddProcess(values, machine, row);
  }
  return ReadyDockerRows(std::move(rows));
}

}  // namespace

const Table kDockerContainerProcessesTable = {
    .name = "docker_container_processes",
    .description = "Processes of a container of Docker, as ps tells them to the engine.",
    .example =
        "SELECT c.name, p.pid, p.cmdline FROM docker_containers c JOIN docker_container_processes "
        "p "
        "USING (id);",
    .cost = Cost::kDevices,
    .columns = kProcessColumns,
    .open = OpenProcesses,
};

const Table kDockerContainersTable = {
    .name = "docker_containers",
    .description = "Containers of Docker, also those that do not run.",
    .example = "SELECT name, image, state FROM docker_containers WHERE privileged = 1;",
    .cost = Cost::kDevices,
    .columns = kContainerColumns,
    .open = OpenContainers,
};

}  // namespace holdfast::agent
