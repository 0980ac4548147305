// kernel_info, kernel_modules, load_average, cpu_time, memory_info, memory_map, shared_memory,
// ulimit_info: what the kernel says of itself in files of /proc.
#include <array>

#include "agent/tables/registry.h"
#include "agent/tables/rows.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kMaxListBytes = std::size_t{4}
                                      << 20;  // a line per module, processor, segment

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Column kInfoColumns[] = {
    {"version", kT, "Release of the kernel"},
    {"arguments", kT, "Command line, without the two below"},
    {"path", kT, "Path of the kernel (BOOT_IMAGE=)"},
    {"device", kT, "Device of the root file system (root=)"},
};

void FillInfo(const Request&, Machine& machine, TableRows& rows) {
  const std::string version = ReadOr(machine, "/proc/version");  // "Linux version 6.1.0 (...) ..."
  const std::string line = ReadOr(machine, "/proc/cmdline");
  if (version.empty() && line.empty()) return;
  std::string_view words = version;
  NextWord(words);
  NextWord(words);
  std::string_view path;
  std::string_view device;
  std::string arguments;
  std::string_view rest = Trim(line);
  constexpr std::string_view kPath = "BOOT_IMAGE=";
  constexpr std::string_view kDevice = "root=";
  while (!rest.empty()) {
    const std::string_view word = NextWord(rest);
    if (word.starts_with(kPath)) {
      path = word.substr(kPath.size());
    } else if (word.starts_with(kDevice)) {
      device = word.substr(kDevice.size());
    } else {
      arguments.append(arguments.empty() ? "" : " ").append(word);
    }
  }
  rows.Begin().Text(NextWord(words)).Text(arguments).Text(path).Text(device);
}

constexpr Column kModuleColumns[] = {
    {"name", kT, "Name"},
    {"size", kB, "Bytes in memory"},
    {"used_by", kT, "Modules that need it, separated by commas; '-': none"},
    {"status", kT, "Live, Loading or Unloading"},
    {"address", kT, "Address in memory; 0 without root"},
};

// "nf_nat 61440 2 nft_chain_nat,xt_MASQUERADE, Live 0x0000000000000000"
void FillModules(const Request&, Machine& machine, TableRows& rows) {
  const std::string text = ReadOr(machine, "/proc/modules", kMaxListBytes);
  std::string_view rest = text;
  std::string_view line;
  while (NextLine(rest, line)) {
    const std::string_view name = NextWord(line);
    const auto size = ParseInt(NextWord(line));
    NextWord(line);  // references
    std::string_view users = NextWord(line);
    const std::string_view status = NextWord(line);
    const std::string_view address = NextWord(line);
    if (!size || address.empty()) continue;
    if (users.ends_with(',')) users.remove_suffix(1);
    rows.Begin().Text(name).Int(*size).Text(users).Text(status).Text(address);
  }
}

constexpr Column kLoadColumns[] = {
    {"period", kT, "1m, 5m or 15m"},
    {"average", kT, "Tasks that ran or waited, on average"},
};

void FillLoad(const Request&, Machine& machine, TableRows& rows) {
  const std::string text = ReadOr(machine, "/proc/loadavg");
  std::string_view rest = text;
  for (const std::string_view period : {"1m", "5m", "15m"}) {
    const std::string_view average = NextWord(rest);
    if (average.empty()) return;
    rows.Begin().Text(period).Text(average);
  }
}

constexpr Column kCpuColumns[] = {
    {"core", kI, "Number of the processor"},
    {"user", kB, "In user mode; all times in ticks, of which there are mostly 100 a second"},
    {"nice", kB, "In user mode with a positive nice value"},
    {"system", kB, "In the kernel"},
    {"idle", kB, "Idle"},
    {"iowait", kB, "Idle with input or output outstanding"},
    {"irq", kB, "In interrupts"},
    {"softirq", kB, "In soft interrupts"},
    {"steal", kB, "Taken by other guests of the hypervisor"},
    {"guest", kB, "Running guests"},
    {"guest_nice", kB, "Running guests with a positive nice value"},
};

void FillCpu(const Request&, Machine& machine, TableRows& rows) {
  const std::string text = ReadOr(machine, "/proc/stat", kMaxListBytes);
  std::string_view rest = text;
  std::string_view line;
  while (NextLine(rest, line)) {
    const std::string_view name = NextWord(line);
    const auto core = name.starts_with("cpu") ? ParseInt(name.substr(3)) : std::nullopt;
    if (!core) continue;  // "cpu" is the sum
    rows.Begin().Int(*core);
    for (std::size_t i = 1; i < std::size(kCpuColumns); ++i) {
      rows.IntOrNull(ParseInt(NextWord(line)));
    }
  }
}

constexpr Column kMemoryColumns[] = {
    {"memory_total", kB, "Bytes of memory"},
    {"memory_free", kB, "Bytes unused"},
    {"memory_available", kB, "Bytes that new programs could have without swapping"},
    {"buffers", kB, "Bytes of file systems' own structures in memory"},
    {"cached", kB, "Bytes of files in memory"},
    {"swap_cached", kB, "Bytes in memory that are in swap as well"},
    {"active", kB, "Bytes used lately"},
    {"inactive", kB, "Bytes not used lately"},
    {"swap_total", kB, "Bytes of swap"},
    {"swap_free", kB, "Bytes of swap unused"},
};

void FillMemory(const Request&, Machine& machine, TableRows& rows) {
  const std::string text = ReadOr(machine, "/proc/meminfo");
  if (text.empty()) return;
  rows.Begin();
  for (const std::string_view key : {"MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached",
                                     "SwapCached", "Active", "Inactive", "SwapTotal", "SwapFree"}) {
    std::string_view value = ValueOf(text, key);
    const auto kilobytes = ParseInt(NextWord(value));
    const bool fits = kilobytes && *kilobytes >= 0 && *kilobytes < INT64_MAX / 1024;
    rows.IntOrNull(fits ? std::optional(*kilobytes * 1024) : std::nullopt);
  }
}

constexpr Column kMapColumns[] = {
    {"name", kT, "What is there"},
    {"start", kT, "First physical address, hex; 0x0... without root"},
    {"end", kT, "Last physical address, hex"},
};

// "  00100000-0009ffff : System RAM"
void FillMap(const Request&, Machine& machine, TableRows& rows) {
  const std::string text = ReadOr(machine, "/proc/iomem", kMaxListBytes);
  std::string_view rest = text;
  std::string_view line;
  while (NextLine(rest, line)) {
    std::string_view range = Trim(NextField(line, ':'));
    const std::string start = "0x" + std::string(NextField(range, '-'));
    if (range.empty()) continue;
    rows.Begin().Text(Trim(line)).Text(start).Text("0x" + std::string(range));
  }
}

constexpr Column kSharedColumns[] = {
    {"shmid", kI, "Identifier"},
    {"owner_uid", kB, "User id of the owner"},
    {"creator_uid", kB, "User id of the creator"},
    {"pid", kB, "Process that attached or detached last"},
    {"creator_pid", kB, "Process that made it"},
    {"atime", kB, "Last attached, Unix s; 0: never"},
    {"dtime", kB, "Last detached, Unix s; 0: never"},
    {"ctime", kB, "Last changed, Unix s"},
    {"permissions", kT, "Permission bits in octal, e.g. 0600"},
    {"size", kB, "Bytes"},
    {"attached", kI, "Processes that have it attached"},
    {"status", kT, "dest: goes away with the last process; empty for others"},
    {"locked", kI, "1: kept in memory"},
};

// key shmid perms size cpid lpid nattch uid gid cuid cgid atime dtime ctime ...
void FillShared(const Request&, Machine& machine, TableRows& rows) {
  const std::string text = ReadOr(machine, "/proc/sysvipc/shm", kMaxListBytes);
  std::string_view rest = text;
  std::string_view line;
  while (NextLine(rest, line)) {
    constexpr std::size_t kFields = 14;
    std::array<std::optional<std::int64_t>, kFields> field;
    for (std::size_t i = 0; i < kFields; ++i) field[i] = ParseInt(NextWord(line), i == 2 ? 8 : 10);
    if (!field[kFields - 1] || !field[2]) continue;  // the heading
    const auto mode = static_cast<std::uint32_t>(*field[2]);
    constexpr std::uint32_t kDestroyed = 01000;  // SHM_DEST
    constexpr std::uint32_t kLocked = 02000;     // SHM_LOCKED
    rows.Begin();
    for (const std::size_t i : {1U, 7U, 9U, 5U, 4U, 11U, 12U, 13U}) rows.IntOrNull(field[i]);
    rows.Text(OctalMode(mode & 0777)).IntOrNull(field[3]).IntOrNull(field[6]);
    rows.Text((mode & kDestroyed) != 0 ? "dest" : "").Int((mode & kLocked) != 0 ? 1 : 0);
  }
}

constexpr Column kLimitColumns[] = {
    {"type", kT, "cpu, fsize, data, stack, core, rss, nproc, nofile, memlock, as, locks, ..."},
    {"soft_limit", kT, "Limit of the process that answers, which the agent lowers; or unlimited"},
    {"hard_limit", kT, "Up to where the soft limit may be raised, or unlimited"},
};

// "Max cpu time              unlimited            unlimited            seconds"
void FillLimits(const Request&, Machine& machine, TableRows& rows) {
  struct Limit {
    std::string_view words;
    std::string_view type;
  };
  constexpr Limit kLimits[] = {
      {"Max cpu time", "cpu"},
      {"Max file size", "fsize"},
      {"Max data size", "data"},
      {"Max stack size", "stack"},
      {"Max core file size", "core"},
      {"Max resident set", "rss"},
      {"Max processes", "nproc"},
      {"Max open files", "nofile"},
      {"Max locked memory", "memlock"},
      {"Max address space", "as"},
      {"Max file locks", "locks"},
      {"Max pending signals", "sigpending"},
      {"Max msgqueue size", "msgqueue"},
      {"Max nice priority", "nice"},
      {"Max realtime priority", "rtprio"},
  };
  const std::string text = ReadOr(machine, "/proc/self/limits");
  std::string_view rest = text;
  std::string_view line;
  while (NextLine(rest, line)) {
    for (const Limit& limit : kLimits) {
      if (!line.starts_with(limit.words)) continue;
      line.remove_prefix(limit.words.size());
      const std::string_view soft = NextWord(line);
      rows.Begin().Text(limit.type).Text(soft).Text(NextWord(line));
      break;
    }
  }
}

}  // namespace

const Table kKernelInfoTable = {
    .name = "kernel_info",
    .description = "The running kernel.",
    .example = "SELECT version, arguments FROM kernel_info;",
    .cost = Cost::kFixed,
    .columns = kInfoColumns,
    .open = OpenFilled<kInfoColumns, FillInfo>,
};

const Table kKernelModulesTable = {
    .name = "kernel_modules",
    .description = "Modules that the kernel has loaded.",
    .example = "SELECT name, size, used_by FROM kernel_modules WHERE status = 'Live';",
    .cost = Cost::kAccounts,
    .columns = kModuleColumns,
    .open = OpenFilled<kModuleColumns, FillModules>,
};

const Table kLoadAverageTable = {
    .name = "load_average",
    .description = "How much there was to run.",
    .example = "SELECT average FROM load_average WHERE period = '1m';",
    .cost = Cost::kFixed,
    .columns = kLoadColumns,
    .open = OpenFilled<kLoadColumns, FillLoad>,
};

const Table kCpuTimeTable = {
    .name = "cpu_time",
    .description = "What each processor did since the start.",
    .example = "SELECT core, user, system, idle FROM cpu_time;",
    .cost = Cost::kFixed,
    .columns = kCpuColumns,
    .open = OpenFilled<kCpuColumns, FillCpu>,
};

const Table kMemoryInfoTable = {
    .name = "memory_info",
    .description = "What the memory is used for.",
    .example = "SELECT memory_total, memory_available, swap_free FROM memory_info;",
    .cost = Cost::kFixed,
    .columns = kMemoryColumns,
    .open = OpenFilled<kMemoryColumns, FillMemory>,
};

const Table kMemoryMapTable = {
    .name = "memory_map",
    .description = "Physical address space.",
    .example = "SELECT start, end FROM memory_map WHERE name = 'System RAM';",
    .cost = Cost::kAccounts,
    .columns = kMapColumns,
    .open = OpenFilled<kMapColumns, FillMap>,
};

const Table kSharedMemoryTable = {
    .name = "shared_memory",
    .description = "System V shared memory of the agent's IPC namespace.",
    .example = "SELECT shmid, size, owner_uid, creator_pid FROM shared_memory WHERE attached = 0;",
    .cost = Cost::kFixed,
    .columns = kSharedColumns,
    .open = OpenFilled<kSharedColumns, FillShared>,
};

const Table kUlimitInfoTable = {
    .name = "ulimit_info",
    .description = "Resource limits of the process that answers.",
    .example = "SELECT soft_limit, hard_limit FROM ulimit_info WHERE type = 'nofile';",
    .cost = Cost::kFixed,
    .columns = kLimitColumns,
    .open = OpenFilled<kLimitColumns, FillLimits>,
};

}  // namespace holdfast::agent
