// os_version, system_info, uptime: one row each.
#include "agent/tables/proc_files.h"
#include "agent/tables/registry.h"
#include "agent/tables/system_files.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kMaxCpuinfoBytes = 4 << 20;  // a block per processor, some 1.5 KB each

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Column kOsColumns[] = {
    {"name", kT, "Name of the distribution"},
    {"version", kT, "Version in words"},
    {"major", kI, "First number of the version"},
    {"minor", kI, "Second number"},
    {"patch", kI, "Third number"},
    {"build", kT, "Build id, where there is one"},
    {"platform", kT, "Distribution's id, e.g. debian"},
    {"platform_like", kT, "Ids that it is like"},
    {"codename", kT, "Codename of the release"},
    {"arch", kT, "Architecture of the kernel"},
    {"pid_with_namespace", kI, "Always 0: other namespaces cannot be asked",
     kAdditional | kHidden | kLinux},
    {"mount_namespace_id", kT, "Inode of the mount namespace", kHidden | kLinux},
};

constexpr Column kSystemColumns[] = {
    {"hostname", kT, "Host name"},
    {"uuid", kT, "Hardware's UUID, or the machine id where that cannot be read"},
    {"cpu_type", kT, "Architecture"},
    {"cpu_subtype", kT, "Model number of the processor"},
    {"cpu_brand", kT, "Model name of the processor"},
    {"cpu_physical_cores", kI, "Cores"},
    {"cpu_logical_cores", kI, "Hardware threads"},
    {"cpu_sockets", kI, "Processor packages"},
    {"cpu_microcode", kT, "Microcode version"},
    {"physical_memory", kB, "Bytes of memory"},
    {"hardware_vendor", kT, "Vendor (DMI)"},
    {"hardware_model", kT, "Model (DMI)"},
    {"hardware_version", kT, "Version (DMI)"},
    {"hardware_serial", kT, "Serial number (DMI); NULL without root"},
    {"board_vendor", kT, "Vendor of the board (DMI)"},
    {"board_model", kT, "Model of the board (DMI)"},
    {"board_version", kT, "Version of the board (DMI)"},
    {"board_serial", kT, "Serial number of the board (DMI); NULL without root"},
    {"computer_name", kT, "Host name"},
    {"local_hostname", kT, "Host name"},
};

constexpr Column kUptimeColumns[] = {
    {"days", kI, "Whole days"},
    {"hours", kI, "Hours beyond the days"},
    {"minutes", kI, "Minutes beyond the hours"},
    {"seconds", kI, "Seconds beyond the minutes"},
    {"total_seconds", kB, "All of it in seconds"},
};

std::unique_ptr<RowSource> OneRow(Row row) {
  std::vector<Row> rows;
  rows.push_back(std::move(row));
  return std::make_unique<ReadyRows>(std::move(rows));
}

SqlValue NumberPart(std::string_view& version) {
  return IntegerOrNull(ParseInt(NextField(version, '.')));
}

Result<std::unique_ptr<RowSource>> OpenOsVersion(const Request&, Machine& machine) {
  std::string text = ReadOr(machine, "/etc/os-release");
  if (text.empty()) text = ReadOr(machine, "/usr/lib/os-release");
  const std::string id = OsReleaseValue(text, "VERSION_ID");
  std::string_view rest = id;
  const auto link = machine.ReadLink("/proc/self/ns/mnt");
  const auto mount = link.ok() ? ParseInodeLink(link.value(), "mnt") : std::nullopt;
  SqlValue major = NumberPart(rest);
  SqlValue minor = NumberPart(rest);
  SqlValue patch = NumberPart(rest);
  // osquery says 0 for numbers that a version does not have; none at all stays NULL.
  if (std::holds_alternative<std::int64_t>(major)) {
    if (std::holds_alternative<std::monostate>(minor)) minor = Integer(0);
    if (std::holds_alternative<std::monostate>(patch)) patch = Integer(0);
  }
  return OneRow({Text(OsReleaseValue(text, "NAME")), Text(OsReleaseValue(text, "VERSION")),
                 std::move(major), std::move(minor), std::move(patch),
                 Text(OsReleaseValue(text, "BUILD_ID")), Text(OsReleaseValue(text, "ID")),
                 Text(OsReleaseValue(text, "ID_LIKE")),
                 Text(OsReleaseValue(text, "VERSION_CODENAME")), Text(machine.Facts().machine),
                 Integer(0), mount ? Text(std::to_string(*mount)) : Null()});
}

SqlValue Dmi(Machine& machine, std::string_view name) {
  std::string path = "/sys/class/dmi/id/";
  path.append(name);
  return TextOrNull(Trim(ReadOr(machine, path)));
}

// 32 hex digits to 8-4-4-4-12.
std::string AsUuid(std::string_view id) {
  std::string uuid(id);
  if (uuid.size() != 32) return uuid;
  for (const std::size_t at : {8U, 13U, 18U, 23U}) uuid.insert(at, 1, '-');
  return uuid;
}

Result<std::unique_ptr<RowSource>> OpenSystemInfo(const Request&, Machine& machine) {
  const SystemFacts facts = machine.Facts();
  const std::string cpuinfo = ReadOr(machine, "/proc/cpuinfo", kMaxCpuinfoBytes);
  const CpuFacts cpu = ParseCpuinfo(cpuinfo);
  const std::string meminfo = ReadOr(machine, "/proc/meminfo");
  std::string_view memory = ValueOf(meminfo, "MemTotal");
  const auto kilobytes = ParseInt(NextWord(memory));
  SqlValue uuid = Dmi(machine, "product_uuid");
  if (std::holds_alternative<std::monostate>(uuid)) {
    uuid = TextOrNull(AsUuid(Trim(ReadOr(machine, "/etc/machine-id"))));
  }
  return OneRow({Text(facts.hostname),
                 std::move(uuid),
                 Text(facts.machine),
                 Text(cpu.model),
                 Text(cpu.brand),
                 Integer(cpu.physical_cores),
                 Integer(cpu.logical_cores),
                 Integer(cpu.sockets),
                 TextOrNull(cpu.microcode),
                 kilobytes && *kilobytes < INT64_MAX / 1024 ? Integer(*kilobytes * 1024) : Null(),
                 Dmi(machine, "sys_vendor"),
                 Dmi(machine, "product_name"),
                 Dmi(machine, "product_version"),
                 Dmi(machine, "product_serial"),
                 Dmi(machine, "board_vendor"),
                 Dmi(machine, "board_name"),
                 Dmi(machine, "board_version"),
                 Dmi(machine, "board_serial"),
                 Text(facts.hostname),
                 Text(facts.hostname)});
}

Result<std::unique_ptr<RowSource>> OpenUptime(const Request&, Machine& machine) {
  const std::string text = ReadOr(machine, "/proc/uptime");  // "12345.67 23456.78"
  std::string_view rest = text;
  const auto seconds = ParseInt(NextField(rest, '.'));
  if (!seconds || *seconds < 0)
    return std::unique_ptr<RowSource>(std::make_unique<ReadyRows>(std::vector<Row>()));
  return OneRow({Integer(*seconds / 86400), Integer(*seconds / 3600 % 24),
                 Integer(*seconds / 60 % 60), Integer(*seconds % 60), Integer(*seconds)});
}

}  // namespace

const Table kOsVersionTable = {
    .name = "os_version",
    .description = "The operating system.",
    .example = "SELECT name, version, arch FROM os_version;",
    .cost = Cost::kFixed,
    .columns = kOsColumns,
    .open = OpenOsVersion,
};

const Table kSystemInfoTable = {
    .name = "system_info",
    .description = "The machine.",
    .example = "SELECT hostname, cpu_brand, physical_memory FROM system_info;",
    .cost = Cost::kFixed,
    .columns = kSystemColumns,
    .open = OpenSystemInfo,
};

const Table kUptimeTable = {
    .name = "uptime",
    .description = "Time since the machine was started.",
    .example = "SELECT days, hours, minutes FROM uptime;",
    .cost = Cost::kFixed,
    .columns = kUptimeColumns,
    .open = OpenUptime,
};

}  // namespace holdfast::agent
